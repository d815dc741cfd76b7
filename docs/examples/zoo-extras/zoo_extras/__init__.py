"""Classifiers of vit-pytorch and optimizers of pytorch-optimizer. Neither they nor torch are imported here."""

import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import zoo

VITS = (
    "vit", "vit_5", "vit_detpool", "vit_with_patch_dropout", "vit_with_patch_merger", "deepvit", "learnable_memory_vit",
    "normalized_vit", "parallel_vit", "rvt", "simple_vit", "simple_flash_attn_vit", "simple_uvit",
    "simple_vit_with_patch_dropout", "simple_vit_with_register_tokens", "simple_vit_with_value_residual",
)  # fmt: skip
# What `zoo plugins check` found: a second backward pass; a state that no file keeps, or that does not go on with the
# same bits; layers or processes of their own; weights that are not those to be evaluated.
UNSUITED = (
    "AdaHessian", "SophiaH", "AdaShift", "Conda", "ScalableShampoo", "SCION", "SCIONLight", "SOAP", "SPlus", "LoRARite",
    "SpectralSphere", "DeMo", "ScheduleFreeAdamW", "ScheduleFreeRAdam", "ScheduleFreeSGD",
)  # fmt: skip
HEAD = re.compile(r'(\w+)\(BaseOptimizer\):\s+"""([^\n".]+)')
RATE = re.compile(r"params: ParamsT,\s+lr: [\w.| ]+ = \d")  # a rate of its own, and nothing else that it needs


@zoo.hookimpl
def register(add: zoo.Add) -> None:
    """Register all under their full names alone, such as extras/adamw: many short names are taken."""
    for name in VITS:
        bound = {"module": f"vit_pytorch.{name}"}
        add.model(name, "zoo_extras.vits:vit", summary=f"{name} of vit-pytorch.", arguments=bound, short=False)
    for name, summary in optimizers():
        add.optimizer(name.lower(), f"pytorch_optimizer:{name}", summary=f"{summary}.", short=False)


def optimizers() -> Iterator[tuple[str, str]]:
    """Yield the name and summary of each class of pytorch-optimizer that steps without a closure, from its source."""
    for path in sorted(Path(find_spec("pytorch_optimizer").origin).parent.glob("optimizer/*.py")):
        for source in re.split(r"^class ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
            if (head := HEAD.match(source)) and RATE.search(source) and head[1] not in UNSUITED:
                yield head[1], head[2]
