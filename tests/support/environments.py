"""Environments to install distributions into, which see all that this one has: nothing big is installed twice."""

from __future__ import annotations

import os
import subprocess
import sysconfig
import venv
from pathlib import Path

_SCRIPTS = {"zoo": "from zoo.cli import main", "pip": "from pip._internal.cli.main import main"}


class Environment:
    """A virtual environment with ``zoo`` and ``pip`` of its own.

    Args:
        folder: Where to make it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        venv.create(folder, with_pip=False)
        self.bin = folder / "bin"
        inherited = sysconfig.get_path("purelib")
        # addsitedir also reads the .pth files there, such as that of an editable torch-zoo.
        (self._site / "inherited.pth").write_text(f"import site; site.addsitedir({inherited!r})\n")
        for name, source in _SCRIPTS.items():
            script = self.bin / name
            script.write_text(f"#!{self.bin / 'python'}\nimport sys\n{source}\nsys.exit(main())\n")
            script.chmod(0o755)

    @property
    def _site(self) -> Path:
        return next(self.folder.glob("lib/python*/site-packages"))

    def run(self, *arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command with the environment's programs first on the path."""
        variables = {name: value for name, value in os.environ.items() if not name.startswith(("ZOO_", "PYTHON"))}
        variables |= {
            "PATH": f"{self.bin}{os.pathsep}{variables.get('PATH', '')}",
            "VIRTUAL_ENV": str(self.folder),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            # What builds a wheel is installed here; an isolated build would download it.
            "PIP_NO_BUILD_ISOLATION": "0",
        }
        return subprocess.run(
            [str(argument) for argument in arguments],
            env=variables,
            cwd=cwd or self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=1200,
        )

    def do(self, *arguments: str | Path, cwd: Path | None = None) -> str:
        """Run a command that must succeed, and return what it printed."""
        done = self.run(*arguments, cwd=cwd)
        assert done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def install_wheel(self, project: Path) -> Path:
        """Build a project's wheel, install that, and return it."""
        wheels = self.folder / "wheels" / project.name
        self.do("python", "-m", "pip", "wheel", "--no-deps", "--wheel-dir", wheels, project)
        (wheel,) = wheels.glob("*.whl")
        self.do("pip", "install", "--no-deps", "--no-index", wheel)
        return wheel
