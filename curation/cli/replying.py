"""`curate replies`: what chat models replied and was kept, so that it is not paid for twice."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from curation.cli.show import JsonOption, WorkspaceOption, err, out, print_json, size_text, table
from curation.core.errors import CurationError
from curation.models.chat.store import ReplyStore
from curation.workspace import Workspace

app = typer.Typer(
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Show, check, export or forget the stored replies of chat models.",
)


@app.callback(invoke_without_command=True)
def replies(context: typer.Context, workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Count the stored replies, by endpoint and model."""
    if context.invoked_subcommand:
        context.obj = workspace
        return None
    store = _store(workspace)
    if store is None:
        return print_json({"replies": [], "count": 0, "bytes": 0}) if as_json else _nothing()
    with store:
        used, size = store.usage(), store.size()
    if as_json:
        return print_json({"replies": [asdict(u) for u in used], "count": sum(u.replies for u in used), "bytes": size})
    if not used:
        return _nothing()
    rows = [
        [u.endpoint, u.model, u.replies, u.tokens_in, u.tokens_out, size_text(u.bytes), _day(u.oldest), _day(u.newest)]
        for u in used
    ]
    table("", ["endpoint", "model", "replies", "tokens in", "tokens out", "size", "first", "last"], rows)
    return out.print(f"{sum(u.replies for u in used):,} replies, {size_text(size)} on disk")


@app.command()
def forget(
    context: typer.Context,
    model: Annotated[str | None, typer.Option(help="Only replies of this model")] = None,
    endpoint: Annotated[
        str | None, typer.Option(help="Only replies of this endpoint, as `curate replies` shows")
    ] = None,
    older_than: Annotated[float | None, typer.Option(help="Only replies older than so many DAYS", min=0)] = None,
    everything: Annotated[bool, typer.Option("--all", help="All replies")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation")] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove stored replies for good; asking the same again costs again."""
    said = {"model": model, "endpoint": endpoint, "older_than": older_than}
    if everything == any(value is not None for value in said.values()):
        raise CurationError(
            "it is not said which replies", "--model NAME, --endpoint ADDRESS, --older-than DAYS, or --all and no other"
        )
    store = _store(workspace or context.obj)
    if store is None:
        return print_json({"forgotten": 0}) if as_json else _nothing()
    before = None if older_than is None else time.time() - older_than * 86400
    with store:
        count = store.count(endpoint=endpoint, model=model, before=before)
        if not count:
            known = ", ".join(sorted({u.model for u in store.usage()})) or "none"
            raise CurationError("no stored reply is meant by that", f"models with replies: {known}")
        if not yes:
            if as_json or not sys.stdin.isatty():
                raise CurationError(f"{count:,} replies would be removed for good", "add --yes to do it")
            err.print(f"{count:,} replies that were paid for will be removed for good.")
            if not typer.confirm("Remove them?", err=True):
                raise typer.Exit(1)
        gone = store.forget(endpoint=endpoint, model=model, before=before)
    if as_json:
        return print_json({"forgotten": gone})
    return out.print(f"{gone:,} replies removed")


@app.command()
def check(context: typer.Context, workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Read every stored reply and say whether the file is as it was written."""
    store = _store(workspace or context.obj)
    if store is None:
        return print_json({"sound": True, "count": 0}) if as_json else _nothing()
    with store:
        store.check()
        count = store.count()
    return print_json({"sound": True, "count": count}) if as_json else out.print(f"{count:,} replies, all sound")


@app.command()
def export(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="JSON Lines file to write")],
    workspace: WorkspaceOption = None,
) -> None:
    """Write every stored reply as a line of JSON: key, endpoint, model and what came back."""
    store = _store(workspace or context.obj)
    if store is None:
        return _nothing()
    if file.exists():
        raise CurationError(f"{file} exists already", "name another file")
    count = 0
    # ASCII: a reply may hold half a surrogate pair, which no UTF-8 file can
    with store, file.open("w", encoding="ascii") as lines:
        for count, line in enumerate(store.export(), start=1):  # noqa: B007 - counted
            lines.write(json.dumps(line) + "\n")
    return out.print(f"{count:,} replies written to {file}")


def _store(workspace: Path | None) -> ReplyStore | None:
    path = Workspace.open(workspace).root / "replies.sqlite"
    return ReplyStore(path) if path.exists() else None


def _nothing() -> None:
    out.print("no replies are stored in this workspace")


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M")
