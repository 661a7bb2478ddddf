"""What belongs to one run of a recipe and outlives its single steps; a run is known by its meter."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any, TypeVar

from curation.core.spending import Meter

T = TypeVar("T")

_RUNS: dict[int, tuple[weakref.ref[Meter], dict[str, Any]]] = {}


def of_run(meter: Meter, name: str, make: Callable[[], T]) -> T:
    """The thing of that name of the run, made when it is first wanted; it goes when the meter goes."""
    known = _RUNS.get(id(meter))
    if known is None or known[0]() is not meter:
        for number in [n for n, (there, _) in _RUNS.items() if there() is None]:
            del _RUNS[number]
        known = _RUNS[id(meter)] = (weakref.ref(meter), {})
    if name not in known[1]:
        known[1][name] = make()
    found: T = known[1][name]
    return found
