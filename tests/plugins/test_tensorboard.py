"""The TensorBoard observer, its event files read back by TensorBoard itself."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import pytest
from fake_distributions import FakeSite, site  # noqa: F401 - a fixture
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.plugins.hparams.api_pb2 import STATUS_SUCCESS
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
from zoo_tensorboard.writer import TensorBoard

import zoo
from zoo.cli import main

SETTINGS = {"model.name": "linear", "optimizer.lr": 0.1}
SUMMARY = {"steps": 20, "test_accuracy": 0.75, "test_loss": 0.5}


def epoch(number: int, loss: float, **more: Any) -> dict[str, Any]:
    return {"epoch": number, "step": number * 10, "loss": loss, "lr": 0.1, "samples_per_second": 9.0, **more}


def curve(run: Path, tag: str) -> list[tuple[int, float]]:
    """Return a curve's points as TensorBoard reads them."""
    events = EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    return [(event.step, round(event.value, 6)) for event in events.Scalars(tag)]


def begun(directory: Path, kept: int = 0) -> TensorBoard:
    """Return the observer of a run that begins, or goes on after *kept* epochs, which its metrics.csv has."""
    rows = [f"{number},{10 * number},{number / 10}" for number in range(1, kept + 1)]
    (directory / "metrics.csv").write_text("\n".join(["epoch,step,val_accuracy", *rows]) + "\n")
    observer = TensorBoard()
    observer.run_started({"directory": str(directory), "parameters": 7, "settings": SETTINGS})
    return observer


def train(observer: TensorBoard, *epochs: int, more: float = 0.0) -> None:
    for number in epochs:
        observer.epoch_finished(epoch(number, loss=number + more, val_accuracy=number / 10))


def hparams(run: Path) -> dict[str, Any]:
    """Return what TensorBoard's HPARAMS tab finds of a run: its settings, or its end, by tag."""
    events = EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    told = {tag: HParamsPluginData.FromString(text) for tag, text in events.PluginTagToContent("hparams").items()}
    return {tag.removeprefix("_hparams_/"): getattr(each, str(each.WhichOneof("data"))) for tag, each in told.items()}


def records(run: Path, tag: str) -> int:
    """Return how many records of a tag all files of a run hold, those that TensorBoard would discard included."""
    files = sorted((run / "tensorboard").iterdir())
    events = [event for file in files for event in EventFileLoader(str(file)).Load()]
    return sum(value.tag == tag for event in events for value in event.summary.value)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> zoo.Run:
    """A run of two epochs that was watched."""
    return zoo.train(
        "linear",
        observe="tensorboard",
        epochs=2,
        batch_size=16,
        validation=16,
        out=tmp_path_factory.mktemp("watched") / "run",
        options={"data.limit": 32},
    )


def test_a_run_leaves_curves_that_equal_its_metrics(trained: zoo.Run) -> None:
    """Each row of metrics.csv is a point, and the test set's measures stand at the last step."""
    rows, step = trained.metrics, trained.metrics[-1].step
    assert curve(trained.directory, "loss/train") == [(row.step, round(row.loss, 6)) for row in rows]
    assert curve(trained.directory, "loss/validation") == [(row.step, round(row.val_loss or 0, 6)) for row in rows]
    assert curve(trained.directory, "accuracy/test") == [(step, round(trained.test_accuracy, 6))]


def test_a_run_s_settings_stand_in_the_hparams_tab(trained: zoo.Run) -> None:
    """All of them, as numbers, switches and texts, beside the best validation accuracy; and that the run ended."""
    found = hparams(trained.directory)
    assert sorted(found) == ["session_end_info", "session_start_info"]
    told = found["session_start_info"].hparams
    assert told["model.name"].string_value == "mlp/linear"
    assert told["train.batch_size"].number_value == 16
    assert told["train.sync_batch_norm"].WhichOneof("kind") == "bool_value"
    assert told["parameters"].number_value == 7850
    assert told["observe.names"].string_value == "tensorboard/tensorboard"
    assert found["session_end_info"].status == STATUS_SUCCESS
    best = max(row.val_accuracy or 0 for row in trained.metrics)
    assert curve(trained.directory, "accuracy/best_validation")[-1][1] == pytest.approx(best, abs=1e-6)


def test_a_run_s_mistakes_are_pictures(trained: zoo.Run) -> None:
    """Those that `zoo.evaluation_pictures` draws, modest in bytes."""
    events = EventAccumulator(str(trained.directory / "tensorboard"))
    events.Reload()
    for name, drawn in zoo.evaluation_pictures(trained).items():
        (found,) = events.Images(name)
        shown = Image.open(io.BytesIO(found.encoded_image_string))
        assert (found.step, shown.size) == (trained.metrics[-1].step, (found.width, found.height))
        assert shown.convert("RGB").tobytes() == drawn.convert("RGB").tobytes()
        assert len(found.encoded_image_string) < 40_000
    assert sorted(events.Tags()["images"]) == ["confusion", "mistakes"]


def test_a_photograph_is_kept_in_fewer_bytes() -> None:
    """As JPEG; a drawing of flat colours is smaller and exact as PNG."""
    noise = Image.effect_noise((96, 96), 50).convert("RGB")
    kept = TensorBoard()._image(noise)
    assert Image.open(io.BytesIO(kept.encoded_image_string)).format == "JPEG"
    assert Image.open(io.BytesIO(TensorBoard()._image(noise.quantize(8)).encoded_image_string)).format == "PNG"


def test_an_epoch_that_is_trained_again_replaces_its_point(tmp_path: Path) -> None:
    """A killed run goes on from its last checkpoint: no step is there twice, and the earlier ones stay."""
    train(begun(tmp_path), 1, 2, 3)
    train(begun(tmp_path, kept=1), 2, 3, 4, more=0.5)
    assert curve(tmp_path, "loss/train") == [(10, 1.0), (20, 2.5), (30, 3.5), (40, 4.5)]


def test_a_run_that_goes_on_is_one_entry_of_the_hparams_tab(tmp_path: Path) -> None:
    """What its settings are is told once, and the best validation accuracy is the whole run's."""
    train(begun(tmp_path), 1, 2, 3)
    train(begun(tmp_path, kept=3), 2, more=0.5)  # an epoch with a lower accuracy than those before
    assert records(tmp_path, "_hparams_/session_start_info") == 1
    assert hparams(tmp_path)["session_start_info"].hparams["optimizer.lr"].number_value == 0.1
    assert curve(tmp_path, "accuracy/best_validation")[-1] == (20, 0.3)


def test_a_run_that_was_killed_in_its_first_epoch_begins_its_files_again(tmp_path: Path) -> None:
    """It has no point to keep, and its settings are told once."""
    begun(tmp_path)
    train(begun(tmp_path), 1)
    assert records(tmp_path, "_hparams_/session_start_info") == 1
    assert curve(tmp_path, "loss/train") == [(10, 1.0)]


def test_after_a_probe_the_settings_and_its_point_stay(tmp_path: Path) -> None:
    """It is epoch 0 at step 0, where the settings stand, too."""
    train(begun(tmp_path), 0, 1)
    assert curve(tmp_path, "loss/train") == [(0, 0.0), (10, 1.0)]
    assert "session_start_info" in hparams(tmp_path)


def test_a_run_that_begins_anew_keeps_no_old_point(tmp_path: Path) -> None:
    """What a longer run left behind does not stand beside the new one's curve."""
    old = begun(tmp_path)
    train(old, 1, 2)
    old.run_finished({"directory": str(tmp_path)}, SUMMARY)
    train(begun(tmp_path), 1, more=6.0)
    assert curve(tmp_path, "loss/train") == [(10, 7.0)]
    assert sorted(hparams(tmp_path)) == ["session_start_info"]
    with pytest.raises(KeyError):
        curve(tmp_path, "accuracy/test")


def test_a_run_that_stopped_after_its_last_epoch_adds_the_test_measures(tmp_path: Path) -> None:
    """Going on with it trains no epoch, takes no point away and still tells the end."""
    train(begun(tmp_path), 1, 2)
    begun(tmp_path, kept=2).run_finished({"directory": str(tmp_path)}, SUMMARY)
    assert curve(tmp_path, "loss/train") == [(10, 1.0), (20, 2.0)]
    assert curve(tmp_path, "accuracy/test") == [(20, 0.75)]


def test_a_run_without_validation_has_no_curve_of_it(tmp_path: Path) -> None:
    """A measure that was not taken is left out, not written as zero."""
    begun(tmp_path).epoch_finished(epoch(1, 1.0, val_loss=None, val_accuracy=None))
    for tag in ("loss/validation", "accuracy/best_validation"):
        with pytest.raises(KeyError):
            curve(tmp_path, tag)


def test_without_tensorboard_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The package is an extra: choosing the observer without it is wrong usage, told before anything is written."""
    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto", None)
    zoo.entries()  # what is wrong with other plugins is told here
    capsys.readouterr()
    run = tmp_path / "run"
    assert main(["train", "--model", "linear", "--observe", "tensorboard", "--out", str(run)]) == 2
    told = capsys.readouterr().err
    assert "pip install 'torch-zoo[tensorboard]'" in told
    assert len(told.splitlines()) == 1
    assert not run.exists()


def test_tensorflow_is_not_imported(site: FakeSite, tmp_path: Path) -> None:  # noqa: F811 - the fixture
    """TensorBoard's own writers import TensorFlow where it is installed; ours does not."""
    (site.path / "tensorflow.py").write_text("raise SystemExit('TensorFlow was imported')")
    run = {"directory": str(tmp_path), "parameters": 7, "settings": SETTINGS}
    code = (
        "from zoo_tensorboard.writer import TensorBoard; observer = TensorBoard(); "
        f"observer.run_started({run!r}); observer.run_finished({run!r}, {SUMMARY!r})"
    )
    done = site.python(code)
    assert done.returncode == 0, done.stderr
    assert curve(tmp_path, "accuracy/test") == [(20, 0.75)]
