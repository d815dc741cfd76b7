"""The compiler is imported when something is compiled, and only then."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest


def python(code: str) -> None:
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_run_never_imports_the_compiler_and_it_still_works_afterwards(tmp_path):
    """`zoo train` leaves torch._dynamo out; afterwards functions can be compiled and optimizers work all the same."""
    python(f"""
        import inspect, sys
        from zoo.cli import main
        run = ["train", "--model", "linear", "--set", "data.limit=64", "--epochs", "1", "--quiet"]
        assert main([*run, "--out", {str(tmp_path / "run")!r}]) == 0
        import torch
        from zoo.training import dynamo
        inspect.getmodule(inspect.currentframe())  # looks at every module
        assert not dynamo.is_imported()
        assert [name for name in sys.modules if name.startswith("torch._dynamo.")] == ["torch._dynamo.utils"]

        weight = torch.nn.Parameter(torch.ones(3))
        optimizer = torch.optim.AdamW([weight], lr=0.1, weight_decay=0, fused=True)
        weight.grad = torch.ones(3)
        optimizer.step()
        assert not dynamo.is_imported()
        seen = []
        double = torch.compile(lambda x: 2 * x, backend=lambda graph, _: seen.append(graph) or graph.forward)
        assert torch.equal(double(weight.detach()), 2 * weight.detach())
        assert dynamo.is_imported() and len(seen) == 1
        with dynamo.uncompiled():
            double(torch.ones(3, 3))
        assert len(seen) == 1
        optimizer.zero_grad()
        assert weight.grad is None
        optimizer.load_state_dict(optimizer.state_dict())
        weight.grad = torch.ones(3)
        optimizer.step()
        assert torch.allclose(weight, torch.full((3,), 0.8))
        from torch._dynamo.utils import counters
        import torch._dynamo
        assert torch._dynamo is sys.modules["torch._dynamo"] and torch._dynamo.utils.counters is counters
    """)


@pytest.mark.slow
def test_a_plugin_that_imports_torchvision_does_not_import_the_compiler():
    """As timm does; what torchvision took from it works when it is called, and so does the rest of that module."""
    pytest.importorskip("torchvision")
    python("""
        import sys
        from importlib.util import find_spec
        from zoo.config import Config, Layer
        from zoo.runs.components import find_components
        from zoo.training import dynamo
        config = Config.from_layers([Layer("test", {"model": {"name": "timm/resnet18"}})])
        find_components(config, only=("model",))
        assert "torchvision" in sys.modules and not dynamo.is_imported()
        assert find_spec("torch._dynamo.utils").name == "torch._dynamo.utils"
        import torch
        from torchvision.ops import roi_align
        pooled = roi_align(torch.ones(1, 1, 4, 4), [torch.tensor([[0.0, 0.0, 3.0, 3.0]])], 2)
        assert torch.equal(pooled, torch.ones(1, 1, 2, 2)) and not dynamo.is_imported()
        from torchvision.ops.roi_align import is_compile_supported
        assert is_compile_supported("cpu") in (True, False) and dynamo.is_imported()
        from torch._dynamo.utils import counters
        assert torch._dynamo.utils.counters is counters
    """)
