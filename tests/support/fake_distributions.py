"""Fake installed distributions: a folder of ``dist-info`` and modules, found in-process or through ``PYTHONPATH``."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from zoo.registry import Registry
from zoo.registry.discovery import find


def offering(*calls: str) -> str:
    """Return the source of a plugin whose ``register`` hook makes these calls, such as ``add.model(...)``."""
    body = "\n    ".join(calls)
    return f"import zoo\n\n\n@zoo.hookimpl\ndef register(add):\n    {body}\n"


def offering_models(*names: str, target: str = "collections:OrderedDict", **options: object) -> str:
    """Return the source of a plugin that registers models of these names."""
    rest = "".join(f", {key}={value!r}" for key, value in options.items())
    return offering(*(f"add.model({name!r}, {target!r}, summary={f'The {name}.'!r}{rest})" for name in names))


class FakeSite:
    """A folder such as ``site-packages``.

    Args:
        path: The folder, made if it is missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)

    def install(
        self,
        plugin: str,
        source: str,
        *,
        distribution: str | None = None,
        version: str = "1.0",
        module: str | None = None,
        requires: Sequence[str] = (),
    ) -> None:
        """Install a distribution with one plugin, or add the plugin to a distribution that is there.

        Args:
            plugin: The entry point's name.
            source: The text of the plugin's top module.
            distribution: The distribution's name; ``zoo-PLUGIN`` by default.
            version: The distribution's version.
            module: The top module's name; ``zoo_PLUGIN`` by default.
            requires: The distribution's requirements.
        """
        module = module or f"zoo_{plugin.replace('-', '_')}"
        (self.path / f"{module}.py").write_text(source, encoding="utf-8")
        self.describe(distribution or f"zoo-{plugin}", version, requires, {plugin: module})

    def remove(self, plugin: str) -> None:
        """Uninstall a distribution that `install` made for this plugin alone, and forget its module."""
        module = f"zoo_{plugin.replace('-', '_')}"
        (self.path / f"{module}.py").unlink()
        sys.modules.pop(module, None)
        for folder in self.path.glob(f"{module}-*.dist-info"):
            shutil.rmtree(folder)

    def describe(self, distribution: str, version: str, requires: Sequence[str], plugins: Mapping[str, str]) -> Path:
        """Write a distribution's metadata alone, and return its folder."""
        folder = self.path / f"{distribution.replace('-', '_')}-{version}.dist-info"
        folder.mkdir(exist_ok=True)
        needs = "".join(f"Requires-Dist: {text}\n" for text in requires)
        stated = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n{needs}"
        (folder / "METADATA").write_text(stated, encoding="utf-8")
        points = folder / "entry_points.txt"
        known = points.read_text(encoding="utf-8") if points.exists() else "[zoo]\n"
        known += "".join(f"{name} = {value}\n" for name, value in plugins.items())
        points.write_text(known, encoding="utf-8")
        return folder

    def registry(self) -> Registry:
        """Return a registry of this folder's plugins alone."""
        return Registry(find([str(self.path)]))

    def python(self, code: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run Python code in a process that has this folder first on its path."""
        return self._run(["-c", code, *arguments], variables)

    def zoo(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run the command ``zoo`` in a process that has this folder first on its path."""
        return self._run(["-m", "zoo", *arguments], variables)

    def _run(self, arguments: list[str], variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(self.path), "PYTHONDONTWRITEBYTECODE": "1", **variables}
        return subprocess.run(
            [sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False, timeout=120
        )


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSite]:
    """A fake site folder first on ``sys.path``, whose modules are forgotten afterwards.

    No bytecode is written: a module that is written again within a second, as long as before, would stay the old one.
    """
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    folder = FakeSite(tmp_path / "site")
    monkeypatch.syspath_prepend(str(folder.path))
    before = set(sys.modules)
    yield folder
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None) or "").startswith(str(folder.path)):
            del sys.modules[name]
