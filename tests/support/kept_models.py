"""The models that runs return, kept from processes that a test cannot look into."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor


def keep_model(folder: Path, rank: int) -> None:
    """Have this process write the model of the run that it returns into ``model-RANK.safetensors`` in *folder*.

    It fails where a tensor is no plain one, or the model cannot be run by this process alone.
    """
    from safetensors.torch import save_file

    from zoo.runs.session import Session

    train = Session.train

    def kept(session: Session) -> Any:
        run = train(session)
        assert all(type(tensor) is Tensor for tensor in run.model.state_dict().values())
        if rank == 0:  # alone: where the others were needed, this would hang
            batch = next(iter(next(iter(session.task.training.windows(0)))))
            run.model(batch.inputs.cpu())
        save_file(run.model.state_dict(), folder / f"model-{rank}.safetensors")
        return run

    Session.train = kept  # type: ignore[method-assign]
