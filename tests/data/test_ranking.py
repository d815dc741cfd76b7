"""Orders of names are those of sorting them all at once, and so are what is held out and what listings are known by."""

from __future__ import annotations

import gzip
import hashlib
import json
import math
import tracemalloc
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.data import Dataset, Subset, TensorImages, ranking, split_by_name
from zoo.data.folds import folds_of
from zoo.data.holding_out import cap, hold_out
from zoo.data.identity import Identification
from zoo.data.lazy import Lazy
from zoo.data.ranking import by_name, by_share, name_shares
from zoo.records.images import FILES, read_files, write_images

texts = st.text(max_size=4)


class Named:
    """A split that has names and no pixels."""

    def __init__(
        self, names: Sequence[str], labels: torch.Tensor, sizes: Sequence[int] | None = None, weights: object = None
    ) -> None:
        self.names, self.labels, self.sizes, self.weights = names, labels, sizes, weights

    def __len__(self) -> int:
        return len(self.names)

    def batch(self, indices: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.zeros(len(indices), 1, 1, 1, dtype=torch.uint8), self.labels[indices]


def many(count: int, classes: int = 50) -> Named:
    """Names as those of a large folder, made when they are asked for."""
    names = Lazy(count, lambda index: f"train/n{index * classes // count:05}/some_picture_{index:07}.jpg")
    return Named(names, torch.arange(count) * classes // count, Lazy(count, lambda index: 1000 + index % 977))


@settings(deadline=None)
@given(names=st.lists(texts, max_size=30), stretch=st.integers(1, 9))
def test_by_name_is_sorting_whatever_the_stretches(names, stretch):
    """Names in order, in none, and the same name several times: equal ones stay as they come."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranking, "_STRETCH", stretch)
        for given_names in (names, sorted(names)):
            assert by_name(given_names).tolist() == sorted(range(len(names)), key=given_names.__getitem__)


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.25, 0.5]), texts), max_size=20, unique_by=lambda pair: pair[1]))
def test_by_share_sorts_equal_shares_by_name(pairs):
    """Hashes of 53 bits are hardly ever equal, and where they are the order of the files plays no part."""
    shares, names = np.array([share for share, _ in pairs]), [name for _, name in pairs]
    assert by_share(names, shares).tolist() == sorted(range(len(pairs)), key=lambda i: (pairs[i][0], pairs[i][1]))


def test_shares_are_what_they_were():
    """A hash of purpose, seed and name; no platform and no version has others."""
    found = name_shares(["a", "\u00fc/b.png", "\udcff"], 3, "validation")
    for name, share in zip(["a", "\u00fc/b.png", "\udcff"], found.tolist(), strict=True):
        data = b"validation\x003\x00" + name.encode("utf-8", "surrogatepass")
        whole = int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big")
        assert share == math.ldexp(whole >> 11, -53)


def ranked(names: Sequence[str], labels: list[int], seed: int, purpose: str) -> tuple[list[float], list[int], set[int]]:
    """Return the shares, the order and the last of each class, in the plainest way."""
    shares = name_shares(names, seed, purpose).tolist()
    order = sorted(range(len(names)), key=lambda index: (shares[index], names[index]))
    return shares, order, set({labels[index]: index for index in order}.values())


def below(names: Sequence[str], labels: list[int], fraction: float, seed: int, *, test: bool) -> list[int]:
    """Return what is held out by a fraction, image by image."""
    shares, order, last = ranked(names, labels, seed, "test" if test else "validation")
    chosen, found = [], set()
    for index in order:
        label = labels[index] if test else 0
        if index not in last and (shares[index] < fraction or label not in found):
            chosen.append(index)
            found.add(label)
    return sorted(chosen)


some = st.lists(st.tuples(texts, st.integers(0, 3)), min_size=2, max_size=30, unique_by=lambda pair: pair[0])


@given(pairs=some, fraction=st.sampled_from([0.001, 0.1, 0.5, 0.999]), seed=st.integers(0, 5))
def test_a_share_is_held_out_as_image_by_image(pairs, fraction, seed):
    """The test set of a folder without one, and the validation set of any: also where classes have one image."""
    names, labels = [name for name, _ in pairs], [label for _, label in pairs]
    tested = split_by_name(names, torch.tensor(labels), fraction, seed)[1]
    assert tested.tolist() == below(names, labels, fraction, seed, test=True)
    if len(set(labels)) < len(labels):
        held = hold_out(Named(names, torch.tensor(labels)), fraction, seed, "name")[1]
        assert held.tolist() == below(names, labels, fraction, seed, test=False)


@given(pairs=some, seed=st.integers(0, 5), data=st.data())
def test_a_number_is_held_out_and_capped_as_image_by_image(pairs, seed, data):
    """The lowest hashes; a cap takes one of each class before a second of any."""
    names, labels = [name for name, _ in pairs], [label for _, label in pairs]
    split = Named(names, torch.tensor(labels))
    _, order, last = ranked(names, labels, seed, "validation")
    if spare := len(labels) - len(set(labels)):
        count = data.draw(st.integers(1, spare))
        held = hold_out(split, count, seed, "name")[1]
        assert held.tolist() == sorted([index for index in order if index not in last][:count])
    _, order, last = ranked(names, labels, seed, "limit")
    count = data.draw(st.integers(1, len(labels)))
    assert cap(split, count, seed, "name").tolist() == sorted(sorted(order, key=lambda i: i not in last)[:count])


def test_folds_are_what_they_were():
    """Dealt class by class in the order of the hashes."""
    found = folds_of(many(40, classes=4), 3, 1)
    assert "".join(map(str, found.tolist())) == FOLDS


FOLDS = "1012210200121210002110022201120202200111"


def digested(split: Named) -> tuple[str, str]:
    """Return the digests of labels and images, of texts that are made at once."""
    order = sorted(range(len(split)), key=split.names.__getitem__)
    names, labels = [split.names[index] for index in order], [int(split.labels[index]) for index in order]
    content = [names, labels] + ([] if split.weights is None else [[float(split.weights[index]) for index in order]])
    known = [names, [split.sizes[index] for index in order]]
    return tuple(hashlib.sha256(json.dumps(rows).encode("ascii")).hexdigest() for rows in (content, known))


@pytest.mark.parametrize("weighted", [False, True])
def test_listings_are_known_by_what_they_were_known_by(weighted):
    """The digests in runs that were made before are of whole texts; here they come out the same, and so they must."""
    train = many(5000)
    turned = torch.randperm(5000, generator=torch.Generator().manual_seed(0))
    weights = torch.linspace(0, 1, 5000, dtype=torch.float64) if weighted else None
    split = Named(
        Lazy(5000, lambda place: f"\u00fc{train.names[int(turned[place])]}"),
        train.labels[turned],
        Lazy(5000, lambda place: train.sizes[int(turned[place])]),
        weights,
    )
    found = Identification(Dataset(split, many(9, 3), list(map(str, range(50))))).of("train").splits["train"]
    assert (found.labels_sha256, found.images_sha256) == digested(split)


def test_the_digests_of_a_small_listing_stand_here():
    """As computed before listings were digested in pieces, on 29 November 2026."""
    split = Named(["b/\u00fc.png", "a/1.png"], torch.tensor([1, 0]), [7, 9])
    found = Identification(Dataset(split, split, ["a", "b"])).of("train").splits["train"]
    assert found.labels_sha256 == hashlib.sha256(b'[["a/1.png", "b/\\u00fc.png"], [0, 1]]').hexdigest()
    assert found.images_sha256 == hashlib.sha256(b'[["a/1.png", "b/\\u00fc.png"], [9, 7]]').hexdigest()


def test_the_names_of_files_are_written_as_they_were(tmp_path, monkeypatch):
    """The very JSON; what is longer than there is room for is left out, whatever was there before."""
    identity = Identification(Dataset(many(3000), many(9, 3), list(map(str, range(50)))))
    listings = {name: dict(vars(listing)) for name, listing in identity.listings.items()}
    plain = {name: {key: list(values) for key, values in fields.items()} for name, fields in listings.items()}
    plain["test"]["sizes"] = listings["test"]["sizes"] = None
    write_images(tmp_path, {}, listings)
    text = json.dumps(plain, separators=(",", ":"))
    assert gzip.decompress((tmp_path / FILES).read_bytes()).decode() == text
    assert read_files(tmp_path) == plain
    for room, kept in ((len(text), True), (len(text) - 1, False)):
        monkeypatch.setattr("zoo.records.images._MAX_FILES", room)
        write_images(tmp_path, {}, listings)
        assert (tmp_path / FILES).exists() == kept
    write_images(tmp_path, {}, {})
    assert not (tmp_path / FILES).exists()


@pytest.mark.slow
def test_a_name_costs_few_bytes_while_a_run_is_begun(tmp_path):
    """Listing, digests, hold-out, folds and the record, of 30,000 names whose texts would take 3 MB once."""
    split = many(30_000)
    tracemalloc.start()
    try:
        identity = Identification(Dataset(split, many(60), list(map(str, range(50)))))
        identity.of()
        kept, _ = hold_out(split, None, 0, "name")
        names = Subset(split, kept).names
        assert names is not None
        write_images(tmp_path, {}, {name: vars(listing) for name, listing in identity.listings.items()})
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held / len(split) < 60  # the order, the labels and the sizes in eight bytes each, and a subset's
    assert peak / len(split) < 180  # one stretch of texts; all of them at once would be 300 and more


def test_the_names_of_a_subset_are_made_when_asked_for():
    """From either end, in slices, and compared with a list."""
    whole = TensorImages(torch.zeros(3, 1, 2, 2, dtype=torch.uint8), torch.arange(3), names=["a", "b", "c"])
    part = Subset(whole, torch.tensor([2, 0]))
    assert part.names == ["c", "a"]
    assert part.names is not None
    assert (part.names[-1], part.names[:1], part.sizes) == ("a", ["c"], None)
