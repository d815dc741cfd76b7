"""What plugins may register, kind by kind, and the words of each refusal."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.errors import PluginError, UnknownNameError, ZooError
from zoo.registry import Entry
from zoo.registry.adding import NAME, Add
from zoo.registry.catalogue import ModelFacts, WeightsFacts, facts_of, packed, stated
from zoo.registry.entry import Plugin, in_one_line, normalized
from zoo.registry.kinds import KINDS, Kind, kind_named, kind_of_section
from zoo.registry.results import Result, grouped
from zoo.registry.weights import stated_file

TARGET = "zoo_tern.nets:tern_net"
HASH = "5f" * 32
WEIGHTS = {"bytes": 3, "sha256": HASH, "licence": "MIT", "model": "tern/net", "classes": ["auk", "gull"]}
FACTS = {"parameters": 10, "macs": 20, "activations": 30, "input_size": (3, 8, 8)}


def adding() -> Add:
    return Add("tern", "zoo-tern", "1.2")


def add(kind: str = "model", name: Any = "net", target: Any = TARGET, **more: Any) -> Entry:
    """Add one entry, and return it."""
    all_kinds = adding()
    getattr(all_kinds, kind)(name, target, **{"summary": "A net.", **more})
    (entry,) = all_kinds.entries()
    return entry


def refused(kind: str = "model", name: Any = "net", target: Any = TARGET, **more: Any) -> str:
    with pytest.raises(PluginError) as caught:
        add(kind, name, target, **more)
    assert caught.value.exit_code == 3
    return str(caught.value)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.singular != "weights"], ids=lambda kind: kind.singular)
def test_every_kind_can_be_added(kind: Kind) -> None:
    """``add`` has a method of its singular, and the entry says of which plugin it is."""
    entry = add(kind.singular, arguments={"p": 1})
    assert entry == Entry(kind.plural, "net", TARGET, "A net.", {"p": 1}, True, "tern", "zoo-tern", "1.2")
    assert entry.full_name == "tern/net"
    assert str(entry) == f"{kind.singular} 'tern/net' (zoo-tern 1.2)"
    assert (entry.arguments, entry.facts) == ({"p": 1}, {})


def test_what_is_added_is_kept_as_it_was() -> None:
    """A plugin may use one dictionary for many entries, and change it between them."""
    arguments, facts, all_kinds = {"p": 1}, dict(FACTS), adding()
    all_kinds.model("first", TARGET, summary="One.", arguments=arguments, facts=facts)
    arguments["p"] = 2
    facts["macs"] = 0
    all_kinds.model("second", TARGET, summary="Two.", arguments=arguments, short=False)
    first, second = all_kinds.entries()
    assert (first.arguments, second.arguments) == ({"p": 1}, {"p": 2})
    assert first.facts == FACTS
    assert (first.short, second.short) == (True, False)


def test_entries_come_kind_by_kind_in_the_order_in_which_they_were_added() -> None:
    """And one name may be of several kinds."""
    all_kinds = adding()
    for kind, name in (("observer", "b"), ("model", "z"), ("model", "a"), ("criterion", "b")):
        getattr(all_kinds, kind)(name, TARGET, summary="It.")
    added = [(entry.kind, entry.name) for entry in all_kinds.entries()]
    assert added == [("models", "z"), ("models", "a"), ("criteria", "b"), ("observers", "b")]


def test_a_builder_itself_may_be_given() -> None:
    """For tests and notebooks; a path is better, as nothing is imported for it."""
    assert add(target=dict).load() is dict
    assert add(target="collections:OrderedDict").load().__name__ == "OrderedDict"


NAMED = "a name has letters, digits, '_', '.' and '-', and begins with a letter or digit"
NO_KEYWORDS = "the arguments are {}, not keywords"
NO_SUMMARY = "the summary is {}, not one line that says what it is"
NO_TARGET = "the target is {}, not 'module:attribute' or a callable"
RULES: list[tuple[dict[str, Any], str]] = [
    *(({"name": name}, NAMED) for name in ("", "_net", "-net", ".net", "a/b", "a b", "nét", "net\n", 3, None)),
    *(({"target": t}, NO_TARGET.format(repr(t))) for t in ("nets", "nets:", ":net", "a b:c", "1a:b", "a:b c", 3, None)),
    *(({"summary": text}, NO_SUMMARY.format(repr(text))) for text in ("", "  ", "two\nlines", 3, None)),
    *(({"arguments": given}, NO_KEYWORDS.format(repr(given))) for given in ({1: 2}, [("p", 1)], "p", 3)),
]


@pytest.mark.parametrize(("wrong", "rule"), RULES, ids=[f"{next(iter(w))}={w[next(iter(w))]!r}" for w, _ in RULES])
def test_a_broken_rule_is_told_with_the_call(wrong: dict[str, Any], rule: str) -> None:
    """As the plugin's author wrote it, with what stands there."""
    assert refused(**wrong) == f"add.model({wrong.get('name', 'net')!r}, ...): {rule}"


def test_a_name_may_come_once_in_a_kind() -> None:
    """The first is kept, and the plugin as a whole is refused by whoever registers it."""
    all_kinds = adding()
    all_kinds.dataset("it", TARGET, summary="It.")
    with pytest.raises(PluginError, match=r"^add\.dataset\('it', \.\.\.\): the plugin adds this name twice$"):
        all_kinds.dataset("it", TARGET, summary="It again.")
    (kept,) = all_kinds.entries()
    assert kept.summary == "It."


@given(st.text(max_size=6))
def test_a_name_is_part_of_a_full_name_or_none(name: str) -> None:
    """Whatever is accepted has no slash, no white space and no comma, which separate names elsewhere."""
    if NAME.fullmatch(name):
        assert name.isascii()
        assert not set(name) & set("/ ,=@\n\t")
        assert add(name=name).full_name == f"tern/{name}"
    else:
        assert refused(name=name).endswith(NAMED)


FAULTY_FACTS: list[tuple[dict[str, Any], str]] = [
    ({**FACTS, "speed": 3}, "a speed is measured and shipped in a file, not stated"),
    ({key: value for key, value in FACTS.items() if key != "macs"}, "missing 1 required positional argument: 'macs'"),
    ({**FACTS, "colour": "red"}, "got an unexpected keyword argument 'colour'"),
    ({**FACTS, "parameters": -1}, "are whole numbers, and input_size is (C, H, W)"),
    ({**FACTS, "macs": 1.5}, "are whole numbers, and input_size is (C, H, W)"),
    ({**FACTS, "input_size": (8, 8)}, "are whole numbers, and input_size is (C, H, W)"),
    ({**FACTS, "input_size": (3, 8, -8)}, "are whole numbers, and input_size is (C, H, W)"),
    ({**FACTS, "weights": [{"name": "in1k"}]}, "got an unexpected keyword argument 'name'"),
]


@pytest.mark.parametrize(("facts", "reason"), FAULTY_FACTS, ids=[reason[:30] for _, reason in FAULTY_FACTS])
def test_faulty_facts_of_a_model_are_told(facts: dict[str, Any], reason: str) -> None:
    """They are read when the plugin is loaded, not when somebody looks for them."""
    told = refused(facts=facts)
    assert told.startswith("add.model('net', ...): the facts are {")
    assert told.endswith(reason)


@pytest.mark.parametrize("kind", [kind.singular for kind in KINDS if kind.singular not in ("model", "weights")])
def test_other_kinds_have_no_facts(kind: str) -> None:
    """None is given where the argument is left out."""
    assert add(kind, facts=None).facts == {}
    assert refused(kind, facts={}) == f"add.{kind}('net', ...): only models and weights have facts"


def test_facts_are_read_as_numbers_and_weights() -> None:
    """As `zoo list models` shows them: the best accuracy of several, and each licence once."""
    weights = [
        {"tag": "in1k", "licence": "MIT", "accuracy": 0.7},
        {"tag": "in21k", "licence": "MIT"},
        {"tag": "new", "accuracy": 0.8},
    ]
    facts = facts_of(add(facts={**FACTS, "weights": weights, "family": "tern", "paper": "arXiv:1"}))
    assert facts is not None
    assert facts.input_size == (3, 8, 8)
    assert facts.weights[1] == WeightsFacts("in21k", "MIT", None)
    assert (facts.accuracy, facts.licences) == (0.8, ("MIT",))
    assert (facts.family, facts.paper, facts.speed) == ("tern", "arXiv:1", None)


def test_a_model_without_weights_has_no_accuracy_and_no_licence() -> None:
    """Nor has one whose weights do not carry it."""
    assert (stated(FACTS).accuracy, stated(FACTS).licences) == (None, ())
    assert stated({**FACTS, "weights": [{"tag": "a"}]}).accuracy is None


def test_nothing_is_known_of_a_callable_or_a_package_without_facts() -> None:
    """No file is looked for where there is no package, and a module is no package."""
    assert facts_of(add(target=dict)) is None
    assert facts_of(add(target="this:that")) is None
    assert facts_of(add(target="no_such_package_at_all:net")) is None


counts = st.integers(0, 10**12)
tags = st.text("abc_.0", min_size=1, max_size=5)
models = st.builds(
    ModelFacts,
    counts,
    counts,
    counts,
    st.tuples(st.integers(1, 4), counts, counts),
    st.text("abc, \"'", max_size=5),
    st.text("ar:X1,", max_size=5),
    st.lists(st.builds(WeightsFacts, tags, st.text("MIT-, ", max_size=4), st.none() | st.floats(0, 1)), max_size=3).map(
        tuple
    ),
)


@given(st.dictionaries(tags, models, max_size=4))
def test_packed_facts_are_read_as_they_were(tmp_path_factory: pytest.TempPathFactory, facts: dict[str, Any]) -> None:
    """Commas, quotes and many weights among them; the same facts give the same bytes."""
    import csv
    import gzip

    from zoo.registry.catalogue import _from_row

    content = packed(facts.items())
    assert content == packed(list(facts.items()))
    rows = csv.DictReader(gzip.decompress(content).decode().splitlines())
    assert {row["model"]: _from_row(row, None) for row in rows} == facts


FAULTY_WEIGHTS: list[tuple[Any, str]] = [
    (None, "weights need facts: bytes, sha256, licence, model and classes"),
    ({**WEIGHTS, "bytes": 0}, "bytes is the file's size, a whole number"),
    ({**WEIGHTS, "bytes": True}, "bytes is the file's size, a whole number"),
    ({**WEIGHTS, "bytes": 3.0}, "bytes is the file's size, a whole number"),
    ({**WEIGHTS, "sha256": HASH.upper()}, "sha256 has 64 lower-case hexadecimal digits"),
    ({**WEIGHTS, "sha256": HASH[1:]}, "sha256 has 64 lower-case hexadecimal digits"),
    ({**WEIGHTS, "sha256": 5}, "sha256 has 64 lower-case hexadecimal digits"),
    ({**WEIGHTS, "licence": ""}, "licence and model are texts, and classes is a list of names"),
    ({**WEIGHTS, "model": 3}, "licence and model are texts, and classes is a list of names"),
    ({**WEIGHTS, "classes": []}, "licence and model are texts, and classes is a list of names"),
    ({**WEIGHTS, "classes": ["auk", ""]}, "licence and model are texts, and classes is a list of names"),
    ({**WEIGHTS, "classes": ["auk", 3]}, "licence and model are texts, and classes is a list of names"),
    ({**WEIGHTS, "classes": "auk"}, "classes is a list of names, or 'package:file.txt', a name a line"),
    ({**WEIGHTS, "classes": "a:b.csv"}, "classes is a list of names, or 'package:file.txt', a name a line"),
    ({**WEIGHTS, "mean": [0.5]}, "mean and std go together"),
    ({**WEIGHTS, "std": [0.5]}, "mean and std go together"),
    ({**WEIGHTS, "colour": "red"}, "got an unexpected keyword argument 'colour'"),
]


@pytest.mark.parametrize(("facts", "reason"), FAULTY_WEIGHTS, ids=lambda value: f"{value!s:.40}")
def test_faulty_facts_of_weights_are_told(facts: Any, reason: str) -> None:
    """Weights are nothing without them: which file it is, whose, and for what."""
    assert refused("weights", "net.in1k", "zoo_tern:net.safetensors", facts=facts).endswith(reason)


def test_what_weights_expect_is_kept_apart_from_what_they_are() -> None:
    """The five names that `zoo.Expects` has, and no others."""
    expects = {"mean": [0.5], "std": [0.2], "size": [8, 8], "interpolation": "bicubic", "crop": 0.9}
    file = stated_file({**WEIGHTS, **expects})
    assert file.expects == expects
    assert (file.bytes, file.sha256, file.licence, file.model) == (3, HASH, "MIT", "tern/net")
    assert file.classes == ("auk", "gull")
    assert stated_file({**WEIGHTS, "classes": "zoo_tern:names.txt"}).classes == ("zoo_tern:names.txt",)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.singular)
def test_a_kind_is_known_by_both_its_names_and_its_section(kind: Kind) -> None:
    """And no name of one is a name of another."""
    assert kind_named(kind.singular) is kind_named(kind.plural) is kind_of_section(kind.section) is kind
    assert [other for other in KINDS if {kind.singular, kind.plural} & {other.singular, other.plural}] == [kind]
    assert kind.all_facts == (*kind.facts, *kind.later_facts)
    assert len(set(kind.all_facts)) == len(kind.all_facts)


def test_an_unknown_kind_is_told_with_all_there_are() -> None:
    """In the plural, as one types them."""
    with pytest.raises(UnknownNameError) as caught:
        kind_named("modles")
    assert str(caught.value) == (
        "no kind named 'modles'. Did you mean 'models'? There are: models, optimizers, criteria, schedulers, datasets, "
        "augmentations, observers, searchers, pruners, recipes, exporters, weights."
    )
    with pytest.raises(KeyError):
        kind_of_section("models")


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("model", "model.p"),
        ("dataset", "data.p"),
        ("optimizer", "optimizer.p"),
        ("augmentation", "augment.it.p"),
        ("observer", "observe.it.p"),
        ("searcher", "search.p"),
        ("exporter", "export.p"),
    ],
)
def test_an_options_key_is_what_one_types_after_set(kind: str, key: str) -> None:
    """With the entry's name where a run takes several."""
    assert kind_named(kind).option_key("it", "p") == key


@pytest.mark.parametrize(
    ("name", "spelling"),
    [("Torch_Zoo", "torch-zoo"), ("a.b-_c", "a-b-c"), ("A", "a"), ("torch-zoo", "torch-zoo"), ("a__b", "a-b")],
)
def test_distributions_are_compared_in_one_spelling(name: str, spelling: str) -> None:
    """PEP 503's."""
    assert normalized(name) == spelling == normalized(spelling)
    assert dataclasses.replace(add(), distribution=name).own is (spelling == "torch-zoo")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("a\n  b"), "ValueError: a b"),
        (KeyError("k"), "KeyError: 'k'"),
        (ValueError(), "ValueError"),
        (ZooError("say\nit"), "say it"),
        (ValueError("x" * 300), f"ValueError: {'x' * 227}…"),
        (ZooError("x" * 240), "x" * 240),
        (ZooError("x" * 241), f"{'x' * 239}…"),
    ],
    ids=lambda value: f"{value!r:.20}",
)
def test_an_error_is_told_in_a_line(error: Exception, text: str) -> None:
    """Its type is told where the words are not zoo's own, and 240 characters at most."""
    assert in_one_line(error) == text
    assert len(in_one_line(error, 10)) <= 10


def test_a_plugin_is_named_with_its_distribution() -> None:
    """As messages and listings name it; two are compared without their hooks."""
    plugin = Plugin("tern", "zoo-tern", "1.2")
    assert str(plugin) == "plugin 'tern' (zoo-tern 1.2)"
    assert (plugin.status, plugin.reason, plugin.entries, plugin.requires) == ("ok", "", (), None)
    assert plugin == dataclasses.replace(plugin, hooks=object())


def row(seed: int, accuracy: float, **changes: str) -> dict[str, str]:
    values = {"model": "a/net", "data": "mnist/mnist", "settings": "", "epochs": "5", "parameters": "10", "source": "A"}
    return {**values, "seed": str(seed), "accuracy": str(accuracy), "seconds": "2.5", **changes}


def test_results_are_gathered_in_the_order_in_which_they_come() -> None:
    """By model, data and settings: seeds and sources are not told apart."""
    rows = [row(0, 0.5), row(0, 0.9, settings="--lr 1"), row(1, 0.7, source="B"), row(2, 0.6, source="A")]
    first, second = grouped(rows)
    assert (first.seeds, first.accuracies, first.source) == (3, (0.5, 0.7, 0.6), "A; B")
    assert (second.seeds, second.settings, second.seconds) == (1, "--lr 1", (2.5,))
    assert first.mean == pytest.approx(0.6)
    assert first.spread == pytest.approx(0.1)
    assert second.spread is None
    assert grouped([]) == []


@pytest.mark.parametrize(
    ("seeds", "settings", "text"),
    [
        (1, "", "50.00 % on mnist/mnist (1 seed, 5 epochs; A)"),
        (2, "", "55.00 % +- 7.07 on mnist/mnist (2 seeds, 5 epochs; A)"),
        (2, "--lr 1", "55.00 % +- 7.07 on mnist/mnist, --lr 1 (2 seeds, 5 epochs; A)"),
    ],
)
def test_a_result_is_told_with_how_it_was_measured(seeds: int, settings: str, text: str) -> None:
    """In per cent, with the sample's deviation where there are several runs."""
    accuracies = (0.5, 0.6)[:seeds]
    assert str(Result("mnist/mnist", settings, seeds, 10, 5, accuracies, (1.0,) * seeds, "A")) == text
