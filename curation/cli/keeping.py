"""Commands about what is kept: add, methods, export, jobs, prune."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import ValidationError

from curation import jobs
from curation.api import beside, methods
from curation.cli.show import (
    DatasetOption,
    JsonOption,
    WorkspaceOption,
    out,
    print_json,
    reading,
    size_text,
    table,
)
from curation.cli.work import result_of
from curation.core.artifacts import Selection
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.recipe import Recipe, load_yaml, preset_names
from curation.recipe.data import first_problem
from curation.workspace import Workspace

if TYPE_CHECKING:
    from curation.readers import Preview


def add(
    files: Annotated[list[str], typer.Argument(help="Files, data set folders or hub ids; together one dataset")],
    name: Annotated[str | None, typer.Option(help="What to call it [the first file's name]")] = None,
    mapping: Annotated[Path | None, typer.Option(help="YAML file that says which field is what")] = None,
    preview: Annotated[bool, typer.Option("--preview", help="Only show what would be read")] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read files into a dataset."""
    from curation.readers import Mapping
    from curation.readers import preview as look

    given = None
    if mapping:
        try:
            given = Mapping.model_validate(load_yaml(mapping.read_text(encoding="utf-8-sig")))
        except ValidationError as error:
            raise CurationError(f"{mapping}: {first_problem(error)}", "a mapping says which field is what") from None
        except (FileNotFoundError, IsADirectoryError, UnicodeDecodeError):
            raise CurationError(f"{mapping} is no text file", "--mapping wants a YAML file") from None
    if preview:
        return _show_preview(look(files, given), as_json)
    ws = Workspace.open(workspace)
    with reading(as_json) as progress:
        added = ws.add(files, name=name, mapping=given, progress=progress)
    if as_json:
        return print_json(
            {"dataset": added.dataset.name, "rows": len(added.dataset), "rejected": added.rejected,
             "fingerprint": added.dataset.fingerprint, "sources": added.facts.get("sources", [])}
        )  # fmt: skip
    for source in added.facts.get("sources", []):
        notes = "; ".join(source.get("notes", []))
        out.print(f"{source['name']}: {source['rows']:,} rows as {source['form']}" + (f" ({notes})" if notes else ""))
    out.print(f"dataset '{added.dataset.name}': {len(added.dataset):,} rows, {added.rejected:,} rejected")
    for bad, _ in zip(ws.quarantine(added.dataset.fingerprint), range(5), strict=False):
        line = None if bad.get("line") is None else f"line {bad['line']}"
        place = ", ".join(str(p) for p in (bad["source"], line, bad.get("field") and f"field '{bad['field']}'") if p)
        out.print(f"  rejected: {place}: {bad['reason']}")
    return None


def _show_preview(seen: Preview, as_json: bool) -> None:
    if as_json:
        plain = (
            "label",
            "path",
            "container",
            "split",
            "form",
            "why",
            "fields",
            "looked_at",
            "rejected",
            "reasons",
            "total",
        )
        return print_json(
            {
                "sources": [
                    {
                        **{name: getattr(s, name) for name in plain},
                        "notes": s.notes,
                        "mapping": s.mapping and s.mapping.model_dump(exclude_none=True),
                    }
                    for s in seen.sources
                ]
            }
        )
    for source in seen.sources:
        count = "?" if source.total is None else f"{source.total:,}"
        out.print(f"{source.label}: {count} records, read as {source.form or 'nothing known'} ({source.why})")
        for note in source.notes:
            out.print(f"  note: {note}")
        if source.rejected:
            out.print(f"  {source.rejected:,} of the first {source.looked_at:,} would be rejected")
        for reason, number in source.reasons.items():
            out.print(f"    {number:,}: {reason}")
        for row in source.rows[:3]:
            out.print("  - " + " | ".join(f"{m['role']}: {m['content'][:100]!r}" for m in row.messages))
    return None


def methods_command(
    family: Annotated[str | None, typer.Argument(help="selector, scorer, encoder, labeller, exporter, ...")] = None,
    workspace: WorkspaceOption = None,  # the same for every command, so that a script can always pass it
    as_json: JsonOption = False,
) -> None:
    """List methods and presets: family, name, class, source."""
    found = methods(family)
    presets = [] if family not in (None, "preset") else [
        {"family": "preset", "name": name, "class": str(about.get("method_class", "")),
         "title": str(about.get("title", "")), "source": str(about.get("source", ""))}
        for name in preset_names() for about in [Recipe.read(name).about]
    ]  # fmt: skip
    if as_json:
        return print_json([*presets, *found])
    if family not in (None, "preset", *{m["family"] for m in found}):
        raise CurationError(f"there is no family '{family}'", "families: preset, selector, scorer, encoder, ...")
    keys = ("name", "class", "title", "source")
    table("", list(keys), [[m[k] for k in keys] for m in [*presets, *found]])
    return None


def export(
    result: Annotated[str | None, typer.Argument(help="A result [the newest selection], or 'all' rows")] = None,
    format: Annotated[
        str, typer.Option(help="alpaca, sharegpt, messages, prompt-completion, parquet, csv, hf, original")
    ] = "alpaca",
    output: Annotated[Path | None, typer.Option(help="File or folder to write")] = None,
    trainer: Annotated[str, typer.Option(help="Check against: none, llama-factory, axolotl, trl")] = "none",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files")] = False,
    dataset: DatasetOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write selected rows for a trainer, with recipe, card, decisions and checksums."""
    from curation.exporters import export_rows

    ws = Workspace.open(workspace)
    if result == "all":
        pool = _pool(ws, dataset)
        made = export_rows(
            pool, None, format=format, output=_target(ws, pool, format, output), trainer=trainer, overwrite=overwrite
        )
    else:
        key, text = result_of(ws, result)
        selection = ws.load(key)
        if not isinstance(selection, Selection):
            raise CurationError(f"only a selection can be exported, {result} is {selection.kind}")
        pool = ws.dataset(selection.dataset)
        scores, labels = beside(ws, key)
        made = export_rows(
            pool,
            selection,
            format=format,
            output=_target(ws, pool, format, output),
            recipe=Recipe.read(text).upto(str(ws.manifest(key)["step"])).yaml(),
            scores=scores,
            labels=labels,
            trainer=trainer,
            overwrite=overwrite,
        )
    if as_json:
        return print_json({"path": made.path, "rows": made.rows, "files": made.files, "info": made.info})
    out.print(f"{made.rows:,} rows written to {made.path}")
    for name in made.files:
        out.print(f"  {name}")
    if "check" in made.info:
        out.print(str(made.info["check"]))
    return None


def _pool(ws: Workspace, name: str | None) -> Dataset:
    stored = ws.datasets()
    if name is None and len(stored) != 1:
        names = ", ".join(d.name for d in stored) or "none yet; add one with: curate add FILE"
        raise CurationError("it is not said which dataset to export", f"--dataset NAME; datasets: {names}")
    return ws.dataset(name or stored[0].fingerprint)


def _target(ws: Workspace, pool: Dataset, format: str, output: Path | None) -> Path:
    return output or ws.root / "exports" / f"{pool.name}-{format}-{time.strftime('%Y%m%d-%H%M%S')}"


def jobs_command(
    job: Annotated[str | None, typer.Argument(help="Show one job")] = None,
    cancel: Annotated[bool, typer.Option("--cancel", help="Ask it to stop")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Run it again; stored work is reused")] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """List jobs, or show, cancel or resume one."""
    ws = Workspace.open(workspace)
    if job is None:
        if cancel or resume:
            raise CurationError("it is not said which job", "curate jobs JOB --cancel; the list: curate jobs")
        listed = jobs.listing(ws)
        if as_json:
            return print_json([asdict(s) for s in listed])
        if not listed:
            return out.print("no jobs yet; start one with: curate run first-look")
        rows = [[s.id, s.title, s.state, f"{s.share:.0%}", s.dataset, s.message] for s in listed]
        return table("", ["job", "title", "state", "done", "dataset", "message"], rows)
    if cancel:
        state = jobs.status(ws, job).state
        if state in jobs.ENDED:
            raise CurationError(f"the job {job} is over already: {state}", "see: curate jobs")
        jobs.cancel(ws, job)
    elif resume:
        job = jobs.resume(ws, job).id
    status = jobs.status(ws, job)
    if as_json:
        return print_json(asdict(status))
    out.print(f"{status.id}  {status.title}  {status.state}  {status.share:.0%}  {status.step}")
    out.print(jobs.read_log(ws, job, 40))
    return None


def prune(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go")] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove results that nothing refers to, and show the disk use."""
    ws = Workspace.open(workspace)
    pruned = ws.prune(dry_run=dry_run)
    usage = ws.usage()
    if as_json:
        return print_json({"bytes": pruned.bytes, "paths": pruned.paths, "usage": usage})
    table("", ["area", "size"], [[area, size_text(size)] for area, size in usage.items()])
    verb = "would free" if dry_run else "freed"
    out.print(f"{verb} {size_text(pruned.bytes)} in {len(pruned.paths):,} places")
    return None
