"""What the Scores page cuts away, as conditions of the app's one view: ranges of numbers, and labels of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.ui import view_state
from curation.views import Among, Range, View
from curation.views.conditions import MAX_VALUES

Place = tuple[str, str | None]
Bounds = tuple[float | None, float | None]
OPEN: Bounds = (None, None)


def cuts_in(view: View) -> dict[Place, Bounds]:
    """Lowest and highest value kept, by score and column; several ranges of the same numbers as what they share."""
    found: dict[Place, Bounds] = {}
    for condition in view.conditions:
        if isinstance(condition, Range):
            place = (condition.score, condition.column)
            low, high = found.get(place, OPEN)
            own_low, own_high = condition.low, condition.high
            low = own_low if low is None else low if own_low is None else max(low, own_low)
            high = own_high if high is None else high if own_high is None else min(high, own_high)
            # two that share nothing: the later one is shown
            found[place] = (own_low, own_high) if low is not None and high is not None and low > high else (low, high)
    return found


def with_cut(view: View, place: Place, bounds: Bounds) -> View:
    """The view with this range in the place of all others on the same numbers; two open bounds remove them."""
    here = [i for i, c in enumerate(view.conditions) if isinstance(c, Range) and (c.score, c.column) == place]
    made = None if bounds == OPEN else Range(score=place[0], column=place[1], low=bounds[0], high=bounds[1])
    if made is not None and here:
        view = view.replace(here[0], made)
        here = here[1:]
        made = None
    for i in reversed(here):
        view = view.without(i)
    return view if made is None else view.add(made)


def with_groups(view: View, labels: str, values: Sequence[str], keep: Literal["among", "others"]) -> View:
    """The view with only rows of these labels, or all but those; labels left out before stay left out.

    Raises:
        CurationError: if there are too many.
    """
    here = [
        (i, c) for i, c in enumerate(view.conditions) if isinstance(c, Among) and (c.labels, c.keep) == (labels, keep)
    ]
    old = here[0][1].values if here and keep == "others" else ()
    wanted = (*old, *(v for v in dict.fromkeys(values) if v not in old))
    if len(wanted) > MAX_VALUES:
        raise CurationError(f"{len(wanted):,} labels are named", f"a view holds at most {MAX_VALUES:,} of them")
    made = Among(labels=labels, values=wanted, keep=keep)
    return view.replace(here[0][0], made) if here else view.add(made)


# ------------------------------------------------------------------ of the app


def cuts_of(dataset: Dataset) -> dict[Place, Bounds]:
    """Lowest and highest value kept in the current view, by score and column."""
    return cuts_in(view_state.current(dataset))


def set_cuts(dataset: Dataset, cuts: Mapping[Place, Bounds], label: str) -> None:
    """Put cuts in the place of those on the same numbers; two open bounds remove one. One step for undo."""

    def moved(view: View) -> View:
        for place, bounds in cuts.items():
            view = with_cut(view, place, bounds)
        return view

    view_state.change(dataset, moved, label)


def set_groups(
    dataset: Dataset, labels: str, values: Sequence[str], keep: Literal["among", "others"], label: str
) -> None:
    """Only rows with these labels, or all but those."""
    view_state.change(dataset, lambda view: with_groups(view, labels, values, keep), label)


def clear_cuts(dataset: Dataset) -> None:
    """Remove every cut on a score or a length."""
    set_cuts(dataset, dict.fromkeys(cuts_of(dataset), OPEN), "remove the cuts on scores")


def kept_mask(dataset: Dataset, view: View) -> np.ndarray | None:
    """Rows of a view, bool `[n]`; None when nothing is cut away.

    Raises:
        CurationError: naming a condition that cannot be answered.
    """
    return view_state.mask_of(dataset, view) if view.conditions else None
