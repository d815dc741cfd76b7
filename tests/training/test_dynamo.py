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
        assert not any(name.startswith("torch._dynamo.") for name in sys.modules)

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
