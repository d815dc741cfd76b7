"""What a published file tells of the weights in it: enough to build the model, and to train it again."""

from __future__ import annotations

from typing import Any

from zoo.errors import DamagedError, UsageError

SCHEMA = 1


def checked_record(record: Any, where: str) -> dict[str, Any]:
    """Return what `zoo.sharing.record.record_of` made, read back.

    Raises:
        DamagedError: If it is none.
        UsageError: If a newer zoo wrote it.
    """
    if not isinstance(record, dict) or type(schema := record.get("schema")) is not int:
        raise DamagedError(f"{where} tells nothing of the model that its weights are of")
    if schema > SCHEMA:
        raise UsageError(f"{where} was published by a newer zoo, in schema {schema}: upgrade torch-zoo")
    kinds = {"config": dict, "data": dict, "entries": dict, "images": dict, "folded": bool, "epoch": int, "step": int}
    if wrong := [key for key, kind in kinds.items() if not isinstance(record.get(key), kind)]:
        raise DamagedError(f"{where} misstates {wrong[0]!r} of its model")
    return record
