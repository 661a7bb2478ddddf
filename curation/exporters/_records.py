"""The second pass: records into a file, past the trainer's rules."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from curation.core.artifacts import Selection
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.runtime import Runtime
from curation.exporters._forms import MEDIA_COLUMNS, Form, InexpressibleError
from curation.exporters._plan import Plan, make_plan, say
from curation.exporters._rows import BLOCK, dumps, stream
from curation.exporters._writers import JsonLines, open_writer
from curation.exporters.check import Checker, CheckReport, refuse_unreadable
from curation.models.tokens import PACKAGED


@dataclass(frozen=True)
class Checking:
    """How a trainer check is done.

    Args:
        trainer: "none", "llama-factory", "axolotl" or "trl".
        limit: Longest row in tokens, None = the trainer's.
        tokenizer: What to count with.
    """

    trainer: str = "none"
    limit: int | None = None
    tokenizer: str = PACKAGED


@dataclass(frozen=True)
class Written:
    """What went into a file and what did not. Rows are row indices of the Dataset.

    Args:
        rows: int64: in the order of the file.
        container: "json", "jsonl", "csv", "parquet", "hf" or "folder".
        form: Name of the record form, "original" for records as they came.
        plan: The columns, None for records as they came.
        left_out: Reason → rows that were to be written and were not.
        report: The trainer check of what was written.
        notes: Sentences for the card.
        entry: LLaMA-Factory's entry where there is no plan to make it from.
    """

    rows: np.ndarray
    container: str
    form: str
    plan: Plan | None = None
    left_out: dict[str, np.ndarray] = field(default_factory=dict)
    report: CheckReport | None = None
    notes: tuple[str, ...] = ()
    entry: dict[str, Any] | None = None


def chosen_rows(pool: Dataset, selection: Selection | None, order: str = "dataset") -> np.ndarray:
    """Rows to write, int64: all without a selection; in dataset order, or as picked.

    Raises:
        CurationError: if the selection belongs to another Dataset.
    """
    if selection is None:
        return np.arange(len(pool))
    if selection.n != len(pool) or selection.dataset != pool.fingerprint:
        raise CurationError(
            f"the selection is of another dataset of {selection.n:,} rows, not of {pool.name} ({len(pool):,} rows)",
            "export it with the dataset it was made from",
        )
    rows = np.asarray(selection.order, np.int64)
    return rows.copy() if order == "pick" else np.sort(rows)


def plan_for(
    pool: Dataset,
    rows: np.ndarray,
    forms: tuple[Form, Form | None],
    container: str,
    trainer: str,
    runtime: Runtime | None = None,
) -> Plan:
    """The plan in the first form, or in the second where that one says more rows and the trainer reads it."""
    progress = runtime.progress if runtime else None
    first, second = forms
    plan = make_plan(pool, rows, first, container, for_trainer=trainer != "none", progress=progress)
    if second is None or not plan.unfit:
        return plan
    other = make_plan(pool, rows, second, container, for_trainer=trainer != "none", progress=progress)
    if len(other.rows) <= len(plan.rows) or not _reads(trainer, second, container):
        return plan
    return other


def _reads(trainer: str, form: Form, container: str) -> bool:
    if trainer == "none":
        return True
    try:
        refuse_unreadable(trainer, form.name, container, form.style)
    except CurationError:
        return False
    return True


def checker_for(plan: Plan, checking: Checking) -> Checker | None:
    """The checker of a plan's records, None without a trainer."""
    if checking.trainer == "none":
        return None
    return Checker(
        checking.trainer,
        plan.form.name,
        plan.container,
        style=plan.form.style,
        tool_calls="tool_calls" in plan.turn_keys,
        limit=checking.limit,
        tokenizer=checking.tokenizer,
    )


def check_only(pool: Dataset, plan: Plan, checking: Checking, runtime: Runtime | None = None) -> CheckReport | None:
    """The trainer check of a plan's records without writing them."""
    checker = checker_for(plan, checking)
    if checker is None:
        return None
    for i, view in enumerate(stream(pool, plan.rows)):
        record = plan.record(view)
        checker.add(view.row, record, len(dumps(record)) if plan.container == "jsonl" else 0)
        if runtime and i % BLOCK == 0:
            runtime.progress(i, len(plan.rows), "checking")
    return checker.finish()


def write_records(
    pool: Dataset,
    plan: Plan,
    path: Path,
    checking: Checking,
    runtime: Runtime,
    *,
    escape: bool = True,
    drop_unusable: bool = False,
) -> Written:
    """Write a plan's records and check them on the way.

    Cost: one JSON parse and one JSON text per row. Memory: one block of rows.

    Args:
        pool: Where from.
        plan: Which rows, in which columns.
        path: File or folder to make.
        checking: Whose rules.
        runtime: For progress and cancelling.
        escape: Defuse formulas in CSV cells.
        drop_unusable: Leave out what the trainer would drop or fail on.
    """
    left_out = {f"{plan.form.name} cannot say: {reason}": rows for reason, rows in plan.unfit.items()}
    if drop_unusable:
        report = check_only(pool, plan, checking, runtime)
        if report is None:
            raise CurationError(
                "drop_unusable needs a trainer whose rules decide", "name one: llama-factory, axolotl, trl"
            )
        for found in (report.dropped, report.stops):
            left_out.update({f"{report.trainer} does not use: {reason}": rows for reason, rows in found.items()})
        plan = replace(plan, rows=plan.rows[~np.isin(plan.rows, report.unusable)])
    checker = checker_for(plan, checking)
    writer = open_writer(path, plan, escape=escape)
    try:
        for i, view in enumerate(stream(pool, plan.rows)):
            record = plan.record(view)
            size = 0
            if isinstance(writer, JsonLines):
                text = dumps(record)
                size = len(text.encode())
                writer.write_text(text)
            else:
                writer.write(record)
            if checker:
                checker.add(view.row, record, size)
            if i % BLOCK == 0:
                runtime.progress(i, len(plan.rows), "writing")
    finally:
        writer.close()
    report = checker.finish() if checker else None
    return Written(plan.rows, plan.container, plan.form.name, plan, left_out, report, tuple(_notes(plan)))


def named(name: str) -> str:
    """A name from the data between backticks, out of which it cannot get; at most 120 characters."""
    words = " ".join(name.replace("`", "'").split())
    return f"`{words if len(words) <= 120 else words[:119] + '…'}`"


def _notes(plan: Plan) -> list[str]:
    notes = []
    renamed = [e for e in plan.extras if e.field != e.column]
    if renamed:
        listed = ", ".join(f"{named(e.field)} is {named(e.column)}" for e in renamed)
        notes.append(f"Fields renamed because a trainer gives their name a meaning: {listed}.")
    nested = [named(e.column) for e in plan.extras if e.kind == "json"] if plan.as_text else []
    if nested:
        notes.append(f"Columns whose values are JSON text: {', '.join(nested)}.")
    if any(name in plan.optional for name in MEDIA_COLUMNS):
        notes.append("Images and other files are named as the records named them; the files are not copied.")
    if plan.moved:
        notes.append(
            f"{plan.moved:,} rows stand first, out of order: they are the first to fill a column, and loaders infer "
            "columns from the beginning of a file."
        )
    return notes


class Preview(NamedTuple):
    """One row as it would be written.

    Args:
        row: Row of the Dataset.
        record: The record, None when the form cannot say it.
        problem: Why it cannot.
    """

    row: int
    record: Any
    problem: str = ""


def preview(pool: Dataset, plan: Plan, rows: np.ndarray) -> list[Preview]:
    """Some rows as the plan would write them, those it cannot say included."""
    shown = []
    for view in stream(pool, rows):
        try:
            say(plan.form, view)
            shown.append(Preview(view.row, plan.record(view)))
        except InexpressibleError as error:
            shown.append(Preview(view.row, None, f"{plan.form.name} cannot say: {error.reason}"))
    return shown
