"""`curate decisions`: what was kept, dropped and noted by hand."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from curation.cli.show import DatasetOption, JsonOption, WorkspaceOption, out, print_json, table
from curation.cli.work import result_of
from curation.complete.edits import edited_result
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.row_ranges import format_rows, parse_rows
from curation.workspace import DecisionLog, Decisions, Workspace, carry, write_atomically

SHOWN = 20
app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Keep, drop or note rows by hand; every decision is an event that can be taken back.",
)
RowsArgument = Annotated[str, typer.Argument(help="Row numbers and ranges: 3,10-20")]


def _log(workspace: Path | None, dataset: str | None) -> DecisionLog:
    ws = Workspace.open(workspace)
    return ws.decisions(_dataset(ws, dataset))


def _dataset(ws: Workspace, name: str | None) -> Dataset:
    stored = ws.datasets()
    if name is None and len(stored) != 1:
        names = ", ".join(d.name for d in stored) or "none yet; add one with: curate add FILE"
        raise CurationError("it is not said whose rows", f"--dataset NAME; datasets: {names}")
    return ws.dataset(name if name is not None else stored[0].fingerprint)


def _rows(text: str) -> np.ndarray:
    try:
        return parse_rows(text)
    except ValueError as error:
        raise CurationError(str(error), "write rows such as 3,10-20") from None


def _facts(log: DecisionLog, state: Decisions) -> dict[str, object]:
    return {
        "dataset": log.dataset.name, "fingerprint": log.dataset.fingerprint, "kept": format_rows(state.kept),
        "dropped": format_rows(state.dropped), "notes": {str(r): t for r, t in sorted(state.notes.items())},
        "undo": state.undo_label, "redo": state.redo_label, "events": state.version,
    }  # fmt: skip


def _say(log: DecisionLog, state: Decisions, as_json: bool) -> None:
    if as_json:
        return print_json(_facts(log, state))
    counts = f"{len(state.kept):,} kept, {len(state.dropped):,} dropped, {len(state.notes):,} noted"
    out.print(f"{counts} of {len(log.dataset):,} rows")
    for word, label in (("undo", state.undo_label), ("redo", state.redo_label)):
        if label:
            out.print(f"curate decisions {word}: {label}")
    return None


@app.command("list")
def list_command(
    events: Annotated[bool, typer.Option("--events", help="Show the events instead, the newest last")] = False,
    dataset: DatasetOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what is decided, and the log."""
    log = _log(workspace, dataset)
    state = log.state()
    if events:
        found = log.events()
        if as_json:
            return print_json([e.model_dump(exclude_defaults=True) for e in found])
        rows = [[e.id, e.action, e.rows[:40] or e.of, e.note[:60]] for e in found]
        return table("", ["event", "action", "rows or event", "note"], rows)
    if as_json:
        return print_json(_facts(log, state))
    named = np.union1d(np.concatenate([state.kept, state.dropped]), state.noted)
    shown = [[f"{r:,}", state.of(r), state.notes.get(r, "")[:80]] for r in named[:SHOWN].tolist()]
    if shown:
        table("", ["row", "decision", "note"], shown)
    if len(named) > SHOWN:
        out.print(f"and {len(named) - SHOWN:,} more; all of them: --json")
    return _say(log, state, as_json)


@app.command("keep")
def keep_command(
    rows: RowsArgument, dataset: DatasetOption = None, workspace: WorkspaceOption = None, as_json: JsonOption = False
) -> None:
    """Keep rows, whatever a method says."""
    log = _log(workspace, dataset)
    _say(log, log.keep(_rows(rows)), as_json)


@app.command("drop")
def drop_command(
    rows: RowsArgument, dataset: DatasetOption = None, workspace: WorkspaceOption = None, as_json: JsonOption = False
) -> None:
    """Drop rows, whatever a method says."""
    log = _log(workspace, dataset)
    _say(log, log.drop(_rows(rows)), as_json)


@app.command("clear")
def clear_command(
    rows: RowsArgument, dataset: DatasetOption = None, workspace: WorkspaceOption = None, as_json: JsonOption = False
) -> None:
    """Neither keep nor drop rows any more; notes stay."""
    log = _log(workspace, dataset)
    _say(log, log.clear(_rows(rows)), as_json)


@app.command("note")
def note_command(
    row: Annotated[int, typer.Argument(help="One row number")],
    text: Annotated[str, typer.Argument(help="What to write; '' removes the note")],
    dataset: DatasetOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a note on a row."""
    log = _log(workspace, dataset)
    _say(log, log.note(row, text), as_json)


@app.command("undo")
def undo_command(dataset: DatasetOption = None, workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Take the last decision back."""
    log = _log(workspace, dataset)
    _say(log, log.undo(), as_json)


@app.command("redo")
def redo_command(dataset: DatasetOption = None, workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Do again what was taken back."""
    log = _log(workspace, dataset)
    _say(log, log.redo(), as_json)


@app.command("recipe")
def recipe_command(
    result: Annotated[str | None, typer.Argument(help="A selection: job, JOB.STEP or key [all rows]")] = None,
    output: Annotated[Path | None, typer.Option(help="File to write [standard output]")] = None,
    dataset: DatasetOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the recipe that carries the decisions out, on a selection or on all rows."""
    ws = Workspace.open(workspace)
    if result is None:
        key, log = None, _log(workspace, dataset)
    else:
        key, _ = result_of(ws, result)
        log = ws.decisions(ws.dataset(dataset or str(ws.manifest(key)["dataset"])))
    recipe, bindings = edited_result(ws, log.state(), log.dataset, key)
    text = recipe.yaml()
    command = ["curate", "run", str(output or "RECIPE")]
    command += [word for name, bound in bindings.items() for word in ("--input", f"{name}={bound}")]
    if output is not None:
        try:
            write_atomically(output, text)
        except OSError as error:
            raise CurationError(f"{output} cannot be written: {error.strerror}", "name another file") from None
    if as_json:
        return print_json({"recipe": text, "path": None if output is None else str(output), "bindings": bindings,
                           "command": shlex.join(command)})  # fmt: skip
    if output is None:
        return out.print(text, end="")
    out.print(f"{output} written; run it with\n{shlex.join(command)}")
    return None


@app.command("carry")
def carry_command(
    old: Annotated[str, typer.Argument(help="The dataset that the decisions were made on")],
    new: Annotated[str, typer.Argument(help="The dataset that they are for")],
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make the decisions on one dataset also on a new version of it, by row id."""
    ws = Workspace.open(workspace)
    first, second = ws.decisions(ws.dataset(old)), ws.decisions(ws.dataset(new))
    if first.path == second.path:
        raise CurationError(f"'{old}' and '{new}' are the same dataset", "name two")
    made = carry(first, second)
    if as_json:
        return print_json({**made.__dict__, **_facts(second, second.state())})
    out.print(f"carried: {made.kept:,} kept, {made.dropped:,} dropped, {made.noted:,} noted")
    if made.absent:
        out.print(f"{made.absent:,} rows are not in '{second.dataset.name}'")
    if made.stayed:
        out.print(f"{made.stayed:,} rows were decided there already and stay as they are")
    return None
