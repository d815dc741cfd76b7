"""zoo: a plugin-based image-classification trainer and model zoo for PyTorch.

The names below are the public interface; they are resolved on first use, so that ``import zoo`` costs next to nothing
and never imports torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"

if TYPE_CHECKING:
    from zoo import testing as testing
    from zoo.data import Dataset as Dataset
    from zoo.data import EncodedImages as EncodedImages
    from zoo.data import Expects as Expects
    from zoo.data import ImageFiles as ImageFiles
    from zoo.data import TensorImages as TensorImages
    from zoo.data import encoded_dataset as encoded_dataset
    from zoo.data import packed_dataset as packed_dataset
    from zoo.data import split_by_name as split_by_name
    from zoo.data.augmentation import Draws as Draws
    from zoo.errors import DamagedError as DamagedError
    from zoo.errors import DamagedFilesError as DamagedFilesError
    from zoo.errors import PluginError as PluginError
    from zoo.errors import UsageError as UsageError
    from zoo.errors import ZooError as ZooError
    from zoo.files.archives import unpack as unpack
    from zoo.files.downloads import data_folder as data_folder
    from zoo.files.downloads import download as download
    from zoo.files.idx import read_idx as read_idx
    from zoo.files.images import probe_image as probe_image
    from zoo.files.images import read_image as read_image
    from zoo.inspection.input_size import sides_from as sides_from
    from zoo.inspection.input_size import smallest_input_size as smallest_input_size
    from zoo.progress_bar import ProgressBar as ProgressBar
    from zoo.records.weights import read_weights as read_weights
    from zoo.registry import Add as Add
    from zoo.registry import create as create
    from zoo.registry import entries as entries
    from zoo.registry import hookimpl as hookimpl
    from zoo.registry.sources import decorated_functions as decorated_functions
    from zoo.reports.comparison import compare as compare
    from zoo.reports.rasters import evaluation_pictures as evaluation_pictures
    from zoo.reports.report import report as report
    from zoo.runs.api import train as train
    from zoo.runs.calibrating import calibrate as calibrate
    from zoo.runs.checking import check_data as check_data
    from zoo.runs.contact_sheet import contact_sheet as contact_sheet
    from zoo.runs.ensembling import ensemble as ensemble
    from zoo.runs.evaluating import evaluate as evaluate
    from zoo.runs.lr_range import lr_range as lr_range
    from zoo.runs.mistakes import explain_mistakes as explain_mistakes
    from zoo.runs.packing import pack as pack
    from zoo.runs.predicting import predict as predict
    from zoo.runs.reporting import Reporter as Reporter
    from zoo.runs.run import Run as Run
    from zoo.sharing.explaining import explain as explain
    from zoo.sharing.export import export as export
    from zoo.sharing.loading import Classifier as Classifier
    from zoo.sharing.loading import load as load
    from zoo.sharing.publishing import publish as publish
    from zoo.sharing.reproducing import reproduce as reproduce
    from zoo.sweeps.api import sweep as sweep
    from zoo.training.ensemble import Ensemble as Ensemble
    from zoo.training.ensemble import MemberInputs as MemberInputs

_HOMES = {
    "DamagedError": "zoo.errors",
    "DamagedFilesError": "zoo.errors",
    "Dataset": "zoo.data",
    "Draws": "zoo.data.augmentation",
    "Expects": "zoo.data",
    "EncodedImages": "zoo.data",
    "ImageFiles": "zoo.data",
    "encoded_dataset": "zoo.data",
    "packed_dataset": "zoo.data",
    "PluginError": "zoo.errors",
    "ProgressBar": "zoo.progress_bar",
    "TensorImages": "zoo.data",
    "UsageError": "zoo.errors",
    "ZooError": "zoo.errors",
    "data_folder": "zoo.files.downloads",
    "download": "zoo.files.downloads",
    "probe_image": "zoo.files.images",
    "read_idx": "zoo.files.idx",
    "read_image": "zoo.files.images",
    "split_by_name": "zoo.data",
    "unpack": "zoo.files.archives",
    "read_weights": "zoo.records.weights",
    "Add": "zoo.registry",
    "create": "zoo.registry",
    "decorated_functions": "zoo.registry.sources",
    "entries": "zoo.registry",
    "hookimpl": "zoo.registry",
    "sides_from": "zoo.inspection.input_size",
    "smallest_input_size": "zoo.inspection.input_size",
    "compare": "zoo.reports.comparison",
    "evaluation_pictures": "zoo.reports.rasters",
    "report": "zoo.reports.report",
    "Reporter": "zoo.runs.reporting",
    "Run": "zoo.runs.run",
    "calibrate": "zoo.runs.calibrating",
    "check_data": "zoo.runs.checking",
    "contact_sheet": "zoo.runs.contact_sheet",
    "ensemble": "zoo.runs.ensembling",
    "evaluate": "zoo.runs.evaluating",
    "explain": "zoo.sharing.explaining",
    "explain_mistakes": "zoo.runs.mistakes",
    "export": "zoo.sharing.export",
    "lr_range": "zoo.runs.lr_range",
    "pack": "zoo.runs.packing",
    "predict": "zoo.runs.predicting",
    "train": "zoo.runs.api",
    "Classifier": "zoo.sharing.loading",
    "load": "zoo.sharing.loading",
    "publish": "zoo.sharing.publishing",
    "reproduce": "zoo.sharing.reproducing",
    "sweep": "zoo.sweeps.api",
    "Ensemble": "zoo.training.ensemble",
    "MemberInputs": "zoo.training.ensemble",
}
_MODULES = {"testing"}

__all__ = ["__version__", *sorted(_HOMES), *sorted(_MODULES)]  # noqa: PLE0604 - the names stand in _HOMES


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(importlib.import_module(_HOMES[name]), name)
    elif name in _MODULES:
        value = importlib.import_module(f"{__name__}.{name}")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
