"""torch-zoo's own plugins keep the contract that others are held to."""

from typing import Any, ClassVar

import zoo.testing


class TestMlp(zoo.testing.PluginContract):
    """The multilayer perceptrons."""

    plugin = "mlp"


class TestCnn(zoo.testing.PluginContract):
    """The convolutional networks."""

    plugin = "cnn"


class TestEnsemble(zoo.testing.PluginContract):
    """Ensembles, of a member that takes images of any size and one that is convolutional."""

    plugin = "ensemble"
    options: ClassVar[dict[str, Any]] = {"ensemble": {"members": ["mlp", "cnn"]}}


class TestTorch(zoo.testing.PluginContract):
    """Torch's optimizers, criteria and schedulers."""

    plugin = "torch"


class TestAugment(zoo.testing.PluginContract):
    """The augmentations."""

    plugin = "augment"


class TestMnist(zoo.testing.PluginContract):
    """The embedded data."""

    plugin = "mnist"


class TestTensorBoard(zoo.testing.PluginContract):
    """The first-party observer."""

    plugin = "tensorboard"


class TestSearch(zoo.testing.PluginContract):
    """The first-party searchers."""

    plugin = "search"


class TestRecipes(zoo.testing.PluginContract):
    """The recipes."""

    plugin = "recipes"
