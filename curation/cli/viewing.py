"""`curate view`: the rows of a link that was copied from the app's address."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated
from urllib.parse import parse_qs, urlsplit

import numpy as np
import typer

from curation.cli.show import DatasetOption, JsonOption, WorkspaceOption, out, print_json
from curation.complete.stored import Parts
from curation.core.errors import CurationError
from curation.core.row_ranges import format_rows
from curation.views import View, WorkspaceSources, describe, evaluate, holds, steps_of
from curation.workspace import Workspace, write_atomically

PARAMETER = "view"
DATASET_PARAMETER = "dataset"


def view_command(
    link: Annotated[str, typer.Argument(help="A link from the app's address, or only what stands after view=")],
    dataset: DatasetOption = None,
    save: Annotated[Path | None, typer.Option("--save", help="Write the view as a recipe")] = None,
    count: Annotated[bool, typer.Option("--count", help="Print the number of rows and nothing else")] = False,
    rows: Annotated[bool, typer.Option("--rows", help="Print the row numbers: 3,10-20")] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say which rows a link shows, and write them as a recipe."""
    ws = Workspace.open(workspace)
    code, asked = read_link(link)
    sources = _sources(ws, dataset or asked)
    view = View.decode(code)
    mask = evaluate(view, sources)
    found = int(np.count_nonzero(mask))
    command = _saved(ws, view, sources, save) if save is not None else []
    if as_json:
        said = [{"says": describe(c, sources), "rows": int(holds(c, sources).sum())} for c in view.conditions]
        return print_json({
            "dataset": sources.dataset.name, "rows": found, "of": len(mask), "conditions": said,
            "row_numbers": format_rows(np.flatnonzero(mask)) if rows else None,
            "path": None if save is None else str(save), "command": shlex.join(command),
        })  # fmt: skip
    if count:
        out.print(f"{found}")
        return None
    for condition in view.conditions:
        out.print(f"{describe(condition, sources)}: {int(holds(condition, sources).sum()):,} rows")
    out.print(f"{found:,} of {len(mask):,} rows of {sources.dataset.name}")
    if rows:
        out.print(format_rows(np.flatnonzero(mask)))
    if command:
        out.print(f"{save} written; run it with\n{shlex.join(command)}")
    return None


def read_link(link: str) -> tuple[str, str | None]:
    """The code of the view in a link, and the dataset that the link names; a link may be a code alone.

    Raises:
        CurationError: if there is no view in it.
    """
    text = link.strip()
    if "://" not in text and "?" not in text and "=" not in text:
        return text, None
    try:
        query = urlsplit(text).query or text.partition("?")[2] or text
        found = parse_qs(query, keep_blank_values=True, max_num_fields=1_000)
    except ValueError as error:
        raise CurationError(f"the link is not understood: {error}", "copy it from the app's address again") from None
    # a link without a view shows all rows
    return found.get(PARAMETER, [""])[-1], found.get(DATASET_PARAMETER, [None])[-1]


def _sources(ws: Workspace, name: str | None) -> WorkspaceSources:
    stored = ws.datasets()
    if name is None and len(stored) != 1:
        names = ", ".join(d.name for d in stored) or "none yet; add one with: curate add FILE"
        raise CurationError("it is not said whose rows", f"--dataset NAME; datasets: {names}")
    dataset = ws.dataset(name if name is not None else stored[0].fingerprint)

    def embed(text: str, features: str) -> np.ndarray:
        from curation.query_encoder import encode_here

        return np.asarray(encode_here(ws, features, [text])[0])

    return WorkspaceSources(ws, dataset, embed=embed)


def _saved(ws: Workspace, view: View, sources: WorkspaceSources, path: Path) -> list[str]:
    """Write the recipe; the command that runs it."""
    parts = Parts(ws, sources.dataset.fingerprint)
    made = steps_of(view, sources, parts.add)
    names = parts.add_steps(made.steps)
    recipe = parts.recipe(f"${names[made.result]}", made.about)
    try:
        write_atomically(path, recipe.yaml())
    except OSError as error:
        raise CurationError(f"{path} cannot be written: {error.strerror}", "name another file") from None
    inputs = [word for name, bound in parts.bindings.items() for word in ("--input", f"{name}={bound}")]
    return ["curate", "run", str(path), *inputs]
