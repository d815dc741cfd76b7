"""Writing a new plugin's distribution: whole, or not at all."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import zoo
from zoo.errors import UsageError, ZooError
from zoo.records.disk import directory_when_whole, refuse_existing
from zoo.registry import registry
from zoo.scaffold.names import PluginName

TEMPLATES = Path(__file__).parent / "templates"
_COMMON = "common"


@dataclass(frozen=True)
class Template:
    """A kind of entry that a new plugin can begin with.

    Attributes:
        kind: In the singular; also the folder's name.
        entry: The entry's name, of a plugin named penguin.
        command: What trains with it.
    """

    kind: str
    entry: str
    command: str


# What the templates say is replaced word by word, and each of these words begins with "penguin": so a template is
# itself a plugin named penguin, which linters and type checkers read as it stands.
KINDS = {
    template.kind: template
    for template in (
        Template("model", "penguin_net", "zoo train --model penguin_net"),
        Template("optimizer", "penguin_sign", "zoo train --model cnn_dropout --optimizer penguin_sign"),
        Template("criterion", "penguin_loss", "zoo train --model cnn_dropout --criterion penguin_loss"),
        Template("scheduler", "penguin_decay", "zoo train --model cnn_dropout --scheduler penguin_decay"),
        Template("dataset", "penguin_shapes", "zoo train --model cnn_dropout --data penguin_shapes"),
        Template("augmentation", "penguin_noise", "zoo train --model cnn_dropout --augment penguin_noise"),
        Template("observer", "penguin_csv", "zoo train --model cnn_dropout --observe penguin_csv"),
        Template(
            "searcher",
            "penguin_steps",
            "zoo sweep --model cnn_dropout --search 'optimizer.lr=log(1e-4,1e-1)' --searcher penguin_steps",
        ),
        Template(
            "pruner",
            "penguin_patience",
            "zoo sweep --model cnn_dropout --search 'optimizer.lr=log(1e-4,1e-1)' --prune penguin_patience",
        ),
    )
}


@dataclass(frozen=True)
class NewPlugin:
    """A distribution to be written.

    Attributes:
        name: Its names.
        template: What it begins with.
        parent: The folder in which its own folder is made.
    """

    name: PluginName
    template: Template
    parent: Path

    @property
    def directory(self) -> Path:
        """The folder that is made, named after the distribution."""
        return self.parent / self.name.distribution

    @property
    def entry(self) -> str:
        """The name of its one entry."""
        return self._replaced(self.template.entry)

    @property
    def next_commands(self) -> tuple[str, str, str]:
        """What to type next: install, check, train."""
        return (
            f"pip install -e {_quoted(self.directory)}",
            f"zoo plugins check {self.name.plugin}",
            self._replaced(self.template.command),
        )

    def files(self) -> dict[Path, str]:
        """Return the text of every file, by its path in the folder."""
        found: dict[Path, str] = {}
        for folder in (TEMPLATES / _COMMON, TEMPLATES / self.template.kind):
            for source in sorted(folder.rglob("*")):
                if source.is_file() and source.suffix != ".pyc":
                    place = self._replaced(str(source.relative_to(folder)))
                    found[Path(place)] = self._replaced(source.read_text(encoding="utf-8"))
        return found

    def write(self) -> list[Path]:
        """Write every file, or nothing, and return their paths in the folder, sorted.

        Raises:
            UsageError: If the folder exists or cannot be made, or the name is taken.
            ZooError: If the disk refuses; nothing is left behind then.
        """
        check_free(self.name)
        refuse_existing(self.directory, "give another name or --dir, or remove it")
        files = self.files()
        try:
            with directory_when_whole(self.directory, "give another --dir") as directory:
                for place, text in files.items():
                    path = directory / place
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise ZooError(
                f"cannot write {str(self.directory)!r}: {error.strerror}; give another --dir. Nothing was left there."
            ) from error
        return sorted(files)

    def _replaced(self, text: str) -> str:
        words = {
            "penguin_kind": self.template.kind,
            "penguin_entry": self.template.entry,
            "penguin_command": self.template.command,
            "torch-zoo>=0.0": f"torch-zoo>={'.'.join(zoo.__version__.split('.')[:2])}",
            "penguin_year": time.strftime("%Y"),
        }
        return _with_name(_with_words(text, words), self.name)


def check_free(name: PluginName) -> None:
    """Raise if an installed plugin, distribution or package has the name.

    Raises:
        UsageError: It says which.
    """
    taken = [plugin for plugin in registry().names() if plugin.partition("@")[0] == name.plugin]
    if taken:
        raise UsageError(f"the plugin {taken[0]!r} is installed; give another name. 'zoo plugins' shows all.")
    try:
        version = metadata.version(name.distribution)
    except metadata.PackageNotFoundError:
        pass
    else:
        raise UsageError(f"the distribution {name.distribution} {version} is installed; give another name")
    if find_spec(name.package) is not None:
        raise UsageError(f"a package {name.package!r} can be imported already; give another name")


def _with_words(text: str, words: Mapping[str, str]) -> str:
    return re.sub("|".join(map(re.escape, words)), lambda found: words[found[0]], text)


def _with_name(text: str, name: PluginName) -> str:
    spellings = {"zoo-penguin": name.distribution, "Penguin": name.class_name, "penguin": name.plugin}
    return re.sub("|".join(spellings), lambda found: spellings[found[0]], text)


def _quoted(path: Path) -> str:
    import shlex

    text = shlex.quote(str(path))
    # "pip install -e zoo-penguin" would be read as a name to look up, not a folder, were it not for the "./".
    return text if "/" in text else f"./{text}"
