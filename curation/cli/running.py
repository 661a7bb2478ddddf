"""Commands that run recipes: demo, run, select, score, coverage; and the app."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from curation.cli.show import (
    DatasetOption,
    DeviceOption,
    JsonOption,
    SetOption,
    WorkspaceOption,
    err,
    out,
    print_coverage,
    print_json,
    table,
)
from curation.cli.spending import CallsOption, MoneyOption, ProbeOption, TokensOption, caps_of, probe_recipe
from curation.cli.work import bindings_of, facts_of, result_of, run_recipe, say_result, show_estimates, single
from curation.complete import with_coverage
from curation.core.artifacts import Coverage, Export, Score
from curation.core.errors import CurationError
from curation.core.method import find
from curation.recipe import Recipe
from curation.workspace import Workspace


def app_command(
    file: Annotated[Path | None, typer.Argument(help="A file to add and open")] = None,
    workspace: WorkspaceOption = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on 127.0.0.1")] = 8501,
    browser: Annotated[bool, typer.Option(help="Open a browser window")] = True,
) -> None:
    """Open the app in the browser, on 127.0.0.1 only."""
    from curation.serve import check_port, serve

    check_port(port)  # before a long import, not after it
    ws = Workspace.open(workspace)
    query = ""
    if file is not None:
        added = ws.add(file)
        query = f"?dataset={added.dataset.fingerprint}"
        err.print(f"{added.dataset.name}: {len(added.dataset):,} rows, {added.rejected:,} rejected")
    raise typer.Exit(serve(ws, port=port, browser=browser, query=query))


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
    job, outcome = run_recipe(
        ws, recipe, {"pool": added.dataset.fingerprint}, as_json=as_json, device=device, title="Demo", outputs=output
    )
    exported = outcome.artifact("export")
    assert isinstance(exported, Export)
    if as_json:
        return print_json({**facts_of(job, outcome), "path": exported.path, "rows": exported.rows})
    report = outcome.artifact("coverage")
    assert isinstance(report, Coverage)
    print_coverage(report)
    out.print(f"\n{exported.rows:,} rows written to\n{exported.path}")
    return None


def run_command(
    recipe: Annotated[str, typer.Argument(help="A recipe file, or a preset's name")],
    dataset: DatasetOption = None,
    settings: SetOption = None,
    inputs: Annotated[list[str] | None, typer.Option("--input", help="NAME=VALUE binds an input")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only check it and estimate its cost")] = False,
    probe: ProbeOption = False,
    max_money: MoneyOption = None,
    max_tokens: TokensOption = None,
    max_calls: CallsOption = None,
    go_on: Annotated[
        bool, typer.Option("--go-on", help="After a step that fails, finish those that do not read it")
    ] = False,
    workspace: WorkspaceOption = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Run a recipe or preset; what is stored is reused."""
    ws = Workspace.open(workspace)
    whole = Recipe.read(recipe).with_settings(settings or [])
    bound = bindings_of(whole, dataset, inputs)
    caps = caps_of(max_money, max_tokens, max_calls)
    if probe and not dry_run:
        probe_recipe(ws, whole, bound, device, caps, quiet=as_json)
    if dry_run or probe:
        return show_estimates(ws, whole, bound, device, as_json)
    job, outcome = run_recipe(ws, whole, bound, as_json=as_json, device=device, go_on=go_on, caps=caps)
    if as_json:
        return print_json(facts_of(job, outcome))
    say_result(job, outcome)
    return None


def select(
    method: Annotated[str, typer.Argument(help="A selector or preset: k-center, random, modn, ...")],
    budget: Annotated[str | None, typer.Option(help="1000, 5% or '200k tokens'")] = None,
    dataset: DatasetOption = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="FIELD=VALUE, or STEP.FIELD=VALUE for a preset's step")
    ] = None,
    inputs: Annotated[
        list[str] | None, typer.Option("--input", help="NAME=VALUE binds a preset's further input: queries=FILE")
    ] = None,
    coverage: Annotated[bool, typer.Option("--coverage", help="Measure coverage as well")] = False,
    max_money: MoneyOption = None,
    max_tokens: TokensOption = None,
    max_calls: CallsOption = None,
    workspace: WorkspaceOption = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Select rows by one method; the steps it needs are added."""
    ws = Workspace.open(workspace)
    recipe = single(method, "selector", settings, {} if budget is None else {"budget": budget.strip()})
    if coverage:
        recipe = with_coverage(recipe)
    caps = caps_of(max_money, max_tokens, max_calls)
    bound = bindings_of(recipe, dataset, inputs)
    job, outcome = run_recipe(ws, recipe, bound, as_json=as_json, device=device, caps=caps)
    if as_json:
        return print_json(facts_of(job, outcome))
    say_result(job, outcome)
    return None


def score(
    name: Annotated[str, typer.Argument(help="A scorer: length, mtld, readability, ...")],
    dataset: DatasetOption = None,
    settings: Annotated[list[str] | None, typer.Option("--set", help="FIELD=VALUE")] = None,
    max_money: MoneyOption = None,
    max_tokens: TokensOption = None,
    max_calls: CallsOption = None,
    workspace: WorkspaceOption = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Score every row by one method and show the distribution."""
    import numpy as np

    ws = Workspace.open(workspace)
    recipe = single(name, "scorer", settings, {})
    made_of = find(recipe.steps[recipe.result.removeprefix("$")]["use"]).returns
    if made_of is not Score:
        raise CurationError(f"{name} makes {made_of.kind}, not a score", "see: curate methods scorer")
    caps = caps_of(max_money, max_tokens, max_calls)
    bound = bindings_of(recipe, dataset, None)
    job, outcome = run_recipe(ws, recipe, bound, as_json=as_json, device=device, caps=caps)
    made = outcome.artifact(outcome.plan.result)
    assert isinstance(made, Score)
    present = np.asarray(made.values)[np.isfinite(made.values)]
    shares = (0, 5, 25, 50, 75, 95, 100)
    quantiles = {str(q): float(np.percentile(present, q)) for q in shares} if len(present) else {}
    if as_json:
        missing = made.missing.counts()
        return print_json({**facts_of(job, outcome), "quantiles": quantiles, "missing": missing})
    table(made.name, ["percentile", "value"], [[q, v] for q, v in quantiles.items()])
    out.print(f"result: {job.id}")
    return None


def coverage(
    result: Annotated[str | None, typer.Argument(help="A result [the newest selection]")] = None,
    workspace: WorkspaceOption = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """How well a selection stands for its pool, beside random."""
    ws = Workspace.open(workspace)
    key, text = result_of(ws, result)
    manifest = ws.manifest(key)
    # only what the selection needs: an export in the same recipe must not be written again
    recipe = with_coverage(Recipe.read(text).upto(manifest["step"]))
    name = next(n for n, s in recipe.steps.items() if s["use"] == "coverage" and s.get("selection") == recipe.result)
    bound = {k: v for k, v in manifest["bindings"].items() if k in recipe.inputs}
    job, outcome = run_recipe(ws, recipe, bound, as_json=as_json, device=device)
    report = outcome.artifact(name)
    assert isinstance(report, Coverage)
    if as_json:
        return print_json(
            {**facts_of(job, outcome), "coverage": report.table, "random": report.info.get("random_table")}
        )
    print_coverage(report)
    return None
