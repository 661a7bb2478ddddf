"""Generators: new rows become a Dataset of the workspace, each row with the id of the row it was made from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from curation.core.artifacts import NO_ROW, Derived, Missing, Selection
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.generated import Made
from curation.core.method import Generator
from curation.core.row import Row
from curation.core.runtime import Runtime
from curation.engine.cutting import cut, outside
from curation.recipe import PlannedStep
from curation.workspace import Workspace


def generate(
    workspace: Workspace,
    step: PlannedStep,
    method: Generator,
    pool: Dataset,
    runtime: Runtime,
    ports: dict[str, Any],
    within: Selection | None,
) -> Derived:
    """Make the rows of a step and store them as a Dataset called "<pool> (<what they are>)".

    Raises:
        CurationError: if not one row was made.
    """
    absent = outside(within, step.within[0]) if within is not None and step.within else Missing.none(len(pool))
    rows = np.flatnonzero(~absent.mask)
    if not len(rows):
        raise CurationError("no row is left to work on", "; ".join(f"{k}: {v}" for k, v in absent.counts().items()))
    part, given = pool, ports
    if len(rows) < len(pool):
        part = pool.take(rows)
        given = {p: v if p in method.elsewhere else cut(v, rows, part.fingerprint) for p, v in ports.items()}
    made = method.generate(part, runtime, **given)  # type: ignore[attr-defined]
    if not isinstance(made, Made):
        raise TypeError(f"{method.use()} returned {type(made).__name__}, not Made")
    if not len(made.rows):
        why = "; ".join(f"{count:,} rows: {reason}" for reason, count in made.missing.counts().items())
        raise CurationError("not one row was made", why)
    parents = np.where(made.parents >= 0, rows[made.parents], NO_ROW).astype(np.int64)
    name = f"{pool.name} ({made.name})"
    counts = Counter((row.source or name, row.form) for row in made.rows)
    sources = [{"name": source, "form": form, "rows": n, "rejected": 0} for (source, form), n in counts.items()]
    origin: dict[str, Any] = {"made_from": pool.fingerprint, "made_by": method.use(), "sources": sources}
    origin |= {name: True for name in ("weak", "stand_in") if made.info.get(name)}  # what is made of weak words is weak
    stored = workspace.add_rows(_with_parents(made, parents, pool, name), name, origin)
    whole = made.missing.scatter(rows, len(pool), "")
    codes = np.where(absent.mask, absent.codes + len(whole.reasons), whole.codes).astype(np.int16)
    missing = Missing(codes, (*whole.reasons, *absent.reasons)).compact()
    return Derived(pool.fingerprint, stored.dataset.fingerprint, parents, missing, made.info)


def _with_parents(made: Made, parents: np.ndarray, pool: Dataset, name: str) -> Iterator[Row]:
    """The rows as they are stored; `source` says what made them where the generator does not."""
    for line, (row, parent) in enumerate(zip(made.rows, parents.tolist(), strict=True)):
        row_id = pool.row_id(parent) if parent >= 0 else None
        yield row._replace(line=line, parent=row_id, source=row.source or name)


def with_note(made: Derived) -> str:
    """What a run says about it."""
    parents = int((made.children() > 0).sum())
    return f"{len(made.parents):,} rows made from {parents:,}"
