"""The recipes of zoo_recipes: files that are right for the settings and entries that there are."""

from __future__ import annotations

import tomllib

import pytest
from small_images import small_dataset
from tunable_net import tunable

import zoo
from zoo.config import SCHEMA, Config, Layer
from zoo.registry import build, options_of, registry

NAMES = ["fashion-best", "few", "mlp-best", "mnist-best", "mnist-fast"]
TUNING = ["finetune", "finetune-large", "finetune-small", "probe"]
"""Those that are for any model with pretrained weights and any images."""

SECTIONS = {"model": "models", "data": "datasets", "optimizer": "optimizers", "scheduler": "schedulers"}


def config(name: str) -> Config:
    return Config.from_layers([Layer(name, tomllib.loads(registry().find("recipes", name).read_text()))])


def chosen(recipe: Config):
    """Yield every named entry of a recipe with its options."""
    for section, kind in SECTIONS.items():
        choice = getattr(recipe, section)
        yield registry().find(kind, choice.name), choice.options
    for choice in recipe.augment:
        yield registry().find("augmentations", choice.name), choice.options


def test_every_recipe_is_of_today_s_schema():
    """What an older one leaves unsaid means what it meant then, also where a recipe is used with another model."""
    for name in [*NAMES, *TUNING]:
        assert tomllib.loads(registry().find("recipes", name).read_text())["schema"] == SCHEMA, name


def test_every_recipe_is_listed_with_a_summary():
    """The plugin offers these and no others."""
    entries = [entry for entry in registry().entries("recipes") if entry.plugin == "recipes"]
    assert sorted(entry.name for entry in entries) == sorted([*NAMES, *TUNING])
    assert all(entry.summary.endswith(".") for entry in entries)


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_names_entries_in_full_with_options_that_they_take(name):
    """Full names, so that no plugin that is installed later makes one ambiguous; no option is a typo."""
    for entry, options in chosen(config(name)):
        known = {option.name for option in options_of(entry)}
        assert set(options) <= known, entry
    recipe = config(name)
    data = [] if name == "few" else [recipe.data]  # which is for whatever one has
    for choice in (recipe.model, *data, recipe.optimizer, recipe.criterion, recipe.scheduler, *recipe.augment):
        assert "/" in choice.name


@pytest.mark.parametrize("name", NAMES)
def test_a_recipes_model_and_augmentations_are_built_for_28_pixels(name):
    """Options are in range, and the model has below 1.5 million parameters."""
    recipe = config(name)
    facts = {"num_classes": 10, "in_channels": 1, "image_size": (28, 28)}
    model = build(registry().find("models", recipe.model.name), facts=facts, options=recipe.model.options)
    assert sum(parameter.numel() for parameter in model.parameters()) < 1_500_000
    for choice in recipe.augment:
        assert callable(build(registry().find("augmentations", choice.name), facts=facts, options=choice.options))


@pytest.mark.parametrize("name", TUNING)
def test_a_recipe_for_tuning_trains_whatever_begins_with_weights(name, tmp_path):
    """It names neither model nor data, and what it does is recorded; a shorter run of it ends well."""
    run = zoo.train(
        model=tunable,
        data=small_dataset(),
        recipe=name,
        options={"model.pretrained": True},
        epochs=1,
        threads=1,
        out=tmp_path / "run",
    )
    assert run.summary["status"] == "finished"
    assert run.config.train.tune == ("probe" if name == "probe" else "full")
    assert run.metrics[0].epoch == 0
