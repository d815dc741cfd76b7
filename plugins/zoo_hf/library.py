"""Getting a Hugging Face dataset: from a folder of whichever form, or from the hub."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import zoo

_SAVED = ("dataset_dict.json", "state.json")  # of save_to_disk: several splits, or one


def load(root: str | None, hub: str | None, subset: str | None, revision: str | None) -> dict[str, Any]:
    """Return the splits of a Hugging Face dataset by name, each a ``datasets.Dataset``.

    Args:
        root: A folder that ``save_to_disk`` wrote, or one of parquet, arrow or image files.
        hub: A name on the hub, such as ``"user/name"``.
        subset: Which of its configurations.
        revision: Which of its commits, branches or tags.

    Raises:
        UsageError: If neither or both are given, the extra is missing, or there is no such dataset.
        DamagedError: If it cannot be read.
    """
    if (root is None) == (hub is None):
        raise zoo.UsageError(
            "which dataset? --set data.root=DIR names a folder, or --set data.hub=USER/NAME a dataset on the hub"
        )
    if importlib.util.find_spec("datasets") is None:
        raise zoo.UsageError("this needs Hugging Face's datasets: pip install 'torch-zoo[hf]'")
    import datasets
    from datasets.exceptions import DatasetNotFoundError

    folder = None if root is None else Path(root).expanduser()
    if folder is not None and not folder.is_dir():
        raise zoo.UsageError(f"there is no folder {str(folder)!r}")
    datasets.disable_progress_bars()  # what zoo says stays the only thing that is said
    try:
        if folder is not None and any((folder / name).is_file() for name in _SAVED):
            found = datasets.load_from_disk(str(folder))
        else:
            found = datasets.load_dataset(str(folder or hub), subset, revision=revision)
    except DatasetNotFoundError as error:
        raise zoo.UsageError(f"there is no dataset {hub or root!r}: {_line(error)}") from error
    except (ConnectionError, TimeoutError) as error:
        raise zoo.ZooError(f"the hub was not reached for {hub!r}: {_line(error)}") from error
    except Exception as error:  # the library raises nearly anything for files that are none of its own
        kind = zoo.UsageError if hub else zoo.DamagedError
        raise kind(f"{hub or root!r} is no dataset that Hugging Face's library reads: {_line(error)}") from error
    return dict(found) if isinstance(found, datasets.DatasetDict) else {"train": found}


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
