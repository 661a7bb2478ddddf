"""Views: conditions on the rows of a dataset that hold together, the same in the app, the address, Python and the CLI.

    ws = curation.open_workspace()
    sources = WorkspaceSources(ws, ws.dataset("demo"))
    view = View().add(Words(text="river -lake")).add(Range(score="length", low=200))
    rows = np.flatnonzero(evaluate(view, sources))
    link = view.encode()                                  # View.decode(link) == view; curate view LINK --dataset demo
    made = steps_of(view, sources, Parts(ws, sources.dataset.fingerprint).add)   # the same rows as recipe steps

A condition is strict data; what it asks about is named by the key of a stored result.
"""

from __future__ import annotations

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
    Shape,
    Where,
    Words,
)
from curation.views.evaluate import evaluate, exact_bounds, holds, likeness, query_of, where
from curation.views.sources import Named, Sources, WorkspaceSources
from curation.views.steps import ViewSteps, steps_of
from curation.views.view import History, View
from curation.views.wording import describe

__all__ = [
    "LENGTH",
    "SOURCE",
    "Among",
    "Condition",
    "Decided",
    "History",
    "Like",
    "Named",
    "Picked",
    "Range",
    "Region",
    "Rows",
    "Shape",
    "Sources",
    "View",
    "ViewSteps",
    "Where",
    "Words",
    "WorkspaceSources",
    "describe",
    "evaluate",
    "exact_bounds",
    "holds",
    "likeness",
    "query_of",
    "steps_of",
    "where",
]
