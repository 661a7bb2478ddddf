"""Which rows are in a view. Each condition is answered once and remembered, so that a moved slider costs one pass."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

import numpy as np

from curation.core.artifacts import Labels, Score
from curation.core.errors import CurationError
from curation.core.row_ranges import parse_rows
from curation.linalg.cosine import cosine_to, highest
from curation.selectors._build import numbers
from curation.selectors._filter_run import filter_rows, known_columns
from curation.selectors._filter_sql import read_filter
from curation.selectors._searching import Query, read_query
from curation.selectors.region import inside_shapes
from curation.selectors.search import search_rows
from curation.selectors.similar import similarity_to, vectors_of
from curation.selectors.where import rows_among
from curation.views.conditions import Among, Condition, Decided, Like, Picked, Range, Region, Rows, Where, Words
from curation.views.sources import Sources
from curation.views.view import View
from curation.workspace.decisions import Decisions

REMEMBERED = 256 << 20
"""Bytes of answers that are kept."""
_AWAY = "take this condition away, or make the result again"
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
    """The rows for which one condition holds, bool `[n]`, read-only; remembered by dataset and condition.

    Raises:
        CurationError: if it cannot be answered: its result is gone, or belongs to other rows.
    """
    state, answer = _asked(condition, sources)  # looks its results up, so that one that is gone is told
    return _remembered(("holds", condition.model_dump_json(), state), sources, answer)


def likeness(condition: Like, sources: Sources) -> np.ndarray:
    """Mean cosine of every row to what is asked for, float32 `[n]`; NaN for rows without a vector. Remembered.

    Raises:
        CurationError: if it cannot be answered.
    """
    features = sources.features(condition.features)
    asked = condition.model_copy(update={"top": 1, "farthest": False})

    def answer() -> np.ndarray:
        values = np.asarray(features.values)
        if condition.rows:
            found = similarity_to(values, vectors_of(features, np.asarray(condition.rows, np.int64)))
        else:
            found = cosine_to(values, np.asarray(sources.embed(condition.text, condition.features)))
        found[features.missing.mask] = np.nan
        return found

    return _remembered(("like", asked.model_dump_json()), sources, answer)


def _remembered(name: tuple[str, ...], sources: Sources, make: Callable[[], np.ndarray]) -> np.ndarray:
    key = (sources.name, sources.dataset.fingerprint, *name)
    with _guard:
        if key in _answers:
            _answers.move_to_end(key)
            return _answers[key]
    found = make()
    found.flags.writeable = False
    with _guard:
        _answers[key] = found
        while len(_answers) > 1 and sum(a.nbytes for a in _answers.values()) > REMEMBERED:
            _answers.popitem(last=False)
    return found


# ---------------------------------------------------------------------- one condition


def _asked(condition: Condition, sources: Sources) -> tuple[str, Callable[[], np.ndarray]]:
    """What else the answer depends on, and how to get it; the results it names are looked up at once."""
    n = len(sources.dataset)
    match condition:
        case Region():
            layout = sources.layout(condition.layout)
            return "", lambda: inside_shapes(layout.xy, condition.shapes) & ~layout.missing.mask
        case Range():
            score = sources.score(condition.score)
            return "", lambda: _between(condition, score)
        case Among():
            labels = sources.labels(condition.labels)
            return "", lambda: rows_among(labels, condition.values, condition.keep)
        case Where():
            return _where(condition, sources)
        case Words():
            query = query_of(condition)
            return "", lambda: search_rows(sources.dataset, query, condition.inside)
        case Like():
            sources.features(condition.features)
            return "", lambda: _as_mask(
                highest(likeness(condition, sources), condition.top, farthest=condition.farthest), n
            )
        case Rows():
            return "", lambda: _as_mask(_parsed(condition.rows, n), n)
        case Picked():
            order = picks_of(condition, sources)
            return str(len(order)), lambda: _as_mask(order, n) ^ (condition.keep == "out")
        case Decided():
            found = sources.decisions()
            # the version alone is a count: a log put back from a copy may have as many events
            return f"{found.version} {found.undo_id} {found.redo_id}", lambda: _decided(condition, found, n)


def query_of(condition: Words) -> Query:
    """What a search means.

    Raises:
        CurationError: if it is not understood.
    """
    try:
        return read_query(condition.text, whole=condition.whole, regex=condition.regex, case=condition.case)
    except ValueError as error:
        raise CurationError(f"the search is not understood: {error}", 'words, "phrases" and -excluded ones') from None


def _between(condition: Range, score: Score) -> np.ndarray:
    values = numbers(score, condition.column)
    mask = np.isfinite(values) & np.isfinite(score.values) & ~score.missing.mask
    if condition.low is not None:
        mask &= values >= condition.low
    if condition.high is not None:
        mask &= values <= condition.high
    return mask


def bound_names(condition: Where, sources: Sources) -> tuple[dict[str, str], dict[str, str]]:
    """What an expression calls scores and labels: name → key, of both kinds; only those that it names.

    Raises:
        CurationError: if a result is gone, or the expression is not understood.
    """
    text = condition.expression.lower()
    bound, named = dict(condition.names), sources.named()
    # only what the text may mean is opened; of the others the name is enough, for hints
    keys = {name: found.key for name, found in named.items() if name.lower() in text} | bound
    scores: dict[str, Score] = {}
    labels: dict[str, Labels] = {}
    for name, key in keys.items():
        made = sources.labels(key) if sources.kind(key) == "labels" else sources.score(key)
        if isinstance(made, Score):
            scores[name] = made
        else:
            labels[name] = made
    known = known_columns(scores, labels)
    for name, found in named.items():
        known.setdefault(name, "number" if found.kind == "score" else "text")
    used = read_filter(condition.expression, known).columns
    heads = {name for column in used for name in (column, column.partition(".")[0])}
    return {n: keys[n] for n in scores if n in heads}, {n: keys[n] for n in labels if n in heads}


def _where(condition: Where, sources: Sources) -> tuple[str, Callable[[], np.ndarray]]:
    score_keys, label_keys = bound_names(condition, sources)
    scores = {name: sources.score(key) for name, key in score_keys.items()}
    labels = {name: sources.labels(key) for name, key in label_keys.items()}
    state = repr(sorted((score_keys | label_keys).items()))
    return state, lambda: filter_rows(sources.dataset, condition.expression, scores, labels)[0]


def where(expression: str, sources: Sources) -> Where:
    """A filter condition whose names are bound to the results of now, so that a link means the same later.

    Args:
        expression: In DuckDB's SQL; names of scores and labels are those of `sources.named()`.
        sources: Where they are.

    Raises:
        CurationError: if it is not understood, with the place, or names what is not there.
    """
    condition = Where(expression=expression)
    scores, labels = bound_names(condition, sources)
    return Where(expression=expression, names=tuple(sorted((scores | labels).items())))


def _parsed(text: str, n: int) -> np.ndarray:
    try:
        rows = parse_rows(text)
    except ValueError as error:
        raise CurationError(str(error), "row numbers and ranges: 3, 10-20") from None
    if len(rows) and rows.max() >= n:
        raise CurationError(f"there is no row {rows.max():,}", f"rows go from 0 to {n - 1:,}")
    return rows


def _as_mask(rows: np.ndarray, n: int) -> np.ndarray:
    mask = np.zeros(n, bool)
    mask[rows] = True
    return mask


def picks_of(condition: Picked, sources: Sources) -> np.ndarray:
    """The rows that a condition takes from a selection, in pick order, int64.

    Raises:
        CurationError: if the order is not nested, or not known so far.
    """
    stored = sources.selection(condition.selection)
    budget = condition.budget
    if budget is None or budget == len(stored):
        return np.asarray(stored.order)
    longest = stored if budget < len(stored) else sources.order(condition.selection)
    if not longest.nested:
        raise CurationError("the picks of this selection have no order in which a smaller budget comes first",
                            "select again at that budget")  # fmt: skip
    if budget > len(longest):
        raise CurationError(
            f"the order of this selection is known for {len(longest):,} rows, not {budget:,}",
            "select more rows with the same method first",
        )
    return np.asarray(longest.order)[:budget]


def _decided(condition: Decided, found: Decisions, n: int) -> np.ndarray:
    if condition.which == "none":
        return ~(_as_mask(found.kept, n) | _as_mask(found.dropped, n))
    return _as_mask({"keep": found.kept, "drop": found.dropped, "noted": found.noted}[condition.which], n)


# ---------------------------------------------------------------------- cuts made in the browser


def exact_bounds(values: np.ndarray, low: float | None, high: float | None) -> tuple[float | None, float | None]:
    """Bounds that keep exactly the rows whose value, as float32, lies between two float32 bounds.

    The browser compares float32 numbers; the bounds of a recipe are compared with the numbers themselves. A bound is
    the short decimal that the browser shows where that keeps the same rows, else one that does; as a float32 it is the
    same.

    Args:
        values: float `[n]`, NaN = missing.
        low: Least kept, a float32 as number; None for no limit.
        high: Greatest kept; None for no limit.

    Returns:
        Least and greatest kept, None where there was no limit.
    """
    wide = np.asarray(values, np.float64)
    wide = wide[np.isfinite(wide)]
    with np.errstate(over="ignore"):
        small = wide.astype(np.float32)
    return _exact(wide, small, low, -1), _exact(wide, small, high, 1)


def _exact(wide: np.ndarray, small: np.ndarray, bound: float | None, side: int) -> float | None:
    if bound is None:
        return None
    with np.errstate(over="ignore"):
        cut = np.float32(bound)
    kept = small >= cut if side < 0 else small <= cut
    count = int(kept.sum())
    for candidate in (float(str(cut)), float(cut)):
        if count == int((wide >= candidate if side < 0 else wide <= candidate).sum()):
            return candidate
    inside = wide[kept]  # not empty: a value that is rounded to the bound lies beyond it
    return float(inside.min() if side < 0 else inside.max())
