"""What the command line prints, and the options that many commands share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from curation import jobs
from curation.core.artifacts import Coverage
from curation.core.saving import to_json

out = Console(markup=False, highlight=False, soft_wrap=True)
err = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)

WorkspaceOption = Annotated[
    Path | None, typer.Option("--workspace", help="Folder that remembers datasets and results [.curation]")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else on standard output")]
DatasetOption = Annotated[
    str | None, typer.Option("--dataset", help="A dataset's name, or a file to add; not needed while there is only one")
]
SetOption = Annotated[list[str] | None, typer.Option("--set", help="STEP.FIELD=VALUE; may be given several times")]
DeviceOption = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or mps")]


# ---------------------------------------------------------------------- helpers


def print_json(data: Any) -> None:
    """Print one JSON object on standard output."""
    typer.echo(to_json(data))


def size_text(count: float) -> str:
    """Bytes for people."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return ""


def seconds_text(value: float | None) -> str:
    """Seconds for people; "?" when unknown."""
    if value is None or value != value:
        return "?"
    if value < 90:
        return f"{value:.1f} s"
    return f"{value / 60:.1f} min" if value < 5400 else f"{value / 3600:.1f} h"


def table(title: str, columns: list[str], rows: list[list[Any]]) -> None:
    """Print a table; columns of numbers stand to the right."""
    table = Table(title=title or None, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for i, column in enumerate(columns):
        numeric = rows and all(isinstance(r[i], int | float) for r in rows)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(
            *[f"{c:,.4g}" if isinstance(c, float) else f"{c:,}" if isinstance(c, int) else str(c) for c in row]
        )
    out.print(table)


def print_coverage(report: Coverage) -> None:
    """Print the measures of a selection beside those of random ones."""
    table("Coverage", ["measure", "selection", "random (mean)"], [
        [name, float(value), float(report.info.get("random_table", {}).get(name, float("nan")))]
        for name, value in report.table.items()
    ])  # fmt: skip


@contextmanager
def live(quiet: bool, spending: Callable[[jobs.Status], str] = lambda status: "") -> Iterator[Any]:
    """A line on the terminal that follows the job; nothing where there is no terminal or --json is given.

    Args:
        quiet: Show nothing.
        spending: What the job has spent so far, in words.
    """
    if quiet or not err.is_terminal:
        yield lambda status: None
        return
    with err.status("starting") as line:

        def echo(status: jobs.Status) -> None:
            share = f" {status.done / status.total:4.0%}" if status.total else ""
            left = f", {seconds_text(status.seconds_left)} left" if status.seconds_left else ""
            note = f" ({status.note})" if status.note and status.note != status.step else ""
            place = f"{status.step_index + 1}/{status.step_count} " if status.step_count else ""
            spent = f" · {told}" if (told := spending(status)) else ""
            line.update(f"{place}{status.step or status.state}{share}{left}{note}{spent}")

        yield echo


@contextmanager
def reading(quiet: bool) -> Iterator[Any]:
    """A line on the terminal that follows an import."""
    if quiet or not err.is_terminal:
        yield lambda done, total, note="": None
        return
    with err.status("reading") as line:
        yield lambda done, total, note="": line.update(f"reading {note} {done / total:4.0%}" if total else "reading")
