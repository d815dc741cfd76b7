"""Training from Python: `zoo.train`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.config import KEYS, SINGLE, Config, Layer, in_order, layer_of, nested
from zoo.errors import UnknownNameError, UsageError
from zoo.runs.configuring import configured
from zoo.runs.reporting import Reporter
from zoo.runs.run import Run
from zoo.runs.training import AlreadyFinished, Request, start
from zoo.runs.training import resume as resume_run
from zoo.training.place import place


def train(
    model: Any = None,
    *,
    options: Mapping[str, Any] | None = None,
    recipe: str | None = None,
    config: str | Path | None = None,
    out: str | Path | None = None,
    restart: bool = False,
    resume: str | Path | None = None,
    reporter: Reporter | None = None,
    report: bool = True,
    **settings: Any,
) -> Run:
    """Train a model and keep the run, as the command ``zoo train`` does.

    ::

        run = zoo.train("cnn_dropout", epochs=2, options={"model.p": 0.5})
        run.test_accuracy, run.model, run.directory

    Args:
        model: A registered name, or a module that maps inputs (N, C, H, W) to logits (N, K), or a builder of one.
        options: Options of the chosen entries by key: ``{"model.p": 0.5, "data.limit": 256}``.
        recipe: A registered recipe; everything else that is given overrides it.
        config: A TOML file; overrides the recipe and is overridden by the arguments.
        out: The run's own directory; by default a new one under ``runs``. If it holds this very run, that goes on.
        restart: Remove the run in *out* and begin anew.
        resume: The directory of a run to go on with; all settings are the run's, so no others are taken, but for
            ``options={"data.root": DIR}`` where its images have moved.
        reporter: Told what happens; by default nothing is printed.
        report: Whether to write the finished run's page, report.html.
        **settings: As the command's options, with underscores: ``data``, ``optimizer``, ``lr``, ``criterion``,
            ``scheduler``, ``augment``, ``observe``, ``epochs``, ``batch_size``, ``seed`` and so on. ``data``,
            ``optimizer``, ``criterion`` and ``scheduler`` also take an object or a builder in place of a name.

    Returns:
        The finished run, its model with the weights of the best epoch.

    Raises:
        UsageError: If a name, an option or a value is wrong.
        ZooError: If the work fails; the message says what was kept.
    """
    reporter = reporter or Reporter()
    paths = {"out": out, "resume": resume}
    if wrong := [name for name, path in paths.items() if path is not None and not isinstance(path, str | Path)]:
        raise UsageError(f"{wrong[0]} must be a path, not {paths[wrong[0]]!r}")
    _refuse_odd(recipe, options, config)
    if resume is not None:
        if settings or recipe or config or out or restart or model is not None:
            raise UsageError("resume takes all settings from the run; leave the others out")
        return _reported(_resumed(resume, reporter, options), reporter, report)
    if restart and out is None:
        raise UsageError("restart needs out, the run to begin anew")
    asked, objects = requested(model, options, recipe, config, settings)
    request = Request(asked, objects, Path(out) if out else None, restart)
    try:
        run = start(request, reporter)
    except AlreadyFinished as finished:
        run = _finished(finished, objects)
    return _reported(run, reporter, report)


def requested(
    model: Any,
    options: Mapping[str, Any] | None,
    recipe: str | None,
    config: str | Path | None,
    settings: Mapping[str, Any],
) -> tuple[Config, dict[str, Any]]:
    """Return what arguments like those of `train` ask for, and the objects among them by section.

    Raises:
        UsageError: If a name or a value is wrong.
    """
    _refuse_odd(recipe, options, config)
    layers, objects = _layers(settings if model is None else {"model": model, **settings})
    for key, value in (options or {}).items():
        layers.append(Layer(f"options[{key!r}]", nested(key, value)))
    return configured(layers, recipe=recipe, file=config), objects


def _refuse_odd(recipe: object, options: object, config: object) -> None:
    if config is not None and not isinstance(config, str | Path):
        raise UsageError(f"config must be a path, not {config!r}")
    if recipe is not None and not isinstance(recipe, str):
        raise UsageError(f"recipe must be a registered name, not {recipe!r}")
    if not isinstance(options or {}, Mapping) or not all(isinstance(key, str) for key in options or {}):  # type: ignore[attr-defined]
        raise UsageError(f"options must be a mapping such as {{'model.p': 0.5}}, not {options!r}")


def _reported(run: Run, reporter: Reporter, wanted: bool) -> Run:
    here = place()
    if wanted and (here is None or here.rank == 0):
        from zoo.reports.report import report_if_possible

        report_if_possible(run.directory, reporter.notice)
    return run


def _layers(settings: Mapping[str, Any]) -> tuple[list[Layer], dict[str, Any]]:
    """Split the arguments into layers of names and values, and objects by section."""
    layers, objects = [], {}
    for name, value in in_order(settings):
        if name not in KEYS:
            raise UnknownNameError("argument", name, KEYS, "zoo.train takes what 'zoo train --help' lists.")
        if value is None:
            continue
        if name in SINGLE and not isinstance(value, str):
            objects[name] = value
        else:
            layers.append(layer_of(name, value, name))
    # A name is needed where an object stands in; it is replaced by the object's own.
    layers[:0] = [Layer(name, {name: {"name": "python:object"}}) for name in objects]
    return layers, objects


def _resumed(path: str | Path, reporter: Reporter, options: Mapping[str, Any] | None) -> Run:
    try:
        return resume_run(path, reporter, options)
    except AlreadyFinished as finished:
        return _finished(finished, {})


def _finished(found: AlreadyFinished, objects: Mapping[str, Any]) -> Run:
    """Return a run that was finished before, its model loaded."""
    from zoo.records.epochs import results_from
    from zoo.runs.loading import load_run

    loaded = load_run(found.directory, objects=objects)
    epochs = results_from(found.directory.checkpoint("last").state)  # the best one's knows only those before it
    return Run(found.directory.path, loaded.config, found.summary, tuple(epochs), loaded.network.model.eval())
