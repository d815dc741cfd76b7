"""torchvision's classifiers: their names, channels, sizes and pretrained weights."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import textwrap
from collections import OrderedDict
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from zoo_torchvision import names

import zoo

FACTS = {"num_classes": 7, "in_channels": 1, "image_size": (28, 28)}


def create(name: str, **options: object) -> nn.Module:
    model: nn.Module = zoo.create("models", f"torchvision/{name}", **{**FACTS, **options})
    return model


def test_the_names_are_those_that_torchvision_lists():
    """Read from source files, they are exactly torchvision's classification models."""
    import torchvision

    assert sorted(names.model_names()) == torchvision.models.list_models(module=torchvision.models)
    assert set(names.imported_names().items()) == set(names.model_names().items())


def test_registering_imports_neither_torch_nor_torchvision():
    """The names are read, not imported."""
    code = (
        "import sys; from types import SimpleNamespace; import zoo_torchvision; names = [];"
        "f = lambda name, *_, **__: names.append(name); zoo_torchvision.register(SimpleNamespace(model=f, dataset=f));"
        "assert len(names) > 80; assert not {'torch', 'torchvision'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_torchvision_for_another_torch_is_one_line_and_still_listed(tmp_path: Path):
    """The listing works without importing it; building says what does not match and how to mend it."""
    package = tmp_path / "torchvision"
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')\n")
    (package / "models" / "nets.py").write_text("\n@register_model()\ndef some_net():\n    pass\n")
    code = """
        import zoo, zoo_torchvision.names
        print(zoo_torchvision.names.model_names())
        try:
            zoo.create("models", "torchvision/some_net", num_classes=2, in_channels=1, image_size=(28, 28))
        except zoo.PluginError as error:
            print(error)
    """
    result = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{textwrap.dedent(code)}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    listed, message = result.stdout.splitlines()
    assert listed == "{'some_net': 'nets'}"
    assert "do not match (operator torchvision::nms does not exist); install both from the same source" in message


@pytest.mark.parametrize(
    ("name", "size"), [("mobilenet_v3_small", (28, 28)), ("squeezenet1_1", (29, 29)), ("alexnet", (64, 64))]
)
def test_a_model_runs_on_grey_images_at_its_size(name: str, size: tuple[int, int]):
    """It trains, and every eighth of its input matters."""
    torch.manual_seed(0)
    model = create(name).train()
    assert getattr(model, "input_size", (28, 28)) == size
    inputs = torch.randn(4, 1, *size, requires_grad=True)
    logits = model(inputs)
    assert logits.shape == (4, 7)
    nn.functional.cross_entropy(logits, torch.arange(4)).backward()
    assert inputs.grad is not None
    assert nn.functional.adaptive_max_pool2d(inputs.grad.abs(), 8).amin() > 0


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_a_model_with_auxiliary_heads_returns_logits_in_training(name: str):
    """Their auxiliary heads are off, and so is their own normalisation."""
    from zoo.inspection.input_size import check_input_size

    model = create(name)
    assert model.aux_logits is False
    assert model.transform_input is False
    size = getattr(model, "input_size", (28, 28))
    check_input_size(lambda _: model.to("meta"), size, in_channels=1)


def test_a_vision_transformer_is_built_for_a_square():
    """Its patches have 32 pixels and its inputs equal sides."""
    from zoo.inspection.meta import on_meta

    with on_meta():
        assert create("vit_b_32", image_size=(28, 40)).input_size == (64, 64)


def test_the_first_convolution_keeps_the_spread_of_its_outputs():
    """Grey images are not dimmer than coloured ones after the first layer of a fresh model."""
    torch.manual_seed(0)
    spreads = {}
    for channels in (1, 3, 5):
        model = create("resnet18", in_channels=channels)
        assert model.conv1.weight.shape == (64, channels, 7, 7)
        spreads[channels] = model.conv1(torch.randn(8, channels, 28, 28)).std().item()
    assert spreads[1] == pytest.approx(spreads[3], rel=0.1)
    assert spreads[5] == pytest.approx(spreads[3], rel=0.1)


def test_pretrained_weights_fit_other_classes_channels_and_sizes():
    """What fits is loaded, the head stays new, and grey filters are the colours' sum."""
    from zoo_torchvision.weights import load_fitted

    source = create("mobilenet_v3_small", num_classes=1000, in_channels=3)
    model = create("mobilenet_v3_small")
    fresh = model.classifier[3].weight.clone()
    load_fitted(model, OrderedDict(source.state_dict()), "features.0.0")
    assert torch.equal(model.features[0][0].weight, source.features[0][0].weight.sum(1, keepdim=True))
    assert torch.equal(model.features[5].block[1][0].weight, source.features[5].block[1][0].weight)
    assert torch.equal(model.classifier[0].weight, source.classifier[0].weight)
    assert torch.equal(model.classifier[3].weight, fresh)


def test_a_vision_transformers_positions_are_interpolated():
    """Weights for 64 pixels serve a model for 32."""
    from zoo_torchvision.weights import load_fitted

    small = {"patch_size": 16, "num_layers": 1, "num_heads": 2, "hidden_dim": 8, "mlp_dim": 8}
    from torchvision.models import VisionTransformer

    source = VisionTransformer(image_size=64, num_classes=1000, **small)
    model = VisionTransformer(image_size=32, num_classes=7, **small)
    load_fitted(model, OrderedDict(source.state_dict()), "conv_proj")
    assert torch.equal(model.conv_proj.weight, source.conv_proj.weight)
    assert torch.equal(model.encoder.pos_embedding[:, 0], source.encoder.pos_embedding[:, 0])


def test_densenets_old_names_are_understood():
    """Their published weights say norm.1 where the layer is norm1."""
    from zoo_torchvision.weights import load_fitted

    options = {"growth_rate": 2, "block_config": (1, 1, 1, 1), "num_init_features": 4}
    from torchvision.models import DenseNet

    source, model = DenseNet(num_classes=1000, **options), DenseNet(num_classes=7, **options)
    state = source.state_dict()
    for name in [name for name in state if "denselayer1." in name]:
        state[name.replace("norm1.", "norm.1.").replace("conv1.", "conv.1.")] = state.pop(name)
    load_fitted(model, state, "features.conv0")
    layer = "features.denseblock1.denselayer1.norm1"
    assert torch.equal(model.get_submodule(layer).weight, source.get_submodule(layer).weight)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Torch's hub folder, empty."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def place(folder: Path, content: object, *, digest: str = "") -> str:
    """Save a file as torchvision names its own, and return its address."""
    torch.save(content, folder / "new.pth")
    digest = digest or hashlib.sha256((folder / "new.pth").read_bytes()).hexdigest()[:8]
    (folder / "new.pth").rename(folder / f"net-{digest}.pth")
    return f"http://localhost:1/net-{digest}.pth"


def test_present_weights_are_read(hub: Path):
    """A file with the right hash needs no network."""
    from zoo_torchvision.weights import read_weights

    state, digest = read_weights(place(hub, {"a": torch.arange(3)}))
    assert torch.equal(state["a"], torch.arange(3))
    assert digest == hashlib.sha256(next(hub.iterdir()).read_bytes()).hexdigest()


def test_a_damaged_file_is_not_read(hub: Path):
    """Its hash is compared although it is there already."""
    from zoo_torchvision.weights import read_weights

    with pytest.raises(zoo.DamagedError, match=r"its SHA-256 begins with .*, not 01234567; delete it"):
        read_weights(place(hub, {"a": torch.arange(3)}, digest="01234567"))


def test_a_file_that_would_run_code_is_not_read(hub: Path):
    """Nothing but tensors is unpickled, whatever the hash says."""
    from zoo_torchvision.weights import read_weights

    with pytest.raises(zoo.DamagedError, match="holds something else than tensors"):
        read_weights(place(hub, {"a": Path("x")}))


def test_no_network_is_one_line(hub: Path):
    """It says where the file can be placed by hand."""
    from zoo_torchvision.weights import read_weights

    with pytest.raises(zoo.ZooError, match=r"cannot download http://localhost:1/net-01234567.pth: .*by hand"):
        read_weights("http://localhost:1/net-01234567.pth")


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("names", "head"), [(("espresso", "tabby"), "kept"), (("espresso", "my cat"), "new")])
def test_pretrained_weights_say_what_they_expect(
    channels: int, names: tuple[str, ...], head: str, hub: Path, monkeypatch: pytest.MonkeyPatch
):
    """All of it from torchvision's record; the head's rows are kept where they know every class."""
    import torchvision
    from zoo_torchvision import models

    source = create("mobilenet_v3_small", num_classes=1000, in_channels=3)
    real = torchvision.models.get_model_weights("mobilenet_v3_small").DEFAULT
    record = SimpleNamespace(url=place(hub, source.state_dict()), transforms=real.transforms, meta=real.meta)
    monkeypatch.setattr(models, "find_weights", lambda *_: record)
    model = create("mobilenet_v3_small", num_classes=2, in_channels=channels, class_names=names, pretrained=True)
    expects = model.expects
    assert (expects.mean, expects.std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    assert (expects.size, expects.crop, expects.interpolation) == ((224, 224), 224 / 256, "bilinear")
    assert (expects.sha256, expects.head) == (hashlib.sha256(next(hub.iterdir()).read_bytes()).hexdigest(), head)
    assert torch.equal(model.features[0][0].weight, source.features[0][0].weight)
    if head == "kept":
        assert torch.equal(model.classifier[3].bias, source.classifier[3].bias[[967, 281]])


def test_weights_are_named_as_torchvision_does():
    """A name that it does not have is one line, with those that there are."""
    from zoo_torchvision.weights import find_weights

    assert find_weights("resnet50", "IMAGENET1K_V1").name == "IMAGENET1K_V1"
    with pytest.raises(zoo.UsageError, match="no weights 'V9' for resnet50; there are: IMAGENET1K_V1, IMAGENET1K_V2"):
        create("resnet50", pretrained="V9")


def test_a_wrong_keyword_is_one_line():
    """It is torchvision's own word."""
    with pytest.raises(zoo.UsageError, match=r"torchvision's resnet18: .*dropuot"):
        create("resnet18", extra={"dropuot": 0.3})
