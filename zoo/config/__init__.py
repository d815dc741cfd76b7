"""What a run is asked to be: the keys of the configuration file, their defaults, and how layers of them combine."""

from zoo.config.config import Choice, Config
from zoo.config.layers import Layer, in_order, layer_of
from zoo.config.sections import DATA_LIMIT, KEYS, SCHEMA, SEVERAL, SINGLE
from zoo.config.settings import Interval, TrainSettings, fold_of
from zoo.config.values import assigned, checked_value, differing, flattened, nested, parse_assignment, read_toml

__all__ = [
    "DATA_LIMIT",
    "KEYS",
    "SCHEMA",
    "SEVERAL",
    "SINGLE",
    "Choice",
    "Config",
    "Interval",
    "Layer",
    "TrainSettings",
    "assigned",
    "checked_value",
    "differing",
    "flattened",
    "fold_of",
    "in_order",
    "layer_of",
    "nested",
    "parse_assignment",
    "read_toml",
]
