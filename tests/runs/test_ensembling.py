"""`zoo.ensemble`: trained runs as one run, which stands alone and is measured as any other."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from small_images import named_dataset
from small_photos import photographs

import zoo
from zoo.cli import main
from zoo.cli.ensemble import _details
from zoo.errors import UsageError
from zoo.reports.evaluations import read_evaluation
from zoo.runs.evaluating import own_split
from zoo.runs.loading import load_run
from zoo.training.evaluation import evaluating

DIGITS = [np.random.default_rng(seed).integers(0, 256, (28, 28), dtype=np.uint8) for seed in range(3)]


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that takes images otherwise, 14 x 14 in colour and normalised by other numbers, and held out others."""
    folder = tmp_path_factory.mktemp("other")
    weights = {"1.weight": torch.randn(10, 3 * 14 * 14, generator=torch.Generator().manual_seed(0)) / 20}
    save_file({**weights, "1.bias": torch.zeros(10)}, folder / "small.safetensors")
    stated = {"mean": [0.2, 0.3, 0.4], "std": [0.5, 0.4, 0.3], "size": [14, 14], "interpolation": "bicubic"}
    options: dict[str, Any] = {f"model.expects.{key}": value for key, value in stated.items()}
    options |= {"model.pretrained": str(folder / "small.safetensors"), "data.limit": 128}
    zoo.train("linear", out=folder / "small", steps=2, seed=1, tune="off", options=options, threads=1)
    return folder / "small"


@pytest.fixture(scope="module")
def made(both_kinds: Path, tmp_path_factory: pytest.TempPathFactory) -> zoo.Run:
    """A perceptron and a convolutional network, which held out the same images; tests only read it."""
    return zoo.ensemble([both_kinds / "linear", both_kinds / "lenet5"], out=tmp_path_factory.mktemp("made") / "two")


@pytest.fixture(scope="module")
def mixed(both_kinds: Path, other: Path, tmp_path_factory: pytest.TempPathFactory) -> zoo.Run:
    """Three members of which one takes other inputs and held out other images; tests only read it."""
    runs = [both_kinds / "linear", other, both_kinds / "lenet5"]
    return zoo.ensemble(runs, out=tmp_path_factory.mktemp("mixed") / "three")


def probabilities(run: Path) -> np.ndarray:
    """Return what a run says of each digit, (3, 10), by class."""
    found = [dict(zip(p.labels, p.probabilities, strict=True)) for p in zoo.load(run)(DIGITS, top_k=10)]
    return np.array([[each[str(k)] for k in range(10)] for each in found])


def test_it_says_the_mean_of_what_its_members_say(both_kinds: Path, other: Path, made: zoo.Run, mixed: zoo.Run):
    """Of pictures that none has seen; also where a member has another size, other colours and another filter."""
    linear, lenet, small = (probabilities(run) for run in (both_kinds / "linear", both_kinds / "lenet5", other))
    np.testing.assert_allclose(probabilities(made.directory), (linear + lenet) / 2, atol=1e-6)
    np.testing.assert_allclose(probabilities(mixed.directory), (linear + small + lenet) / 3, atol=1e-5)


def test_its_test_result_is_that_of_the_mean(both_kinds: Path, made: zoo.Run):
    """Of what the members' own evaluations kept, image by image; `zoo evaluate` measures the same to the bit."""
    kept = [read_evaluation(both_kinds / name, "test-best") for name in ("linear", "lenet5")]
    logits = [torch.from_numpy(each.logits) for each in kept]
    mean = sum(each.softmax(1) for each in logits) / 2
    labels = torch.from_numpy(np.asarray(kept[0].outcomes.labels))
    assert made.test_accuracy == (mean.argmax(1) == labels).double().mean().item()
    assert made.summary["test_loss"] == pytest.approx(torch.nn.functional.nll_loss(mean.log(), labels).item(), rel=1e-4)
    again = zoo.evaluate(made.directory)
    assert (again["accuracy"], again["loss"]) == (made.test_accuracy, made.summary["test_loss"])
    assert (again["model"], again["epoch"], again["step"]) == ("ensemble/ensemble", 0, 0)


def test_members_of_one_kind_of_inputs_answer_as_they_did_to_the_bit(both_kinds: Path, made: zoo.Run):
    """Their weights are those of their best epochs, and their inputs are not touched."""
    loaded = load_run(made.directory)
    test = own_split(loaded, "test")
    inputs = loaded.network.prepare_evaluation(test.batch(torch.arange(16))[0])
    for number, name in enumerate(("linear", "lenet5")):
        alone = load_run(both_kinds / name).network.model
        member = loaded.network.model.get_submodule(f"members.{number}")
        with evaluating(alone), evaluating(member):
            assert torch.equal(member(inputs), alone(inputs))


def test_it_stands_alone(both_kinds: Path, tmp_path: Path):
    """Its members may be removed, and it may be moved."""
    for name in ("linear", "lenet5"):
        shutil.copytree(both_kinds / name, tmp_path / name)
    run = zoo.ensemble([tmp_path / "linear", str(tmp_path / "lenet5")], out=tmp_path / "both", report=False)
    for name in ("linear", "lenet5"):
        shutil.rmtree(tmp_path / name)
    (tmp_path / "both").rename(tmp_path / "moved")
    assert zoo.evaluate(tmp_path / "moved")["accuracy"] == run.test_accuracy
    assert zoo.load(tmp_path / "moved")(DIGITS[0]).label
    assert not list(tmp_path.glob(".*")), "nothing unfinished is left"
    for file in (tmp_path / "moved").rglob("*.toml"):
        assert str(tmp_path) not in file.read_text()


def test_what_is_recorded_tells_what_it_is_made_of(both_kinds: Path, mixed: zoo.Run):
    """Its summary each member's own result, its environment their recipes, its configuration what they take."""
    told = mixed.summary["members"]
    assert [(each["run"], each["model"], each["seed"]) for each in told] == [
        ("linear", "mlp/linear", 0),
        ("small", "mlp/linear", 1),
        ("lenet5", "cnn/lenet5", 0),
    ]
    alone = json.loads((both_kinds / "lenet5" / "summary.json").read_text())
    assert told[2]["test_accuracy"] == alone["test_accuracy"]
    assert sum(each["parameters"] for each in told) == mixed.summary["parameters"]
    recipes = json.loads((mixed.directory / "environment.json").read_text())
    assert [each["model"]["name"] for each in recipes["members"]] == ["mlp/linear", "mlp/linear", "cnn/lenet5"]
    assert {"mlp/linear", "cnn/lenet5", "ensemble/ensemble"} <= recipes["entries"].keys()
    first, small, last = mixed.config.model.options["members"]
    assert first == {"name": "mlp/linear", "options": {}}
    assert (small["input_size"], small["interpolation"]) == ([14, 14], "bicubic")
    assert (small["mean"], small["std"]) == ([0.2, 0.3, 0.4], [0.5, 0.4, 0.3])
    assert last.keys() == {"name", "options"}
    assert (mixed.summary["epochs"], mixed.summary["status"], mixed.metrics) == (0, "finished", ())


def test_validation_counts_where_no_member_has_learnt_it(both_kinds: Path, made: zoo.Run):
    """All held out the same images: measured at once, and again, and a temperature is fitted on them."""
    kept = read_evaluation(made.directory, "validation-best")
    assert made.summary["val_accuracy"] == kept.outcomes.right.mean()
    assert zoo.evaluate(made.directory, split="validation")["accuracy"] == made.summary["val_accuracy"]
    alone = json.loads((both_kinds / "linear" / "summary.json").read_text())
    assert made.summary["validation"] == alone["validation"] == len(kept.outcomes)


def test_validation_is_refused_where_some_member_has_learnt_it(mixed: zoo.Run, tmp_path: Path):
    """For every image there is one that may have; all of them are training images then."""
    assert (mixed.summary["val_accuracy"], mixed.summary["validation"]) == (None, 0)
    with pytest.raises(
        UsageError, match="held out no validation images that none of them has learnt; use --split test"
    ):
        zoo.evaluate(mixed.directory, split="validation")
    with pytest.raises(UsageError, match="none of them has learnt"):
        zoo.calibrate(mixed.directory)
    assert zoo.evaluate(mixed.directory, split="train")["samples"] == mixed.summary["train"]


def test_it_is_calibrated_compared_and_reported_as_any_run(both_kinds: Path, made: zoo.Run, tmp_path: Path):
    """On a copy, which these change."""
    shutil.copytree(made.directory, tmp_path / "two")
    temperature = zoo.calibrate(tmp_path / "two")["temperature"]
    assert temperature > 0
    assert zoo.load(tmp_path / "two")(DIGITS[0]).probabilities != zoo.load(made.directory)(DIGITS[0]).probabilities
    found = zoo.compare(tmp_path / "two", both_kinds / "linear")
    told = {row["key"]: row["values"] for row in found["settings"]}
    assert told["model.members"] == [["mlp/linear", "cnn/lenet5"], None]
    page = zoo.report(tmp_path / "two").read_text()
    assert "What it is made of" in page
    assert "zoo train --config" not in page
    assert (made.directory / "report.html").is_file()


def test_views_are_averaged_as_well(made: zoo.Run, tmp_path: Path):
    """Test-time augmentation shows each view to every member."""
    shutil.copytree(made.directory, tmp_path / "two")
    assert zoo.evaluate(tmp_path / "two", tta=["flip"])["tta"] == ["augment/flip"]


def test_it_is_published_with_its_members_on_the_card(made: zoo.Run, tmp_path: Path):
    """And loaded from one file."""
    zoo.publish(made.directory, tmp_path / "published")
    card = (tmp_path / "published" / "README.md").read_text()
    assert "| made of | 2 models, trained one by one; the answer is the mean of their probabilities |" in card
    assert "| member | `cnn/lenet5`, " in card
    assert "Train it again" not in card
    np.testing.assert_allclose(
        probabilities(tmp_path / "published" / "model.safetensors"), probabilities(made.directory), atol=1e-7
    )
    with pytest.raises(UsageError, match="is an ensemble, which is not trained"):
        zoo.reproduce(tmp_path / "published")


def test_what_one_model_has_an_ensemble_has_not(made: zoo.Run):
    """No embedding, and no maps: an explanation covers parts of the image instead."""
    with pytest.raises(UsageError, match="no head of its own"):
        zoo.predict(made.directory, DIGITS[:1], embeddings=True)
    assert zoo.explain(made.directory, DIGITS[0]).method == "occlusion"
    with pytest.raises(UsageError, match="an ensemble, which is not trained: reproduce the runs"):
        zoo.reproduce(made.directory)


def test_one_that_was_trained_as_one_is_a_run_as_any_other(tmp_path: Path):
    """It took steps, held images out, and can be trained again to the bit; but it is no member of another."""
    options = {"model.members": ["linear", {"name": "linear"}], "data.limit": 64}
    run = zoo.train("ensemble", steps=2, options=options, threads=1, out=tmp_path / "run")
    assert run.summary["val_accuracy"] == zoo.evaluate(run, split="validation")["accuracy"]
    assert zoo.reproduce(run, out=tmp_path / "again")["equal"]
    with pytest.raises(UsageError, match="run is an ensemble itself; leave it out, it was trained as one"):
        zoo.ensemble([run, tmp_path / "again"])


def test_asking_for_it_again_says_that_it_is_finished(made: zoo.Run, capsys: pytest.CaptureFixture[str]):
    """No epoch of it is the best."""
    assert main(["train", "--resume", str(made.directory)]) == 0
    assert "(the mean of 2 members)" in capsys.readouterr().out


def test_runs_lists_it_with_its_members(made: zoo.Run, mixed: zoo.Run, capsys: pytest.CaptureFixture[str]):
    """In words, in CSV by their names, and whole in JSON."""
    folder = str(mixed.directory.parent)
    assert main(["runs", folder]) == 0
    assert "ensemble/ensemble of 2 mlp/linear, 1 cnn/lenet5" in capsys.readouterr().out
    assert main(["runs", folder, "--csv"]) == 0
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert (row["members"], row["status"]) == ("linear; small; lenet5", "finished")
    assert main(["runs", folder, "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["runs"][0]["members"]) == 3


def test_why_there_is_no_validation_accuracy_is_told(mixed: zoo.Run):
    """Members that held out other images are told from members that held out none, as the best recipes do."""
    *_, last = _details(mixed.summary)
    assert last == (
        "no validation accuracy: the members held out other images each, so that some member learnt each of them"
    )
    none = [{**member, "val_accuracy": None} for member in mixed.summary["members"]]
    *_, last = _details({**mixed.summary, "members": none})
    assert last == "no validation accuracy: the members held out no images"


def test_the_command_tells_what_each_member_is_alone(
    both_kinds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """A line with the accuracy, a table, and what validation says; the run is under runs by default."""
    monkeypatch.chdir(tmp_path)
    runs = [str(both_kinds / name) for name in ("linear", "lenet5")]
    assert main(["ensemble", *runs]) == 0
    first, header, *rows, last = capsys.readouterr().out.splitlines()
    assert first.startswith("runs/")
    assert "-ensemble-mnist: test accuracy " in first
    assert first.endswith("on 128 images, the mean of 2 members' probabilities")
    assert header.split() == ["MEMBER", "MODEL", "VALIDATION", "TEST"]
    assert [row.split()[:2] for row in rows] == [["linear", "mlp/linear"], ["lenet5", "cnn/lenet5"]]
    assert last.endswith("images that no member has learnt")
    assert main(["ensemble", *runs, "--out", "again", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["run"], len(found["members"])) == ("again", 2)


@pytest.fixture(scope="module")
def spoilt(both_kinds: Path, made: zoo.Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of runs that cannot be members, beside two that can."""
    folder = tmp_path_factory.mktemp("spoilt")
    for name in ("linear", "lenet5"):
        shutil.copytree(both_kinds / name, folder / name)
    for name in ("killed", "nameless", "twin"):
        shutil.copytree(both_kinds / "lenet5", folder / name)
    shutil.copytree(made.directory, folder / "ensemble")
    summary = json.loads((folder / "killed" / "summary.json").read_text())
    (folder / "killed" / "summary.json").write_text(json.dumps({**summary, "status": "running"}))
    (folder / "nameless" / "data.json").unlink()
    for name, classes in {"black": 10, "four": 4}.items():
        arrays = {
            f"{split}_{part}": values
            for split in ("train", "test")
            for part, values in {
                "images": np.zeros((40, 28, 28), np.uint8),
                "labels": np.arange(40) % classes,
            }.items()
        }
        np.savez(folder / f"{name}.npz", **arrays)
        options = {"data.root": str(folder / f"{name}.npz")}
        zoo.train("linear", data="arrays", options=options, steps=1, out=folder / name, threads=1)
    return folder


BAD = {
    "no run": ([], "Missing argument 'RUN RUN ...'"),
    "one run": (["linear"], "an ensemble has two runs or more, and one was given"),
    "a run that is not there": (["linear", "lenet6"], "there is no run 'lenet6'"),
    "no run but a folder": (["linear", "."], "'.' is no run: it has no config.toml"),
    "a killed run": (["linear", "killed"], "killed is not finished (killed); 'zoo train --resume killed' goes on"),
    "an ensemble": (["ensemble", "linear"], "ensemble is an ensemble itself; give the runs that it was made of"),
    "the same run": (["linear", "./linear"], "linear is named twice"),
    "a copy": (["lenet5", "twin"], "twin has the very weights of lenet5"),
    "other classes": (["linear", "four"], "four was trained on other data than linear: classes was 0, 1, 2,"),
    "other data": (["linear", "black"], "black was trained on other data than linear: training images: were 60,000"),
    "unknown data": (["linear", "nameless"], "nameless has no data.json"),
    "what is there": (["linear", "lenet5", "--out", "twin"], "'twin' exists; nothing is written over"),
    "a setting": (["linear", "lenet5", "--set", "train.seed=3"], "data.root alone may be given, not 'train.seed'"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_an_ensemble_is_refused(
    case: str, spoilt: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """With one line or two that tell why, and nothing is left behind."""
    monkeypatch.chdir(spoilt)
    before = sorted(spoilt.iterdir())
    arguments, text = BAD[case]
    assert main(["ensemble", *arguments]) == 2
    told = capsys.readouterr().err
    assert text in told
    assert len(told.splitlines()) <= 2
    assert sorted(spoilt.iterdir()) == before


@pytest.mark.parametrize("runs", [[], "runs/first"])
def test_from_python_likewise(runs: Any):
    """A text is one run, not its letters."""
    with pytest.raises(UsageError, match=r"two runs or more, and (none|one) was given"):
        zoo.ensemble(runs)


def test_pictures_are_kept_in_the_size_of_the_member_that_sees_most(tmp_path: Path):
    """Of a folder that each run decoded for itself; that member's answer has its bits, whatever the others take."""
    options = {"data.root": str(photographs(tmp_path / "photos"))}
    settings: dict[str, Any] = {"data": "folder", "steps": 2, "threads": 1, "batch_size": 8}
    for side, seed in ((12, 0), (20, 1)):
        chosen = {**options, "data.size": side}
        zoo.train("linear", out=tmp_path / str(side), seed=seed, options=chosen, **settings)
    made = zoo.ensemble([tmp_path / "12", tmp_path / "20"], out=tmp_path / "both", report=False)
    loaded = load_run(made.directory)
    assert loaded.images.image_size == (20, 20)
    small, large = made.config.model.options["members"]
    assert (small["input_size"], small["interpolation"]) == ([12, 12], "bilinear")
    assert "input_size" not in large
    alone = load_run(tmp_path / "20")
    pixels = torch.randint(0, 256, (3, 3, 20, 20), dtype=torch.uint8)
    inputs = loaded.network.prepare_evaluation(pixels)
    member, own = loaded.network.model.members[1], loaded.network.model.inputs[1]
    with evaluating(member), evaluating(alone.network.model):
        assert torch.equal(member(own(inputs)), alone.network.model(alone.network.prepare_evaluation(pixels)))
    zoo.train("linear", out=tmp_path / "cropped", options={**options, "data.size": 20, "data.fit": "crop"}, **settings)
    with pytest.raises(UsageError, match=r"took its pictures by data\.fit 'crop', and .*20 by 'stretch'"):
        zoo.ensemble([tmp_path / "20", tmp_path / "cropped"])


def test_accuracies_on_other_test_images_do_not_stand_beside_the_ensembles(mixed: zoo.Run, tmp_path: Path):
    """The seed chooses what a limit leaves; only a member that was measured on the ensemble's images is told of."""
    assert [each["test_accuracy"] is None for each in mixed.summary["members"]] == [False, True, False]
    told = "\n".join(_details(mixed.summary))
    assert "where no test accuracy stands, it was measured on other test images" in told
    assert "test accuracy stands" not in "\n".join(_details({**mixed.summary, "members": mixed.summary["members"][:1]}))
    card = zoo.publish(mixed.directory, tmp_path / "card")
    assert "parameters, alone not measured on these images |" in (Path(card["folder"]) / "README.md").read_text()
    assert "What it is made of" in (mixed.directory / "report.html").read_text()


def test_an_object_in_place_of_a_name_is_refused(tmp_path: Path):
    """It could not be built again."""
    settings: dict[str, Any] = {"data": named_dataset(), "steps": 1, "threads": 1}
    runs = [zoo.train(_net, **settings, seed=seed, out=tmp_path / str(seed)) for seed in (0, 1)]
    with pytest.raises(UsageError, match="was the Python object _net, which has no registered name"):
        zoo.ensemble(runs)


def _net(num_classes: int, in_channels: int, image_size: tuple[int, int]) -> torch.nn.Module:
    height, width = image_size
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(in_channels * height * width, num_classes))
