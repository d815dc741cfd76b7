"""Imports go downward only: read from the source, whether they stand at a module's top or in a function."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import zoo
from zoo.registry import entries

ROOT = Path(__file__).parents[1]
PLUGINS = sorted(path.name for path in (ROOT / "plugins").iterdir() if (path / "__init__.py").is_file())
LAYERS = [
    {"zoo.errors", "zoo.shared", "zoo.progress_bar", "zoo.typed"},
    {"zoo.registry", "zoo.config", "zoo.files"},
    {"zoo.data", "zoo.inspection", "zoo.records"},
    {"zoo.training", "zoo.reports"},
    {"zoo.runs"},
    {"zoo.sweeps"},
    {"zoo.sharing", "zoo.testing", "zoo.scaffold"},
    {"zoo.cli"},
]
"""From the lowest; those beside each other do not import each other."""

LONGEST = 400
"""Lines of a file."""

HEAVY = {"torch", "timm", "torchvision", "numpy", "PIL", "safetensors"}


@dataclass(frozen=True)
class Import:
    """One import.

    Attributes:
        module: The module that is imported, or that a lazily resolved name stands for.
        at_top: Whether it is imported with the module that holds it.
        name: What is imported from it, or an empty string.
    """

    module: str
    at_top: bool
    name: str = ""


def modules(folder: Path) -> dict[str, Path]:
    """Return the modules below *folder*, by their dotted names; templates are no modules."""
    found = {}
    for path in sorted(folder.rglob("*.py")):
        if "templates" not in path.parts:
            parts = path.relative_to(folder.parent).with_suffix("").parts
            found[".".join(parts).removesuffix(".__init__")] = path
    return found


def imports(path: Path) -> list[Import]:
    """Return what a file imports; what only a type checker reads counts as imported in a function."""
    return list(_imports(ast.parse(path.read_text(encoding="utf-8")).body, at_top=True))


def _imports(body: list[ast.stmt], *, at_top: bool) -> Iterator[Import]:
    for statement in body:
        if isinstance(statement, ast.Import):
            yield from (Import(alias.name, at_top) for alias in statement.names)
        elif isinstance(statement, ast.ImportFrom):
            assert not statement.level, "relative imports are not our style"
            yield from (Import(str(statement.module), at_top, alias.name) for alias in statement.names)
        else:
            inner = at_top and not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef)
            inner = inner and not (isinstance(statement, ast.If) and "TYPE_CHECKING" in ast.dump(statement.test))
            children = [node for node in ast.iter_child_nodes(statement) if isinstance(node, ast.stmt)]
            for handler in (node for node in ast.iter_child_nodes(statement) if isinstance(node, ast.ExceptHandler)):
                children += handler.body
            yield from _imports(children, at_top=inner)


CORE = modules(ROOT / "zoo")
IMPORTS = {name: imports(path) for name, path in CORE.items()}
LAZY = {f"zoo.{name}": home for name, home in zoo._HOMES.items()}
for package in ("zoo.registry", "zoo.testing"):
    homes = __import__(package, fromlist=["_HOMES"])._HOMES
    LAZY |= {f"{package}.{name}": f"{package}.{home}" for name, home in homes.items()}


def home(found: Import) -> str:
    """Return the module that an import really reaches: a name that is resolved lazily leads to its home."""
    full = f"{found.module}.{found.name}"
    return LAZY.get(full, full if full in CORE else found.module)


def used_of_zoo(path: Path) -> set[str]:
    """Return the names that a file takes from the package itself, as in ``zoo.train``."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    taken = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and _is_zoo(node.value)}
    return taken | {found.name for found in imports(path) if found.module == "zoo" and found.name}


def _is_zoo(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "zoo"


def layer_of(module: str) -> int | None:
    """Return the place of a module's layer, None for the package itself and for what is not zoo's."""
    part = ".".join(module.split(".")[:2])
    return next((place for place, layer in enumerate(LAYERS) if part in layer), None)


def test_every_module_belongs_to_a_layer():
    """A new folder must be given its place."""
    assert {name for name in CORE if layer_of(name) is None} == {"zoo", "zoo.__main__"}


def test_no_file_of_the_product_is_long():
    """What does not fit on some pages holds more than one idea."""
    files = [file for folder in ("zoo", "plugins") for file in (ROOT / folder).rglob("*.py")]
    lines = {str(file.relative_to(ROOT)): len(file.read_text(encoding="utf-8").splitlines()) for file in files}
    assert {name: count for name, count in lines.items() if count > LONGEST} == {}
    assert len(lines) > 300


@pytest.mark.parametrize("module", [name for name in CORE if layer_of(name) is not None])
def test_imports_go_downward(module: str):
    """To a lower layer, or within the same part of the same layer."""
    own, part = layer_of(module), module.split(".")[1]
    reached = [home(found) for found in IMPORTS[module]]
    reached += [LAZY[f"zoo.{name}"] for name in used_of_zoo(CORE[module]) if f"zoo.{name}" in LAZY]
    for target in reached:
        place = layer_of(target)
        assert place is None or own is not None
        assert place is None or place < own or target.split(".")[1] == part, f"{module} imports {target}"


@pytest.mark.parametrize("module", CORE)
def test_the_core_imports_no_plugin(module: str):
    """Whatever it needs of one, it finds by an entry point."""
    assert [found.module for found in IMPORTS[module] if found.module.startswith("zoo_")] == []


def test_there_are_no_import_cycles():
    """Neither among the imports at the top nor with those in functions."""
    graph: Mapping[str, set[str]] = {
        name: {home(found) for found in IMPORTS[name]} & set(CORE) - {name, "zoo"} for name in CORE if name != "zoo"
    }
    assert sum(map(len, graph.values())) > 100
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def imported_with(module: str, known: Mapping[str, list[Import]]) -> set[str]:
    """Return all that importing *module* imports, the packages around each module included."""
    reached: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in reached:
            continue
        reached.add(name)
        if name in known:
            waiting += [name.rpartition(".")[0]] if "." in name else []
            for found in known[name]:
                if found.at_top:
                    full = f"{found.module}.{found.name}"
                    waiting += [full] if full in known else []
                    waiting.append(LAZY.get(full, found.module))
    return reached


def heavy_in(module: str, known: Mapping[str, list[Import]]) -> set[str]:
    return {name for name in imported_with(module, known) if name.split(".")[0] in HEAVY}


LIGHT = (
    "zoo.registry",
    "zoo.config",
    "zoo.cli",
    "zoo.scaffold",
    "zoo.errors",
    "zoo.records.directory",
    "zoo.records.history",
    "zoo.sweeps",
    "zoo.runs.configuring",
)


@pytest.mark.parametrize("module", [name for name in CORE if name.startswith(LIGHT)])
def test_what_lists_and_shows_imports_no_torch(module: str):
    """Not by itself and not through what it imports; the transcript comes with training, so a command loads it late."""
    if module == "zoo.cli.transcript":
        importers = [name for name, found in IMPORTS.items() for each in found if each.at_top and home(each) == module]
        assert importers == []
    else:
        assert heavy_in(module, IMPORTS) == set()


def test_the_check_for_torch_would_see_it():
    """The transcript does import it, through what it tells of."""
    assert "torch" in {name.split(".")[0] for name in heavy_in("zoo.cli.transcript", IMPORTS)}


@pytest.mark.parametrize("plugin", PLUGINS)
def test_a_plugin_imports_only_public_names_and_no_other_plugin(plugin: str):
    """What a first-party plugin can do, a stranger's can."""
    for path in modules(ROOT / "plugins" / plugin).values():
        for found in imports(path):
            package = found.module.split(".")[0]
            assert package != "zoo" or found.module == "zoo", f"{path.name} imports {found.module}"
            assert not package.startswith("zoo_") or package == plugin, f"{path.name} imports {found.module}"
        assert used_of_zoo(path) <= set(zoo.__all__), path


@pytest.mark.parametrize("plugin", PLUGINS)
def test_a_plugins_top_module_imports_nothing_heavy(plugin: str):
    """Every listing of names imports it: its targets are strings."""
    known = {name: imports(path) for name, path in modules(ROOT / "plugins" / plugin).items()}
    assert heavy_in(plugin, known) == set()


@pytest.mark.parametrize("plugin", PLUGINS)
def test_a_plugins_targets_are_strings_in_its_own_package(plugin: str):
    """A builder elsewhere would make the plugin's entries depend on another's."""
    own = [entry for entry in entries() if entry.own and f"zoo_{entry.plugin}" == plugin]
    assert own
    assert [entry for entry in own if str(entry.target).split(".")[0].partition(":")[0] != plugin] == []
