"""Conditions in a few words, for pills and logs."""

from __future__ import annotations

from curation.views.conditions import Among, Condition, Like, Picked, Range, Region, Rows, Where, Words
from curation.views.sources import Sources

SHOWN = 3


def describe(condition: Condition, sources: Sources) -> str:
    """One condition in a few words; plain text that may hold names from the dataset.

    Raises:
        CurationError: if what it asks about is gone.
    """
    if isinstance(condition, Region):
        sources.layout(condition.layout)
        count = len(condition.shapes)
        return "drawn on the map" if count == 1 else f"drawn on the map: {count} shapes"
    if isinstance(condition, Range):
        return _range(condition, sources.score(condition.score).name)
    if isinstance(condition, Among):
        named = ", ".join(condition.values[:SHOWN]) + (f" and {len(condition.values) - SHOWN} more"
                                                       if len(condition.values) > SHOWN else "")  # fmt: skip
        what = sources.title(condition.labels)
        return f"{what} {'is' if condition.keep == 'among' else 'is not'} {named}"
    if isinstance(condition, Where):
        return condition.expression
    if isinstance(condition, Words):
        return _words(condition)
    if isinstance(condition, Like):
        sources.features(condition.features)
        what = f"“{condition.text}”" if condition.text else _rows_named(condition.rows)
        return f"{'least like' if condition.farthest else 'like'} {what}, {condition.top:,} rows"
    if isinstance(condition, Rows):
        return f"rows {condition.rows}"
    if isinstance(condition, Picked):
        picks = len(sources.selection(condition.selection)) if condition.budget is None else condition.budget
        return f"{'in' if condition.keep == 'in' else 'not in'} {sources.title(condition.selection)}, {picks:,} rows"
    said = {"keep": "kept by hand", "drop": "dropped by hand", "noted": "with a note", "none": "not decided"}
    return said[condition.which]


def _words(condition: Words) -> str:
    said = condition.text if not condition.regex else f"pattern {condition.text}"
    said += " as whole words" if condition.whole and not condition.regex else ""
    said += " with these capitals" if condition.case else ""
    return said if condition.inside == "both" else f"{said} in the {condition.inside}"


def _range(condition: Range, name: str) -> str:
    what = f"{name}, {condition.column}" if condition.column else name
    low, high = (None if v is None else f"{v:.6g}" for v in (condition.low, condition.high))
    if low is None:
        return f"{what} ≤ {high}"
    return f"{what} ≥ {low}" if high is None else f"{low} ≤ {what} ≤ {high}"


def _rows_named(rows: tuple[int, ...]) -> str:
    named = ", ".join(f"{r:,}" for r in rows[:SHOWN])
    return f"row {named}" if len(rows) == 1 else f"rows {named}" + (" …" if len(rows) > SHOWN else "")
