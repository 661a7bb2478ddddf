"""A view as recipe steps: the same rows, made anywhere, with a reason for every row that is out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from curation.core.row_ranges import format_rows
from curation.selectors._filter_sql import MAX_LETTERS
from curation.views.conditions import (
    LENGTH,
    SOURCE,
    Among,
    Condition,
    Decided,
    Like,
    Picked,
    Range,
    Region,
    Rows,
    Where,
    Words,
)
from curation.views.evaluate import bound_names, holds, picks_of
from curation.views.sources import Sources
from curation.views.view import View

Step = dict[str, Any]
NOTES = "notes"
LAST = "view"
OWN = "$\0"
"""Begins a reference to a step of our own, until it has its last name."""


@dataclass(frozen=True)
class ViewSteps:
    """Steps that select the rows of a view.

    Args:
        steps: By name; a dataset input must be called `pool`.
        result: The name of the step whose rows are the view's.
        about: For the recipe: what of the view is a list of row numbers, and why.
    """

    steps: dict[str, Step]
    result: str
    about: dict[str, Any] = field(default_factory=dict)


def steps_of(view: View, sources: Sources, ref: Callable[[str], str]) -> ViewSteps:
    """A view as steps of a recipe, one for each condition, and one for the rows that all of them have in common.

    Likeness to a text, decisions by hand and picks beyond a stored selection become rows by number, since no step can
    make them again from the dataset alone; `about` says so. Order and gains are those of the first condition.

    Args:
        view: What must hold.
        sources: Where its results are.
        ref: Key of a stored result → a reference to it (`$name`) in the recipe, such as `Parts.add`.

    Raises:
        CurationError: naming a condition that cannot be answered.
    """
    made = _Steps(sources, ref)
    parts = list(dict.fromkeys(made.of(condition) for condition in view.conditions)) or [made.everything()]
    if len(parts) > 1 or not parts[0].startswith(OWN):
        # a stored selection alone is a step of its own here, so that it can be the result
        parts = [made.add(LAST, {"use": "selector/intersect", "of": parts})]
    return made.finished(parts[0])


class _Steps:
    """Gathers steps; what they refer to is marked as their own until all names are known."""

    def __init__(self, sources: Sources, ref: Callable[[str], str]) -> None:
        self.sources, self._ref = sources, ref
        self.steps: dict[str, Step] = {}
        self.notes: list[tuple[str, str]] = []  # a step, and what is to be said of it
        self.others: set[str] = set()  # names of steps that are not our own

    def ref(self, key: str) -> str:
        """A reference to a stored result."""
        found = self._ref(key)
        self.others.add(found[1:])
        return found

    def finished(self, result: str) -> ViewSteps:
        """All steps, under names that nothing else has that they refer to."""
        names: dict[str, str] = {}
        for name in self.steps:
            free, number = name, 1
            while free in self.others or free in names.values():
                number += 1
                free = f"{name}-of-view-{number}"
            names[name] = free

        def told(value: Any) -> Any:
            if isinstance(value, dict):
                return {k: told(v) for k, v in value.items()}
            if isinstance(value, list):
                return [told(v) for v in value]
            return f"${names[value[len(OWN) :]]}" if isinstance(value, str) and value.startswith(OWN) else value

        notes = [f"step {told(step)[1:]}: {text}" for step, text in self.notes]
        steps = {names[name]: told(step) for name, step in self.steps.items()}
        return ViewSteps(steps, told(result)[1:], {NOTES: notes} if notes else {})

    def everything(self) -> str:
        """All rows."""
        return self.add("all", {"use": "selector/filter", "expression": "TRUE"})

    def add(self, name: str, step: Step) -> str:
        """Add a step under a name that is free, or find the same one; a reference to it."""
        step = {"use": step["use"], "on": "$pool", **{k: v for k, v in step.items() if k != "use" and v is not None}}
        free, number = name, 1
        while free in self.steps and self.steps[free] != step:
            number += 1
            free = f"{name}-{number}"
        self.steps[free] = step
        return OWN + free

    def of(self, condition: Condition) -> str:
        """The step of one condition."""
        match condition:
            case Region(layout=layout, shapes=shapes):
                self.sources.layout(layout)
                plain = [{"op": s.op, "points": [list(p) for p in s.points]} for s in shapes]
                return self.add("region", {"use": "selector/region", "layout": self.ref(layout), "shapes": plain})
            case Range():
                return self._range(condition)
            case Among():
                return self._among(condition)
            case Where(expression=expression):
                scores, labels = bound_names(condition, self.sources)
                step: Step = {"use": "selector/filter", "expression": expression}
                for port, keys in (("scores", scores), ("labels", labels)):
                    step[port] = {name: self._result(key) for name, key in keys.items()} or None
                return self.add("filter", step)
            case Words():
                holds(condition, self.sources)
                flags = {name: True for name in ("whole", "regex", "case") if getattr(condition, name)}
                return self.add("search", {"use": "selector/search", "query": condition.text,
                                           "inside": condition.inside, **flags})  # fmt: skip
            case Like():
                return self._like(condition)
            case Rows(rows=rows):
                return self._numbers(holds(condition, self.sources), "rows", text=rows)
            case Picked():
                return self._picked(condition)
            case Decided(which=which):
                return self._decided(which, condition)

    def _result(self, key: str) -> str:
        """A reference to a score or labels; the length and the source are steps of their own."""
        if key == LENGTH:
            return self.add("length", {"use": "scorer/length", "unit": "characters"})
        if key == SOURCE:
            return self.add("source", {"use": "labeller/column"})
        return self.ref(key)

    def _range(self, condition: Range) -> str:
        holds(condition, self.sources)
        if condition.score == LENGTH:
            bounds = ((">=", condition.low), ("<=", condition.high))
            text = " AND ".join(f"response_letters {sign} {bound!r}" for sign, bound in bounds if bound is not None)
            return self.add("length-range", {"use": "selector/filter", "expression": text})
        return self.add("range", {
            "use": "selector/threshold", "score": self.ref(condition.score), "column": condition.column,
            "above": condition.low, "below": condition.high, "inclusive": "both",
        })  # fmt: skip

    def _among(self, condition: Among) -> str:
        holds(condition, self.sources)
        if condition.labels != SOURCE:
            return self.add("labels", {
                "use": "selector/where", "labels": self.ref(condition.labels), "values": list(condition.values),
                "keep": condition.keep,
            })  # fmt: skip
        text = _source_filter(condition)
        if len(text) > MAX_LETTERS:
            return self._numbers(holds(condition, self.sources), "sources")
        return self.add("sources", {"use": "selector/filter", "expression": text})

    def _like(self, condition: Like) -> str:
        if condition.text:
            rows = np.flatnonzero(holds(condition, self.sources))
            end = "farthest from" if condition.farthest else "nearest to"
            said = f"the {len(rows):,} rows {end} the text “{condition.text}”, by number"
            return self._noted(self._numbers(rows, "like-text"), said)
        holds(condition, self.sources)
        return self.add("like", {
            "use": "selector/similar", "features": self.ref(condition.features),
            "rows": ",".join(map(str, condition.rows)), "farthest": condition.farthest or None,
            "budget": condition.top,
        })  # fmt: skip

    def _picked(self, condition: Picked) -> str:
        picks = picks_of(condition, self.sources)
        if len(picks) == len(self.sources.selection(condition.selection)):
            found = self.ref(condition.selection)
        else:
            said = f"the first {len(picks):,} picks of {self.sources.title(condition.selection)}, by number"
            found = self._noted(self._numbers(picks, "picks", ordered=True), said)
        if condition.keep == "in":
            return found
        return self.add("others", {"use": "selector/minus", "of": self.everything(), "without": [found]})

    def _decided(self, which: str, condition: Decided) -> str:
        decided = self.sources.decisions()
        said = f"as decided by hand up to event {decided.version:,}, by number"
        away = format_rows(np.concatenate([decided.kept, decided.dropped]))
        if which != "none":
            return self._noted(self._numbers(holds(condition, self.sources), f"decided-{which}"), said)
        made = self.add("undecided", {"use": "selector/edit", "drop": away}) if away else self.everything()
        return self._noted(made, said)

    def _noted(self, step: str, text: str) -> str:
        self.notes.append((step, text))
        return step

    def _numbers(self, rows: np.ndarray, name: str, *, text: str | None = None, ordered: bool = False) -> str:
        """Rows by number; a mask or indices. None at all is a filter that never holds."""
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows
        if not len(rows):
            return self.add(f"no-{name}", {"use": "selector/filter", "expression": "FALSE"})
        plain = ",".join(map(str, rows.tolist())) if ordered else format_rows(rows)
        return self.add(name, {"use": "selector/rows", "rows": text or plain})


def _source_filter(condition: Among) -> str:
    values = ", ".join("'" + value.replace("'", "''") + "'" for value in condition.values)
    return f"source {'IN' if condition.keep == 'among' else 'NOT IN'} ({values})"
