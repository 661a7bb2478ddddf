"""The `curate` command: a thin way to say recipes."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from curation import jobs
from curation.api import beside, methods
from curation.complete import complete, method_name, with_coverage
from curation.core.artifacts import Coverage, Export, Score, Selection
from curation.core.dataset import Dataset
from curation.core.errors import CurationError, RecipeError
from curation.engine import Outcome
from curation.estimates import estimate, total
from curation.recipe import Recipe, load_yaml, plan, preset_names
from curation.workspace import Workspace

if TYPE_CHECKING:
    from curation.readers import Preview

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="See, score, select and export the rows to fine-tune on.\n\n"
    "A newcomer's way:  curate app my.json   or without a browser:  curate add my.json, "
    "curate select modn --budget 1000, curate export --format alpaca --output subset.json",
)
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


def _print_json(data: Any) -> None:
    typer.echo(json.dumps(data, ensure_ascii=False))


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return ""


def _seconds(value: float | None) -> str:
    if value is None or value != value:
        return "?"
    if value < 90:
        return f"{value:.1f} s"
    return f"{value / 60:.1f} min" if value < 5400 else f"{value / 3600:.1f} h"


def _table(title: str, columns: list[str], rows: list[list[Any]]) -> None:
    table = Table(title=title or None, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for i, column in enumerate(columns):
        numeric = rows and all(isinstance(r[i], int | float) for r in rows)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(
            *[f"{c:,.4g}" if isinstance(c, float) else f"{c:,}" if isinstance(c, int) else str(c) for c in row]
        )
    out.print(table)


@contextmanager
def _live(quiet: bool) -> Iterator[Any]:
    """A line on the terminal that follows the job; nothing where there is no terminal or --json is given."""
    if quiet or not err.is_terminal:
        yield lambda status: None
        return
    with err.status("starting") as line:

        def echo(status: jobs.Status) -> None:
            share = f" {status.done / status.total:4.0%}" if status.total else ""
            left = f", {_seconds(status.seconds_left)} left" if status.seconds_left else ""
            note = f" ({status.note})" if status.note and status.note != status.step else ""
            place = f"{status.step_index + 1}/{status.step_count} " if status.step_count else ""
            line.update(f"{place}{status.step or status.state}{share}{left}{note}")

        yield echo


def _bindings(recipe: Recipe, dataset: str | None, inputs: list[str] | None) -> dict[str, str]:
    bound: dict[str, str] = {}
    for text in inputs or []:
        name, equals, value = text.partition("=")
        if not equals:
            raise RecipeError(f"'{text}' is not of the form NAME=VALUE")
        bound[name] = value
    pools = [n for n, spec in recipe.inputs.items() if spec.type == "Dataset"]
    if dataset is not None:
        if not pools:
            raise RecipeError("the recipe reads no dataset")
        bound.setdefault(pools[0], dataset)
    return bound


def _run(
    workspace: Workspace,
    recipe: Recipe,
    bindings: dict[str, str],
    *,
    as_json: bool,
    device: str,
    title: str = "",
    outputs: Path | None = None,
) -> tuple[jobs.Job, Outcome]:
    with _live(as_json) as echo:
        job, outcome = jobs.run_here(
            workspace, recipe, bindings, title=title, device=device, echo=echo, outputs=outputs
        )
    if not as_json:
        expected = {
            e["step"]: e["seconds"] for e in jobs.status(workspace, job.id).estimates if e["basis"] != "unknown"
        }
        _table(
            "",
            ["step", "method", "time", "estimated", "peak", "rows", "reused"],
            [
                [
                    s.name,
                    s.use,
                    _seconds(s.seconds),
                    _seconds(expected.get(s.name)) if s.name in expected else "",
                    f"{s.peak_mb:,.0f} MB" if s.peak_mb else "",
                    s.rows,
                    "all" if s.reused else s.rows_reused or "",
                ]
                for s in outcome.steps
            ],
        )
        for fact in outcome.steps:
            if fact.note:
                out.print(f"{fact.name}: {fact.note}")
            for reason, count in fact.missing.items():
                out.print(f"{fact.name}: {count:,} rows missing, {reason}")
    return job, outcome


def _facts(job: jobs.Job, outcome: Outcome) -> dict[str, Any]:
    result = outcome.artifact(outcome.plan.result)
    return {
        "result": job.id,
        "key": outcome.result.key,
        "kind": outcome.result.kind,
        "selected": len(result) if isinstance(result, Selection) else None,
        "steps": [asdict(s) for s in outcome.steps],
    }


def _result_of(workspace: Workspace, name: str | None) -> tuple[str, str]:
    """(key, recipe YAML) of a result: a job's id, `JOB.STEP`, a key, or the newest finished job."""
    if name is None:
        done = [s for s in jobs.listing(workspace) if s.state == "done" and s.result]
        picked = [s for s in done if workspace.has(s.result) and workspace.manifest(s.result)["kind"] == "selection"]
        if not picked:
            raise CurationError("nothing has been selected in this workspace yet", "curate select modn --budget 1000")
        name = picked[0].id
    if workspace.has(name):
        return name, str(workspace.manifest(name)["recipe"])
    job_id, _, step = name.partition(".")
    status = jobs.status(workspace, job_id)
    keys = {s["name"]: s["key"] for s in status.steps}
    key = keys.get(step or status.result_step)
    if not key:
        raise CurationError(f"the job {job_id} has no step '{step}'", f"steps: {', '.join(keys) or status.state}")
    return key, str(workspace.manifest(key)["recipe"])


def _print_coverage(report: Coverage) -> None:
    _table("Coverage", ["measure", "selection", "random (mean)"], [
        [name, float(value), float(report.info.get("random_table", {}).get(name, float("nan")))]
        for name, value in report.table.items()
    ])  # fmt: skip


# ---------------------------------------------------------------------- commands


@app.command("app")
def app_command(
    file: Annotated[Path | None, typer.Argument(help="A file to add and open")] = None,
    workspace: WorkspaceOption = None,
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1")] = 8501,
    browser: Annotated[bool, typer.Option(help="Open a browser window")] = True,
) -> None:
    """Open the app in the browser, on 127.0.0.1 only."""
    ws = Workspace.open(workspace)
    query = ""
    if file is not None:
        added = ws.add(file)
        query = f"?dataset={added.dataset.fingerprint}"
        err.print(f"{added.dataset.name}: {len(added.dataset):,} rows, {added.rejected:,} rejected")
    from curation.serve import serve

    raise typer.Exit(serve(ws, port=port, browser=browser, query=query))


@app.command()
def demo(
    workspace: WorkspaceOption = None,
    budget: Annotated[str, typer.Option(help="Rows, percent or tokens")] = "200",
    output: Annotated[Path | None, typer.Option(help="Folder for the exported files")] = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Run the whole way on the demo dataset: embed, map, score, remove duplicates, select, cover, export."""
    from curation.serve import asset

    ws = Workspace.open(workspace)
    added = ws.add(asset("demo.json"), name="demo")
    recipe = Recipe.read("first-look").with_settings([f"pick.budget={budget}"])
    job, outcome = _run(
        ws, recipe, {"pool": added.dataset.fingerprint}, as_json=as_json, device=device, title="Demo", outputs=output
    )
    exported = outcome.artifact("export")
    assert isinstance(exported, Export)
    if as_json:
        return _print_json({**_facts(job, outcome), "path": exported.path, "rows": exported.rows})
    report = outcome.artifact("coverage")
    assert isinstance(report, Coverage)
    _print_coverage(report)
    out.print(f"\n{exported.rows:,} rows written to\n{exported.path}")
    return None


@app.command()
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

    given = Mapping.model_validate(load_yaml(mapping.read_text(encoding="utf-8"))) if mapping else None
    if preview:
        return _show_preview(look(files, given), as_json)
    ws = Workspace.open(workspace)
    with _reading(as_json) as progress:
        added = ws.add(files, name=name, mapping=given, progress=progress)
    if as_json:
        return _print_json(
            {"dataset": added.dataset.name, "rows": len(added.dataset), "rejected": added.rejected,
             "fingerprint": added.dataset.fingerprint, "sources": added.facts.get("sources", [])}
        )  # fmt: skip
    for source in added.facts.get("sources", []):
        notes = "; ".join(source.get("notes", []))
        out.print(f"{source['name']}: {source['rows']:,} rows as {source['form']}" + (f" ({notes})" if notes else ""))
    out.print(f"dataset '{added.dataset.name}': {len(added.dataset):,} rows, {added.rejected:,} rejected")
    for bad, _ in zip(ws.quarantine(added.dataset.fingerprint), range(5), strict=False):
        place = ", ".join(str(p) for p in (f"line {bad['line']}", bad.get("field") and f"field '{bad['field']}'") if p)
        out.print(f"  rejected: {bad['source']}, {place}: {bad['reason']}")
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
        return _print_json(
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


@contextmanager
def _reading(quiet: bool) -> Iterator[Any]:
    if quiet or not err.is_terminal:
        yield lambda done, total, note="": None
        return
    with err.status("reading") as line:
        yield lambda done, total, note="": line.update(f"reading {note} {done / total:4.0%}" if total else "reading")


@app.command("run")
def run_command(
    recipe: Annotated[str, typer.Argument(help="A recipe file, or a preset's name")],
    dataset: DatasetOption = None,
    settings: SetOption = None,
    inputs: Annotated[list[str] | None, typer.Option("--input", help="NAME=VALUE binds an input")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only check it and estimate its cost")] = False,
    workspace: WorkspaceOption = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Run a recipe or preset; what is stored is reused."""
    ws = Workspace.open(workspace)
    whole = Recipe.read(recipe).with_settings(settings or [])
    bound = _bindings(whole, dataset, inputs)
    if dry_run:
        return _dry_run(ws, whole, bound, device, as_json)
    job, outcome = _run(ws, whole, bound, as_json=as_json, device=device)
    if as_json:
        return _print_json(_facts(job, outcome))
    _say_result(job, outcome)
    return None


def _dry_run(ws: Workspace, recipe: Recipe, bound: dict[str, str], device: str, as_json: bool) -> None:
    from curation.core.runtime import Runtime, resolve_device

    runtime = Runtime(device=resolve_device() if device == "auto" else device)
    made = estimate(plan(recipe, ws, bound, runtime), ws, runtime)
    if as_json:
        return _print_json({"estimates": [asdict(e) for e in made], "total": total(made)})
    rows = [
        [e.step, e.use, *map(_seconds, (e.seconds, e.low, e.high)), _size(e.memory), _size(e.disk), e.rows, e.basis]
        for e in made
    ]
    _table("", ["step", "method", "time", "from", "to", "memory", "disk", "rows", "basis"], rows)
    sums = total(made)
    out.print(f"together {_seconds(sums['seconds'])} ({_seconds(sums['low'])} to {_seconds(sums['high'])}), "
              f"{_size(sums['memory'])} memory, {_size(sums['disk'])} on disk")  # fmt: skip
    return None


def _say_result(job: jobs.Job, outcome: Outcome) -> None:
    result = outcome.artifact(outcome.plan.result)
    if isinstance(result, Selection):
        out.print(f"{len(result):,} of {result.n:,} rows selected")
    for name, artifact in outcome.artifacts.items():
        if isinstance(artifact, Coverage):
            _print_coverage(artifact)
        if isinstance(artifact, Export):
            out.print(f"{name}: {artifact.rows:,} rows written to {artifact.path}")
    out.print(f"result: {job.id}")


@app.command("methods")
def methods_command(
    family: Annotated[str | None, typer.Argument(help="selector, scorer, encoder, labeller, exporter, ...")] = None,
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
        return _print_json([*presets, *found])
    if family not in (None, "preset", *{m["family"] for m in found}):
        raise CurationError(f"there is no family '{family}'", "families: preset, selector, scorer, encoder, ...")
    keys = ("name", "class", "title", "source")
    _table("", list(keys), [[m[k] for k in keys] for m in [*presets, *found]])
    return None


@app.command()
def select(
    method: Annotated[str, typer.Argument(help="A selector or preset: k-center, random, modn, ...")],
    budget: Annotated[str | None, typer.Option(help="1000, 5% or '200k tokens'")] = None,
    dataset: DatasetOption = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="FIELD=VALUE, or STEP.FIELD=VALUE for a preset's step")
    ] = None,
    coverage: Annotated[bool, typer.Option("--coverage", help="Measure coverage as well")] = False,
    workspace: WorkspaceOption = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Select rows by one method; the steps it needs are added."""
    ws = Workspace.open(workspace)
    recipe = _single(method, "selector", settings, {} if budget is None else {"budget": load_yaml(budget)})
    if coverage:
        recipe = with_coverage(recipe)
    job, outcome = _run(ws, recipe, _bindings(recipe, dataset, None), as_json=as_json, device=device)
    if as_json:
        return _print_json(_facts(job, outcome))
    _say_result(job, outcome)
    return None


def _single(name: str, family: str, settings: list[str] | None, values: dict[str, Any]) -> Recipe:
    for setting in settings or []:
        field, equals, value = setting.partition("=")
        if not equals:
            raise RecipeError(f"'{setting}' is not of the form FIELD=VALUE")
        values[field] = load_yaml(value)
    return complete(name if name in preset_names() else method_name(name, family), values)


@app.command()
def score(
    name: Annotated[str, typer.Argument(help="A scorer: length, mtld, readability, ...")],
    dataset: DatasetOption = None,
    settings: Annotated[list[str] | None, typer.Option("--set", help="FIELD=VALUE")] = None,
    workspace: WorkspaceOption = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Score every row by one method and show the distribution."""
    import numpy as np

    ws = Workspace.open(workspace)
    recipe = _single(name, "scorer", settings, {})
    job, outcome = _run(ws, recipe, _bindings(recipe, dataset, None), as_json=as_json, device=device)
    made = outcome.artifact(outcome.plan.result)
    assert isinstance(made, Score)
    present = np.asarray(made.values)[np.isfinite(made.values)]
    shares = (0, 5, 25, 50, 75, 95, 100)
    quantiles = {str(q): float(np.percentile(present, q)) for q in shares} if len(present) else {}
    if as_json:
        missing = made.missing.counts()
        return _print_json({**_facts(job, outcome), "quantiles": quantiles, "missing": missing})
    _table(made.name, ["percentile", "value"], [[q, v] for q, v in quantiles.items()])
    out.print(f"result: {job.id}")
    return None


@app.command()
def coverage(
    result: Annotated[str | None, typer.Argument(help="A result [the newest selection]")] = None,
    workspace: WorkspaceOption = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """How well a selection stands for its pool, beside random."""
    ws = Workspace.open(workspace)
    key, text = _result_of(ws, result)
    manifest = ws.manifest(key)
    recipe = Recipe.read(text).model_copy(update={"result": f"${manifest['step']}"})
    job, outcome = _run(ws, with_coverage(recipe), dict(manifest["bindings"]), as_json=as_json, device=device)
    report = outcome.artifact("coverage")
    assert isinstance(report, Coverage)
    if as_json:
        return _print_json(
            {**_facts(job, outcome), "coverage": report.table, "random": report.info.get("random_table")}
        )
    _print_coverage(report)
    return None


@app.command()
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
        pool = ws.dataset(dataset) if dataset else ws.dataset(ws.datasets()[0].fingerprint)
        made = export_rows(
            pool, None, format=format, output=_target(ws, pool, format, output), trainer=trainer, overwrite=overwrite
        )
    else:
        key, text = _result_of(ws, result)
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
            recipe=text,
            scores=scores,
            labels=labels,
            trainer=trainer,
            overwrite=overwrite,
        )
    if as_json:
        return _print_json({"path": made.path, "rows": made.rows, "files": made.files, "info": made.info})
    out.print(f"{made.rows:,} rows written to {made.path}")
    for name in made.files:
        out.print(f"  {name}")
    if "check" in made.info:
        out.print(str(made.info["check"]))
    return None


def _target(ws: Workspace, pool: Dataset, format: str, output: Path | None) -> Path:
    return output or ws.root / "exports" / f"{pool.name}-{format}-{time.strftime('%Y%m%d-%H%M%S')}"


@app.command("jobs")
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
        listed = jobs.listing(ws)
        if as_json:
            return _print_json([asdict(s) for s in listed])
        if not listed:
            return out.print("no jobs yet; start one with: curate run first-look")
        rows = [[s.id, s.title, s.state, f"{s.share:.0%}", s.dataset, s.message] for s in listed]
        return _table("", ["job", "title", "state", "done", "dataset", "message"], rows)
    if cancel:
        jobs.cancel(ws, job)
    elif resume:
        job = jobs.resume(ws, job).id
    status = jobs.status(ws, job)
    if as_json:
        return _print_json(asdict(status))
    out.print(f"{status.id}  {status.title}  {status.state}  {status.share:.0%}  {status.step}")
    out.print(jobs.read_log(ws, job, 40))
    return None


@app.command()
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
        return _print_json({"bytes": pruned.bytes, "paths": pruned.paths, "usage": usage})
    _table("", ["area", "size"], [[area, _size(size)] for area, size in usage.items()])
    verb = "would free" if dry_run else "freed"
    out.print(f"{verb} {_size(pruned.bytes)} in {len(pruned.paths):,} places")
    return None


def main() -> None:
    """Entry of the command: user errors are two lines and exit code 2, anything else is a traceback."""
    try:
        app()
    except CurationError as error:
        err.print(f"error: {error.message}")
        if error.hint:
            err.print(f"hint: {error.hint}")
        sys.exit(2)
    except BrokenPipeError:
        # the reader of our output went away; nothing to tell it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


if __name__ == "__main__":
    main()
