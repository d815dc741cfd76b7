"""Looking is cheap: no light command imports torch, and a full name loads no plugin but its own."""

from __future__ import annotations

import gc
import json
import sys
from pathlib import Path

import pytest
from fake_distributions import FakeSite, offering_models

import zoo
from zoo.cli import main
from zoo.registry import registry

_WATCHED = """
import json, os, shutil, sys
from zoo.cli import main

sys.executable = shutil.which("true")  # what --processes starts in place of zoo
heavy, seen = ("torch", "timm", "torchvision", "numpy", "packaging"), {}
for line in sys.argv[1:]:
    code = main(line.split())
    seen[line] = (code, [name for name in heavy if name in sys.modules])
os.environ.update(_ZOO_COMPLETE="bash_complete", COMP_WORDS="zoo train --model resn", COMP_CWORD="3")
try:
    main([])
except SystemExit as done:
    seen["TAB"] = (done.code, [name for name in heavy if name in sys.modules])
print(json.dumps(seen), file=sys.stderr)
"""


def test_no_light_command_imports_torch_over_all_of_zoos_own_plugins(site: FakeSite):
    """Neither listing 1,400 names, nor counting, nor the plugins' state, nor a TAB in the middle of a training line.

    Nor does the command that starts processes: it waits for them as long as they train.
    """
    site.install("penguin", offering_models("penguin_net"), requires=["torch-zoo>=0.1"])
    lines = [
        "--version",
        "list",
        "list models",
        "list models resnet* --json",
        "list recipes",
        "ensemble --help",
        "plugins",
        "list nothing",
        "train --model linear --processes 2",
    ]
    done = site.python(_WATCHED, *lines)
    *errors, last = done.stderr.splitlines()
    assert json.loads(last) == {line: [2 if line == "list nothing" else 0, []] for line in [*lines, "TAB"]}
    assert len(errors) == 1, "the unknown kind costs a line, and no plugin of zoo's is broken"
    assert done.stdout.count("timm/") > 1300


def test_the_full_names_of_a_run_load_no_other_plugin(
    site: FakeSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """A plugin that sleeps or fails on import does not touch the evaluation of a run that does not use it."""
    run = zoo.train("mlp/linear", out=tmp_path / "run", epochs=1, options={"data.limit": 64})
    site.install("slow", "import time\ntime.sleep(1)\nraise RuntimeError")
    registry.cache_clear()
    capsys.readouterr()
    assert main(["evaluate", str(run.directory), "--json"]) == 0
    registry.cache_clear()
    assert "zoo_slow" not in sys.modules
    assert capsys.readouterr().err == ""


_COLLECTIONS = """
import gc, json, sys
from zoo.cli.group import cli

begun, usual = [], gc.get_threshold()
cli.main = lambda *_, **__: [gc.callbacks.append(lambda phase, _: begun.append(phase)), [[] for _ in range(100_000)]][0]
from zoo.cli import main
code = main()
early = len(begun)
while not begun:
    kept = [[] for _ in range(500_000)]
print(json.dumps([code, early, len(gc.callbacks), gc.get_threshold() == usual, gc.get_freeze_count() > 0]))
"""


def test_the_garbage_collector_begins_after_the_imports_and_then_works_as_ever(site: FakeSite):
    """A hundred thousand objects that stay call for no collection; half a million do, at the usual thresholds again.

    When the command is done, what it leaves is not looked through at the end of the process.
    """
    done = site.python(_COLLECTIONS)
    assert json.loads(done.stdout) == [0, 0, 1, True, True]


def test_a_command_from_python_leaves_the_garbage_collector_alone(capsys: pytest.CaptureFixture[str]):
    usual, callbacks, frozen = gc.get_threshold(), list(gc.callbacks), gc.get_freeze_count()
    assert main(["--version"]) == 0
    assert (gc.get_threshold(), gc.callbacks, gc.get_freeze_count()) == (usual, callbacks, frozen)
    assert zoo.__version__ in capsys.readouterr().out


def test_training_one_run_imports_nothing_of_sweeps(site: FakeSite):
    code = "import json, sys, zoo.cli.train; print(json.dumps([n for n in sys.modules if n.startswith('zoo.sweeps')]))"
    assert json.loads(site.python(code).stdout) == []
