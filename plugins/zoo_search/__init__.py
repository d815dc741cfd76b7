"""Searchers that need nothing but Python, a grid and random draws, and a pruner, successive halving."""

from __future__ import annotations

import zoo


@zoo.hookimpl
def register(add: zoo.Add) -> None:
    """Register what this package offers."""
    add.searcher("grid", "zoo_search.searchers:Grid", summary="Every combination, ranges at evenly spaced points.")
    add.searcher("random", "zoo_search.searchers:Random", summary="Independent random draws.")
    add.pruner("halving", "zoo_search.pruners:Halving", summary="Successive halving: the best third goes on.")
