"""`zoo report`: the page of a run, and its numbers beside it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zoo.errors import UsageError, ZooError
from zoo.records.directory import REPORTS
from zoo.records.disk import write_atomic
from zoo.records.sweeps import holds_sweep
from zoo.registry.entry import in_one_line
from zoo.reports.page import run_page
from zoo.reports.rendering import framed
from zoo.reports.story import Story, story_of


def report(run: str | Path | Any, out: str | Path | None = None) -> Path:
    """Write the page of a run or a sweep, report.html, and the numbers behind it, report.json.

    It may still be going on; then the page tells how far it is. Nothing is computed anew: what is shown comes from
    the run's files and its kept evaluations, and equal ones give equal bytes.

    Args:
        run: Its directory, or what `zoo.train` or `zoo.sweep` returned.
        out: Where the page is written instead; the numbers go beside it, under its name with ``.json``.

    Returns:
        The page's path.

    Raises:
        UsageError: If there is no such run or sweep, or it cannot be written there.
        DamagedError: If a file of the run is damaged.
    """
    path = Path(getattr(run, "directory", run)).expanduser()
    page, data = (path / name for name in REPORTS) if out is None else _beside(Path(out).expanduser())
    story, text = _told(path)
    try:
        _put(data, json.dumps(story.document, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
        _put(page, text)
    except OSError as error:
        raise UsageError(
            f"cannot write {str(page)!r}: {error.strerror or error}; give another place by --out"
        ) from error
    return page


def _told(path: Path) -> tuple[Story, str]:
    """Return what is told of a run or a sweep, and its page."""
    if not holds_sweep(path):
        story = story_of(path)
        return story, run_page(story)
    from zoo.reports.sweep_page import sweep_page
    from zoo.reports.sweep_story import sweep_story_of

    story = sweep_story_of(path)
    return story, sweep_page(story)


def report_if_possible(run: Path, notice: Callable[[str], None]) -> None:
    """Write the page of a run that has just ended; where that fails, *notice* is told, and the run stands as it is."""
    try:
        report(run)
    except Exception as error:  # a defect of the page, too, must not make hours of training look as if they had failed
        what = str(error) if isinstance(error, ZooError) else in_one_line(error)
        notice(f"the run's page is not written: {what}")


def page_for_notebook(run: Path) -> str:
    """Return what a notebook shows of a run, its accuracy, curves and matrix, or of a sweep, in a frame of its own."""
    page = _told(run)[1] if holds_sweep(run) else run_page(story_of(run), brief=True)
    return framed(page)


def _put(path: Path, text: str) -> None:
    """Write the text, unless it stands there already: a finished run that is asked for again is left as it is."""
    if not path.is_file() or path.read_bytes() != text.encode():
        write_atomic(path, text)


def _beside(page: Path) -> tuple[Path, Path]:
    if page.suffix == ".json" or page.is_dir():
        raise UsageError(f"{str(page)!r} is where the page goes; give a file such as report.html")
    return page, page.with_suffix(".json")
