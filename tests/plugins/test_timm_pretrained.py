"""timm's pretrained weights: what they expect of images, and which of them a model keeps."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from hub_cache import place_weights, use_cache
from small_images import small_dataset

import zoo
from zoo.cli.transcript import Transcript
from zoo.runs.loading import load_run
from zoo.runs.reporting import Reporter
from zoo.training.fit import Progress

WORDS = ("espresso", "tabby", "tench")
FACTS = {"num_classes": 3, "in_channels": 3, "image_size": (139, 139)}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub's cache, empty; there is no network."""
    monkeypatch.chdir(tmp_path)
    use_cache(tmp_path / "hub", monkeypatch)
    return tmp_path / "hub"


def create(name: str, **options: object) -> torch.nn.Module:
    model: torch.nn.Module = zoo.create("models", f"timm/{name}", **{**FACTS, "pretrained": True, **options})
    return model


def test_a_model_says_what_its_weights_expect(cache: Path):
    """The size they were trained at, not that of the images; statistics, filter, crop, licence, and the file's hash."""
    source, digest = place_weights(cache, "test_efficientnet.r160_in1k")
    model = create("test_efficientnet", class_names=("a", "b", "c"))
    expects = model.expects
    assert isinstance(expects, zoo.Expects)
    assert (expects.size, expects.interpolation, expects.crop) == ((160, 160), "bicubic", 0.95)
    assert (expects.mean, expects.std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    assert (expects.source, expects.sha256) == ("timm/test_efficientnet.r160_in1k", digest)
    assert (expects.license, expects.head, len(expects.classes)) == ("apache-2.0", "new", 1000)
    assert torch.equal(model.conv_stem.weight, source.conv_stem.weight)
    assert model.classifier.weight.shape[0] == 3


@pytest.mark.parametrize("names", [WORDS, ("n07920052", "n02123045", "n01440764")])
@pytest.mark.parametrize("name", ["test_efficientnet", "test_vit"])
def test_the_head_is_kept_where_the_weights_know_every_class(cache: Path, name: str, names: tuple[str, ...]):
    """By ImageNet's words or WordNet's numbers, in the order of the data's classes."""
    source, _ = place_weights(cache, f"{name}.r160_in1k")
    model = create(name, class_names=names)
    assert model.expects.head == "kept"
    inputs = torch.randn(2, 3, 160, 160)
    with torch.no_grad():
        expected = source.eval()(inputs)[:, [967, 281, 0]]
        assert torch.allclose(model.eval()(inputs), expected, atol=1e-5)


def test_one_strange_class_makes_a_new_head(cache: Path):
    """Rows of some classes and noise for the others would not be comparable."""
    place_weights(cache, "test_efficientnet.r160_in1k")
    assert create("test_efficientnet", class_names=("espresso", "tabby", "my cat")).expects.head == "new"


def test_grey_images_are_repeated_for_a_model_of_colour(cache: Path):
    """Its first layer is the weights' own, whose filters are not summed up."""
    source, _ = place_weights(cache, "test_efficientnet.r160_in1k")
    model = create("test_efficientnet", in_channels=1)
    assert torch.equal(model.conv_stem.weight, source.conv_stem.weight)
    assert model.expects.channels == 3


def test_another_size_may_be_asked_for(cache: Path):
    """A transformer's positions are resized to it."""
    source, _ = place_weights(cache, "test_vit.r160_in1k")
    model = create("test_vit", input_size=96)
    assert model.expects.size == (96, 96)
    assert model.pos_embed.shape[1] == 37
    assert source.pos_embed.shape[1] == 101
    assert torch.equal(model.patch_embed.proj.weight, source.patch_embed.proj.weight)


def test_weights_are_named_by_their_tag(cache: Path):
    """In the option itself, or in that which was there first; two names are one too many."""
    place_weights(cache, "test_vit.r160_in1k")
    for options in ({"pretrained": "r160_in1k"}, {"tag": "r160_in1k"}):
        assert create("test_vit", **options).expects.source == "timm/test_vit.r160_in1k"
    with pytest.raises(zoo.UsageError, match="'r160_in1k' and tag='other' name two weights; leave one out"):
        create("test_vit", pretrained="r160_in1k", tag="other")
    with pytest.raises(zoo.UsageError, match="timm has no weights 'nonsense' for test_vit; there are: r160_in1k"):
        create("test_vit", pretrained="nonsense")


def test_a_damaged_file_is_refused_before_it_is_read(cache: Path):
    """The hub's cache states the hash of what it holds."""
    _, digest = place_weights(cache, "test_vit.r160_in1k")
    blob = next(cache.rglob(f"blobs/{digest}"))
    blob.write_bytes(blob.read_bytes()[:-1] + b"?")
    with pytest.raises(zoo.DamagedError, match=f"its SHA-256 begins with .*, not {digest}; delete it"):
        create("test_vit")


def test_a_run_remembers_what_its_weights_expect(cache: Path, capsys: pytest.CaptureFixture[str]):
    """Prediction, evaluation and resumption need neither the weights nor the network again."""
    _, digest = place_weights(cache, "test_efficientnet.r160_in1k")
    settings = {"data": small_dataset(24), "batch_size": 8, "threads": 1, "steps": 2, "precision": "fp32"}
    options = {"model.pretrained": True, "model.input_size": 48}
    run = zoo.train("timm/test_efficientnet", options=options, out="run", reporter=Transcript(), **settings)
    assert (
        f"weights of timm/test_efficientnet.r160_in1k (apache-2.0, {digest[:12]}), a new head; 48 x 48, "
        "mean 0.485 0.456 0.406, std 0.229 0.224 0.225\n"
    ) in capsys.readouterr().out
    state = json.loads(next(run.directory.glob("checkpoints/*/state.json")).read_text())
    assert (state["expects"]["size"], state["expects"]["sha256"]) == ([48, 48], digest)
    assert json.loads((run.directory / "environment.json").read_text())["weights"]["sha256"] == digest

    shutil.rmtree(cache)
    loaded = load_run(run.directory)
    images, _ = small_dataset(24).test.batch(torch.arange(4))
    with torch.no_grad():
        found = loaded.network.forward.eval()(loaded.network.prepare(images))
        mean, std = (torch.tensor(state["expects"][name]).view(-1, 1, 1) for name in ("mean", "std"))
        grey = (images.expand(-1, 3, -1, -1) / 255 - mean) / std
        inputs = torch.nn.functional.interpolate(grey, (48, 48), mode="bicubic").clamp(-mean / std, (1 - mean) / std)
        assert torch.allclose(run.model(inputs), found, atol=1e-4)


def test_a_run_goes_on_without_the_weights(cache: Path):
    """Its checkpoint has them: killed after the first epoch, it ends as it would have."""
    place_weights(cache, "test_resnet.r160_in1k")
    settings = {"data": small_net_data, "batch_size": 8, "threads": 1, "epochs": 2, "precision": "fp32"}
    options = {"model.pretrained": True, "model.input_size": 32}
    whole = zoo.train("timm/test_resnet", options=options, out="whole", **settings)
    with pytest.raises(Stop):
        zoo.train("timm/test_resnet", options=options, out="cut", reporter=Stopping(), **settings)
    shutil.rmtree(cache)
    resumed = zoo.train("timm/test_resnet", options=options, out="cut", **settings)
    assert resumed.test_accuracy == whole.test_accuracy
    assert [epoch.loss for epoch in resumed.metrics] == [epoch.loss for epoch in whole.metrics]


def test_a_run_from_before_weights_expected_anything_goes_on_as_it_was(cache: Path):
    """Its checkpoint says nothing of them: the data's own statistics, the images' own size and channels."""
    settings = {"data": small_net_data, "batch_size": 8, "threads": 1, "epochs": 2, "precision": "fp32"}
    options = {"model.input_size": 32}
    whole = zoo.train("timm/test_resnet", options=options, out="whole", **settings)
    with pytest.raises(Stop):
        zoo.train("timm/test_resnet", options=options, out="cut", reporter=Stopping(), **settings)
    path = Path("cut/config.toml")
    path.write_text(path.read_text().replace("pretrained = false", "pretrained = true"))
    options = {"model.input_size": 32, "model.pretrained": True}
    resumed = zoo.train("timm/test_resnet", options=options, out="cut", **settings)
    assert [epoch.loss for epoch in resumed.metrics] == [epoch.loss for epoch in whole.metrics]


class Stop(Exception):
    """Ends a run in the middle."""


class Stopping(Reporter):
    """Raises in the second epoch."""

    def step(self, progress: Progress) -> None:
        """Stop once the first epoch is over."""
        if progress.epoch == 1:
            raise Stop


def small_net_data() -> zoo.Dataset:
    """Return few images."""
    return small_dataset(24)


def test_a_file_of_another_size_fits_a_transformer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Its positions are resized by timm, its head begins anew."""
    import timm
    from safetensors.torch import save_file

    monkeypatch.chdir(tmp_path)
    source = timm.create_model("test_vit", img_size=64)
    save_file(source.state_dict(), "weights.safetensors")
    options = {"model.pretrained": "weights.safetensors", "model.input_size": 32, "model.expects.mean": [0.5] * 3}
    options["model.expects.std"] = [0.5] * 3
    settings = {"batch_size": 8, "threads": 1, "steps": 1, "precision": "fp32", "lr": 1e-9}
    run = zoo.train("timm/test_vit", data=small_dataset(24), options=options, out="run", **settings)
    assert torch.allclose(run.model.patch_embed.proj.weight, source.patch_embed.proj.weight, atol=1e-5)
    assert run.model.pos_embed.shape == (1, 5, 64)
    wrong = {**options, "model.extra": {"depth": 2}}
    with pytest.raises(zoo.UsageError, match=r"weights.safetensors' do not fit the model: the model has no 'blocks"):
        zoo.train("timm/test_vit", data=small_dataset(24), options=wrong, out="other", **settings)
