"""What TensorBoard's HPARAMS tab reads, made without its own functions for that, which import TensorFlow."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any


def started(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what tells of a run's settings, as fields of a value of a summary.

    Args:
        settings: Plain values by key; those that are neither numbers nor texts are told as texts.
    """
    from tensorboard.plugins.hparams import metadata, plugin_data_pb2

    told = plugin_data_pb2.SessionStartInfo(start_time_secs=time.time())
    for key, value in settings.items():
        if isinstance(value, bool):  # which is a number, too
            told.hparams[key].bool_value = value
        elif isinstance(value, int | float):
            told.hparams[key].number_value = value
        else:
            told.hparams[key].string_value = value if isinstance(value, str) else ", ".join(map(str, value))
    return _value(metadata.SESSION_START_INFO_TAG, plugin_data_pb2.HParamsPluginData(session_start_info=told))


def finished() -> dict[str, Any]:
    """Return what tells that a run reached its end, as fields of a value of a summary."""
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

    told = plugin_data_pb2.SessionEndInfo(status=api_pb2.STATUS_SUCCESS, end_time_secs=time.time())
    return _value(metadata.SESSION_END_INFO_TAG, plugin_data_pb2.HParamsPluginData(session_end_info=told))


def _value(tag: str, told: Any) -> dict[str, Any]:
    from tensorboard.plugins.hparams import metadata

    return {"tag": tag, "metadata": metadata.create_summary_metadata(told), "tensor": metadata.NULL_TENSOR}
