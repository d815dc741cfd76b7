"""Trees of plain data become JSON and come back equal; what JSON cannot say is tagged, anything else refused."""

from __future__ import annotations

import json
import math
import struct
from collections import Counter, OrderedDict
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from zoo.errors import DamagedError, UsageError
from zoo.records.tree import MAX_DEPTH, decode, encode

texts = st.text(max_size=6) | st.sampled_from(["$tensor", "$dict", "$", "a/b"])
keys = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts | st.tuples(st.integers(), texts)
leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | texts
    | st.binary(max_size=6)
    | st.sampled_from([torch.float32, torch.bfloat16, torch.int64])
    | st.lists(st.integers(0, 9), max_size=3).map(torch.tensor)
)
trees = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(texts, inner, max_size=3)
        | st.dictionaries(keys, inner, max_size=3)
    ),
    max_leaves=8,
)


def same(found: Any, expected: Any) -> bool:
    """Tell whether two trees are equal in every type and bit; keys' order aside."""
    if type(found) is not type(expected):
        return False
    if isinstance(expected, Tensor):
        return found is expected
    if isinstance(expected, float):
        return struct.pack("<d", found) == struct.pack("<d", expected) or (math.isnan(found) and math.isnan(expected))
    if isinstance(expected, dict):
        pairs = [(key, next(other for other in found if same(other, key))) for key in expected if key in found]
        return len(pairs) == len(expected) == len(found) and all(same(found[b], expected[a]) for a, b in pairs)
    if isinstance(expected, list | tuple):
        return len(found) == len(expected) and all(map(same, found, expected))
    return bool(found == expected)


@given(trees)
def test_a_tree_comes_back_through_json_as_it_was(tree: Any) -> None:
    """To the types of its keys, the bits of its numbers and the identity of its tensors."""
    tensors: dict[str, Tensor] = {}
    text = json.dumps(encode(tree, tensors, "state"), allow_nan=False)
    assert same(decode(json.loads(text), tensors), tree)


def test_a_plain_tree_reads_as_plain_json() -> None:
    """Tags stand only where JSON has no words."""
    plain = {"lr": 0.1, "names": ["a", "b"], "nested": {"on": True, "off": None}}
    assert encode(plain, {}) == plain
    assert encode({"betas": (0.9, math.inf)}, {}) == {"betas": {"$tuple": [0.9, {"$float": "inf"}]}}
    assert encode({3: b"\x00"}, {}) == {"$dict": [[3, {"$bytes": "AA=="}]]}


def test_tensors_are_named_after_the_keys_that_lead_to_them() -> None:
    """Two whose keys spell alike get two names."""
    tensors: dict[str, Tensor] = {}
    tree = {"a": {"b": [torch.tensor(1), torch.tensor(2)]}, "a/b": (torch.tensor(3),)}
    data = encode(tree, tensors, "state")
    assert list(tensors) == ["state/a/b/0", "state/a/b/1", "state/a/b/0'"]
    assert decode(data, tensors)["a/b"][0].item() == 3


def test_kinds_of_dicts_and_floats_come_back_as_plain_ones() -> None:
    """Counters of milestones and NumPy's rates lose their type, not their value."""
    found = decode(encode([Counter([1, 1, 2]), OrderedDict(b=1), np.float64(0.1)], {}), {})
    assert found == [{1: 2, 2: 1}, {"b": 1}, 0.1]
    assert [type(item) for item in found] == [dict, dict, float]


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"betas": {0.9, 0.99}}, r"^betas is a set, which cannot be kept in a checkpoint$"),
        ({"schedule": [lambda step: step]}, r"^schedule/0 is a function"),
        ({"grid": np.zeros(2)}, r"^grid is a ndarray"),
        ({"count": np.int64(3)}, r"^count is a int64"),
        ({"device": torch.device("cpu")}, r"^device is a device"),
        (object(), r"^the value is a object"),
        ({frozenset(): 1}, r"^key is a frozenset"),
    ],
)
def test_anything_else_is_refused_by_its_place_and_type(tree: Any, message: str) -> None:
    """It is not guessed at."""
    with pytest.raises(UsageError, match=message):
        encode(tree, {})


def test_a_tree_deeper_than_the_limit_is_refused_both_ways() -> None:
    """Before Python's recursion limit is met."""
    tree: Any = 1
    for _ in range(MAX_DEPTH):
        tree = [tree]
    assert same(decode(encode(tree, {}), {}), tree)
    with pytest.raises(UsageError, match="deeper than"):
        encode([tree], {})
    with pytest.raises(DamagedError, match="deeper than"):
        decode([[tree]], {})


@pytest.mark.parametrize(
    "data",
    [
        {"$unknown": 1},
        {"$tuple": [1], "$float": "nan"},
        {"$tuple": [1], "more": 1},
        {"$tuple": "ab"},
        {"$tuple": 3},
        {"$float": "1e400"},
        {"$float": []},
        {"$dict": [[1]]},
        {"$dict": [[1, 2, 3]]},
        {"$dict": [[[], 1]]},
        {"$dict": {"a": 1}},
        {"$bytes": "not base64!"},
        {"$bytes": 3},
        {"$dtype": "load"},
        {"$dtype": "no_such"},
        {"$dtype": 3},
        {"$tensor": "missing"},
        {"$tensor": ["w"]},
    ],
    ids=str,
)
def test_a_stranger_s_tags_are_damage(data: Any) -> None:
    """Whatever `encode` does not make is refused with one line, wherever it stands."""
    with pytest.raises(DamagedError, match="unknown form") as caught:
        decode({"a": [data]}, {"w": torch.ones(1)})
    assert len(str(caught.value).splitlines()) == 1
