"""What a plugin does in a process that has just started, as the workers of a parallel run are.

Nothing is inherited there: what a plugin registers by side effect in the parent is lost (vllm#18740), and the time that
importing it takes can be measured.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence

from zoo.registry.entry import Entry, Plugin
from zoo.testing.outcome import ContractError

_CODE = "import json, sys; given = json.load(sys.stdin); sys.path[:] = given['path']; "
_CODE += "from zoo.testing.fresh import main; main(given)"
_SECONDS = 600


@dataclasses.dataclass(frozen=True)
class Fresh:
    """What a new process found.

    Attributes:
        import_ms: Milliseconds that importing and registering the plugin took there.
        pulled_torch: Whether that imported torch.
        built: The full names of the entries that were built.
        faults: What went wrong, by the full name of the entry that could not be built.
    """

    import_ms: float
    pulled_torch: bool
    built: Sequence[str]
    faults: Mapping[str, str]


def in_fresh_process(plugin: Plugin, entries: tuple[Entry, ...]) -> Fresh:
    """Import a plugin and build *entries* in a process of their own.

    Raises:
        ContractError: If the process ends without an answer.
    """
    asked = {
        "path": sys.path,
        "plugin": plugin.name,
        "entries": [[entry.kind, entry.full_name, dict(entry.arguments)] for entry in entries],
    }
    done = subprocess.run(  # noqa: S603 - our own code, in our own interpreter
        [sys.executable, "-c", _CODE],
        input=json.dumps(asked, default=repr),
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS,
    )
    try:
        answer = json.loads(done.stdout.rpartition("\n\0")[2])
    except ValueError:
        last = (done.stderr.strip().splitlines() or ["nothing on stderr"])[-1]
        raise ContractError(
            plugin,
            expected="to be imported and built in a new process",
            seen=f"exit code {done.returncode}: {last}",
            mend="Import it in a new interpreter and look at what ends it.",
        ) from None
    return Fresh(**answer)


def main(asked: Mapping[str, object]) -> None:
    """Do in this process what `in_fresh_process` asks for, and print the answer after all that a plugin prints."""
    from zoo.registry.discovery import find
    from zoo.registry.loading import load

    plugin = load(next(found for found in find() if found.label == asked["plugin"]))
    built, faults = _build(asked["entries"])  # type: ignore[arg-type] # it comes from JSON
    answer = Fresh(plugin.import_ms, plugin.pulled_torch, built, faults)
    sys.stdout.write(f"\n\0{json.dumps(dataclasses.asdict(answer))}")


def _build(entries: Sequence[tuple[str, str, Mapping[str, object]]]) -> tuple[list[str], dict[str, str]]:
    """Build entries, and return the names of those that were built, and what went wrong with the others."""
    from zoo.errors import UsageError
    from zoo.registry import registry
    from zoo.registry.entry import in_one_line

    built: list[str] = []
    faults: dict[str, str] = {}
    for kind, name, arguments in entries:
        try:
            entry = registry().find(kind, name)
            _build_one(dataclasses.replace(entry, arguments={**entry.arguments, **arguments}))
        except Exception as error:
            if kind == "datasets" and isinstance(error, UsageError):
                continue  # it asks for the folder of its files, say
            faults[name] = in_one_line(error)
        else:
            built.append(name)
    return built, faults


def _build_one(entry: Entry) -> None:
    """Build an entry; torch is not waited for where nothing needs it."""
    if entry.kind == "recipes":
        entry.read_text()
    elif entry.kind == "weights":
        pass  # a file of tensors, looked at by its own check
    elif entry.kind == "exporters":
        entry.load()  # an export takes seconds, and perhaps packages that are not installed
    elif entry.kind == "observers":
        from zoo.registry import build

        build(entry, facts={}, options={})
    elif entry.kind == "searchers":
        from zoo.testing.searchers import searcher

        searcher(entry)
    elif entry.kind == "pruners":
        from zoo.testing.pruners import pruner

        pruner(entry)
    else:
        from zoo.testing.building import build_somehow

        build_somehow(entry)
