"""Writing rows for a trainer: formats, companions, and the trainer check.

>>> export_rows(dataset, selection, format="messages", output="subset.jsonl", trainer="trl")
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydantic import ValidationError

from curation.core.artifacts import Coverage, Export, Labels, Score, Selection
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.runtime import Runtime
from curation.exporters._base import FileExporter
from curation.exporters._forms import InexpressibleError
from curation.exporters._plan import Plan
from curation.exporters._records import Checking, Preview, check_only, chosen_rows, plan_for, preview
from curation.exporters._writers import escape_cell, unescape_cell
from curation.exporters.alpaca import Alpaca, to_alpaca
from curation.exporters.check import CheckReport, Reading, Segment, read_by
from curation.exporters.csv import Csv
from curation.exporters.hf import Hf
from curation.exporters.messages import Messages, to_messages
from curation.exporters.original import Original
from curation.exporters.parquet import Parquet
from curation.exporters.prompt_completion import PromptCompletion, to_prompt_completion, to_prompt_completion_messages
from curation.exporters.sharegpt import Sharegpt, to_sharegpt

__all__ = [
    "EXPORTERS",
    "FORMATS",
    "CheckReport",
    "InexpressibleError",
    "Look",
    "Preview",
    "Reading",
    "Segment",
    "escape_cell",
    "export_rows",
    "look",
    "loss_mask_preview",
    "preview_records",
    "to_alpaca",
    "to_messages",
    "to_prompt_completion",
    "to_prompt_completion_messages",
    "to_sharegpt",
    "unescape_cell",
]

EXPORTERS: dict[str, type[FileExporter]] = {
    "alpaca": Alpaca,
    "sharegpt": Sharegpt,
    "messages": Messages,
    "prompt_completion": PromptCompletion,
    "parquet": Parquet,
    "csv": Csv,
    "hf": Hf,
    "original": Original,
}

FORMATS: dict[str, str] = {name: (cls.__doc__ or "").strip().splitlines()[0] for name, cls in EXPORTERS.items()}
"""Format → what it is, in one sentence."""


def exporter(format: str, **options: Any) -> FileExporter:
    """The exporter of a format with its options set.

    Raises:
        CurationError: for an unknown format or option, or a value out of range.
    """
    name = format.strip().lower().replace("-", "_")
    if name not in EXPORTERS:
        raise CurationError(f"there is no format '{format}'", f"formats: {', '.join(FORMATS)}")
    cls = EXPORTERS[name]
    try:
        return cls(**options)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise CurationError(f"format {name}: {problems}", f"it takes: {', '.join(cls.model_fields)}") from None


def export_rows(
    dataset: Dataset,
    selection: Selection | None = None,
    *,
    format: str = "alpaca",
    output: str | Path,
    recipe: str = "",
    command: str = "",
    scores: dict[str, Score] | None = None,
    labels: dict[str, Labels] | None = None,
    coverage: Coverage | None = None,
    trainer: str = "none",
    overwrite: bool = False,
    runtime: Runtime | None = None,
    **options: Any,
) -> Export:
    """Write the selected rows (all rows without a selection) with their companions in `<output>.d`.

    Args:
        dataset: The rows.
        selection: Which rows.
        format: One of `FORMATS`.
        output: File or folder; a name without a suffix gets the format's own.
        recipe: YAML that makes the selection again.
        command: How to run it again.
        scores: Shown in the card and row by row in `decisions.parquet`.
        labels: The same.
        coverage: Shown in the card.
        trainer: "none", "llama-factory", "axolotl" or "trl".
        overwrite: Replace an output that exists.
        runtime: For progress and cancelling.
        **options: Other fields of the format: name, base_model, template, cutoff_len, tokenizer, order, ...

    Returns:
        Paths, counts, checksums, and the check's verdict in `info["check"]`.

    Raises:
        CurationError: see `FileExporter.export`.
        MissingDependency: if the format needs a package that is not installed.
    """
    method = exporter(format, path=str(output), trainer=trainer, overwrite=overwrite, **options)
    given = runtime or Runtime()
    context = {**given.context, **{k: v for k, v in (("recipe", recipe), ("command", command)) if v}}
    return method.export(
        dataset, replace(given, context=context), selection=selection, scores=scores, labels=labels, coverage=coverage
    )


class Look(NamedTuple):
    """What an export would be.

    Args:
        columns: Of the file.
        rows: Rows that it would hold.
        left_out: Reason → rows that the form cannot say.
        report: The trainer check, None without a trainer.
        first: The first records.
        plan: Everything else that was found out; for `preview`.
    """

    columns: tuple[str, ...]
    rows: int
    left_out: dict[str, np.ndarray]
    report: CheckReport | None
    first: list[Preview]
    plan: Plan


def look(
    dataset: Dataset,
    selection: Selection | None = None,
    *,
    format: str = "alpaca",
    trainer: str = "none",
    count: int = 5,
    runtime: Runtime | None = None,
    **options: Any,
) -> Look:
    """Everything about an export but the files: first records, what the form cannot say, the trainer check.

    Args:
        dataset: The rows.
        selection: Which rows.
        format: One of `FORMATS` but "original", whose records are those of the dataset.
        trainer: "none", "llama-factory", "axolotl" or "trl".
        count: How many first records.
        runtime: For progress and cancelling.
        **options: Other fields of the format.

    Raises:
        CurationError: if the trainer cannot read such a file at all, or for "original".
    """
    method = exporter(format, trainer=trainer, **options)
    if isinstance(method, Original):
        raise CurationError("format original writes records as they came", "look at Dataset.records(rows)")
    rows = chosen_rows(dataset, selection, method.order)
    name = f"data{method.suffix}"
    plan = plan_for(
        dataset, rows, (method.form(), method.second_form()), method.container(Path(name)), method.trainer, runtime
    )
    report = check_only(dataset, plan, Checking(method.trainer, method.cutoff_len, method.tokenizer), runtime)
    left_out = {f"{plan.form.name} cannot say: {reason}": found for reason, found in plan.unfit.items()}
    return Look(plan.columns, len(plan.rows), left_out, report, preview(dataset, plan, plan.rows[:count]), plan)


def preview_records(
    dataset: Dataset, rows: np.ndarray | None = None, *, format: str = "alpaca", count: int = 5, **options: Any
) -> list[Preview]:
    """The first of some rows as a format would write them, at once: only these rows are read.

    Args:
        dataset: The rows.
        rows: Which; None = from the beginning.
        format: One of `FORMATS`; "original" shows the records as they came.
        count: How many.
        **options: Fields of the format.

    Returns:
        One Preview per row; its `problem` says why a form cannot say it. Columns that only other rows need are absent.
    """
    method = exporter(format, **options)
    chosen = np.arange(min(count, len(dataset))) if rows is None else np.asarray(rows, np.int64)[:count]
    if isinstance(method, Original):
        return [Preview(int(row), dataset.record(int(row))) for row in chosen]
    container = method.container(Path(f"data{method.suffix}"))
    plan = plan_for(dataset, chosen, (method.form(), method.second_form()), container, method.trainer)
    return preview(dataset, plan, chosen)


def loss_mask_preview(record: dict[str, Any], *, format: str, trainer: str) -> Reading:
    """What a trainer makes of one record: which stretches of text it reads and which of them it learns.

    Args:
        record: A record as exported, or as a `Preview` shows it.
        format: Its form: "alpaca", "sharegpt", "messages" or "prompt_completion".
        trainer: "llama-factory", "axolotl" or "trl".
    """
    return read_by(record, trainer, format.replace("-", "_"))
