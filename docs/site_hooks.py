"""What the site has beside the pages: its navigation, the README as a page, a run's page and the catalogue, made anew.

mkdocs calls the functions whose names begin with ``on_``. The index is the only list of pages: the navigation is read
from it.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

import zoo
from zoo.cli import main

_ROOT = Path(__file__).resolve().parents[1]
_README, _LIVE = "readme.md", "live"
_LINK = re.compile(r"\[([^\]]+)\]\(([^)#]+\.md)\)")
_LIVE_PAGES = {
    "run.html": ("A run's page", "One epoch of `cnn_dropout` on 3,000 digits, trained when this site was built."),
    "catalogue.html": ("The catalogue", "All models that are registered: search, sort and filter them."),
}


def on_config(config: Any) -> Any:
    """Read the navigation from the index: its sections, and in each the pages in their order."""
    text = (_ROOT / "docs/index.md").read_text(encoding="utf-8")
    sections = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    nav: list[Any] = [{"zoo": ["index.md", {"First screen": _README}]}]
    seen: set[str] = set()
    for title, body in zip(sections[1::2], sections[2::2], strict=True):
        pages = [(name, path) for name, path in _LINK.findall(body) if not (path in seen or seen.add(path))]
        nav.append({title: [{_capital(name): path} for name, path in pages]})
    examples = [{name: path} for name, path in _example_pages()]
    config.nav = [*nav, {"Examples": [{"Live": f"{_LIVE}/index.md"}, *examples]}]
    return config


def _capital(name: str) -> str:
    return name[0].upper() + name[1:]


def _example_pages() -> list[tuple[str, str]]:
    folder = _ROOT / "docs/examples"
    return [
        (path.parent.name, path.relative_to(_ROOT / "docs").as_posix()) for path in sorted(folder.glob("*/README.md"))
    ]


def on_files(files: Any, config: Any) -> Any:
    """Add the README and the live examples."""
    from mkdocs.structure.files import File

    readme = (_ROOT / "README.md").read_text(encoding="utf-8").replace("](docs/", "](")
    files.append(File.generated(config, _README, content=readme))
    rows = [f"- [{name}]({file}): {what}" for file, (name, what) in _LIVE_PAGES.items()]
    page = "\n".join(["# Live examples", "", "Each is one file that asks nobody for anything.", "", *rows, ""])
    files.append(File.generated(config, f"{_LIVE}/index.md", content=page))
    for name, content in _live().items():
        files.append(File.generated(config, f"{_LIVE}/{name}", content=content))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Let what links the README's file link its page."""
    return markdown.replace("](../README.md)", f"]({_README})") if page.file.src_uri == "index.md" else markdown


def _live() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        run, catalogue = Path(folder, "run"), Path(folder, "catalogue.html")
        zoo.train("cnn/cnn_dropout", epochs=1, options={"data.limit": 3000}, out=run, threads=1)
        assert main(["catalogue", "--html", str(catalogue), "--quiet"]) == 0
        return {"run.html": (run / "report.html").read_bytes(), "catalogue.html": catalogue.read_bytes()}
