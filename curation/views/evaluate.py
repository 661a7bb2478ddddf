"""Which rows are in a view. Each condition is answered once and remembered, so that a moved slider costs one pass."""

from __future__ import annotations

import threading
from collections import OrderedDict

import numpy as np

from curation.core.artifacts import NO_ROW
from curation.core.errors import CurationError
from curation.core.row_ranges import parse_rows
from curation.figures.geometry import inside_polygon
from curation.linalg.cosine import cosine_to, highest
from curation.views.conditions import Among, Condition, Decided, Like, Picked, Range, Region, Rows, Where, Words
from curation.views.sources import Sources
from curation.views.view import View

REMEMBERED = 256 << 20
"""Bytes of answers that are kept."""
_answers: OrderedDict[tuple[str, ...], np.ndarray] = OrderedDict()
_guard = threading.Lock()


def evaluate(view: View, sources: Sources) -> np.ndarray:
    """The rows for which all conditions hold, bool `[n]`, read-only.

    Raises:
        CurationError: naming a condition that cannot be answered.
    """
    mask = np.ones(len(sources.dataset), bool)
    for condition in view.conditions:
        mask &= holds(condition, sources)
    mask.flags.writeable = False
    return mask


def holds(condition: Condition, sources: Sources) -> np.ndarray:
    """The rows for which one condition holds, bool `[n]`, read-only; remembered."""
    state = str(sources.decisions().version) if isinstance(condition, Decided) else ""
    return _remembered(("holds", condition.model_dump_json(), state), sources, lambda: _answer(condition, sources))


def likeness(condition: Like, sources: Sources) -> np.ndarray:
    """Mean cosine of every row to what is asked for, float32 `[n]`; NaN for rows without a vector. Remembered."""
    asked = condition.model_copy(update={"top": 1, "farthest": False})
    return _remembered(("like", asked.model_dump_json()), sources, lambda: _likeness(condition, sources))


def _remembered(name: tuple[str, ...], sources: Sources, make: object) -> np.ndarray:
    key = (sources.name, sources.dataset.fingerprint, *name)
    with _guard:
        if key in _answers:
            _answers.move_to_end(key)
            return _answers[key]
    found: np.ndarray = make()  # type: ignore[operator]
    found.flags.writeable = False
    with _guard:
        _answers[key] = found
        while len(_answers) > 1 and sum(a.nbytes for a in _answers.values()) > REMEMBERED:
            _answers.popitem(last=False)
    return found


def _answer(condition: Condition, sources: Sources) -> np.ndarray:
    n = len(sources.dataset)
    if isinstance(condition, Region):
        return _inside(condition, np.asarray(sources.layout(condition.layout).xy, np.float32))
    if isinstance(condition, Range):
        return _between(condition, sources)
    if isinstance(condition, Among):
        return _among(condition, sources)
    if isinstance(condition, Where):
        from curation.selectors.filter import filter_rows

        return np.array(filter_rows(sources.dataset, condition.expression, sources.scores(), sources.all_labels())[0])
    if isinstance(condition, Words):
        from curation.selectors.search import search_rows

        return np.array(search_rows(sources.dataset, condition.text, condition.inside))
    if isinstance(condition, Like):
        return _rows_as_mask(highest(likeness(condition, sources), condition.top, farthest=condition.farthest), n)
    if isinstance(condition, Rows):
        return _rows_as_mask(_parsed(condition.rows, n), n)
    if isinstance(condition, Picked):
        return _picked(condition, sources)
    return _decided(condition, sources)


def _inside(condition: Region, xy: np.ndarray) -> np.ndarray:
    mask = np.full(len(xy), condition.shapes[0].op == "subtract") & np.isfinite(xy).all(1)
    for shape in condition.shapes:
        x, y = zip(*shape.points, strict=True)
        inside = inside_polygon(xy, x, y)
        mask = mask | inside if shape.op == "add" else mask & ~inside
    return mask


def _between(condition: Range, sources: Sources) -> np.ndarray:
    score = sources.score(condition.score)
    values = np.asarray(score.values)
    if condition.column is not None:
        if condition.column not in score.columns:
            raise CurationError(f"the score has no column '{condition.column}'", "take the filter away")
        values = np.asarray(score.columns[condition.column])
    mask = ~np.isnan(values.astype(np.float64, copy=False))
    if condition.low is not None:
        mask &= values >= condition.low
    if condition.high is not None:
        mask &= values <= condition.high
    return mask


def _among(condition: Among, sources: Sources) -> np.ndarray:
    from curation.selectors.where import NOISE

    labels = sources.labels(condition.labels)
    named = np.zeros(len(labels.names) + 1, bool)
    place = {name: code for code, name in enumerate(labels.names)}
    for value in condition.values:
        if value in place:
            named[place[value]] = True
        elif value == NOISE:
            named[NO_ROW] = True
        else:
            raise CurationError(f"no label is named '{value}'", "take the filter away")
    return (named[np.asarray(labels.codes)] == (condition.keep == "among")) & ~labels.missing.mask


def _likeness(condition: Like, sources: Sources) -> np.ndarray:
    features = sources.features(condition.features)
    values = features.values
    if condition.text:
        return cosine_to(values, np.asarray(sources.embed(condition.text, condition.features)))
    rows = np.asarray(condition.rows, np.int64)
    if rows.max() >= len(values):
        raise CurationError(f"there is no row {rows.max():,}", "take the filter away")
    gone = rows[features.missing.mask[rows]]
    if len(gone):
        raise CurationError(f"row {gone[0]:,} has no vector: {features.missing.reason(int(gone[0]))}", "choose another")
    found = cosine_to(values, np.asarray(values[rows], np.float64))
    mean: np.ndarray = found.mean(1).astype(np.float32)
    return mean


def _parsed(text: str, n: int) -> np.ndarray:
    try:
        rows = parse_rows(text)
    except ValueError as error:
        raise CurationError(str(error), "row numbers and ranges: 3, 10-20") from None
    if len(rows) and rows.max() >= n:
        raise CurationError(f"there is no row {rows.max():,}", f"rows go from 0 to {n - 1:,}")
    return rows


def _rows_as_mask(rows: np.ndarray, n: int) -> np.ndarray:
    mask = np.zeros(n, bool)
    mask[rows] = True
    return mask


def _picked(condition: Picked, sources: Sources) -> np.ndarray:
    selection = sources.selection(condition.selection)
    order = np.asarray(selection.order)
    if condition.budget is not None and condition.budget != len(order):
        longest = sources.order(condition.selection)
        if not longest.nested or condition.budget > len(longest):
            raise CurationError(
                f"the selection has no order of {condition.budget:,} rows", "store it at this budget on the Select page"
            )
        order = np.asarray(longest.order)[: condition.budget]
    mask = _rows_as_mask(order, len(sources.dataset))
    return mask if condition.keep == "in" else ~mask


def _decided(condition: Decided, sources: Sources) -> np.ndarray:
    found = sources.decisions()
    n = len(sources.dataset)
    if condition.which == "none":
        return ~(_rows_as_mask(found.kept, n) | _rows_as_mask(found.dropped, n))
    rows = {"keep": found.kept, "drop": found.dropped, "noted": found.noted}[condition.which]
    return _rows_as_mask(rows, n)


def exact_bounds(values: np.ndarray, low: float | None, high: float | None) -> tuple[float | None, float | None]:
    """Bounds that keep exactly the rows whose value, as float32, lies between two float32 bounds.

    The browser compares float32 numbers; the bounds of a recipe are compared with the numbers themselves. Rounding keeps
    the order of numbers, so the smallest and the greatest kept value say it exactly.

    Args:
        values: float `[n]`, NaN = missing.
        low: Least kept, None for no limit.
        high: Greatest kept, None for no limit.

    Returns:
        Least and greatest kept, None where there was no limit. When nothing is kept, the bounds as they were given.
    """
    if low is None and high is None:
        return None, None
    with np.errstate(over="ignore"):
        small = np.asarray(values).astype(np.float32)
    kept = ~np.isnan(small)
    if low is not None:
        kept &= small >= np.float32(low)
    if high is not None:
        kept &= small <= np.float32(high)
    if not kept.any():
        return low, high
    inside = np.asarray(values)[kept]
    return (None if low is None else float(inside.min())), (None if high is None else float(inside.max()))
