"""The command that sets selections side by side: `curate compare`."""

from __future__ import annotations

import dataclasses
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from curation.cli.show import DatasetOption, DeviceOption, JsonOption, WorkspaceOption, err, out, print_json, table
from curation.cli.show import seconds_text as seconds_of
from curation.cli.work import result_of, run_recipe, show_estimates
from curation.comparison import (
    Comparison,
    Together,
    coverage_recipe,
    keys_of,
    load_comparison,
    notes_of,
    recipe_of_presets,
    recipe_of_selections,
)
from curation.comparison.membership import only, taken_by_all
from curation.core.errors import CurationError
from curation.core.method import parse_budget, resolve_count
from curation.workspace import Workspace
from curation.workspace.files import exists, user_path

if TYPE_CHECKING:
    from curation.comparison.report import Report

SHOWN_SCORES = 6
USUAL_BUDGET = "10%"


def compare(
    selection: Annotated[
        list[str] | None, typer.Argument(help="[NAME=]a selection: a job, JOB.STEP or key; none = only the presets")
    ] = None,
    presets: Annotated[str, typer.Option(help="Also run these presets first: all, or names with commas")] = "",
    budget: Annotated[
        str | None, typer.Option(help="Compare at so many rows: 1000, 5% [presets: 10%, selections: as they are]")
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Make the selections again at --budget, rather than cut nested orders")
    ] = False,
    coverage: Annotated[bool, typer.Option("--coverage", help="Measure coverage where it is not stored")] = False,
    seeds: Annotated[int, typer.Option(min=1, max=50, help="Random draws beside the arms")] = 3,
    older: Annotated[str | None, typer.Option(help="Set the first selection against this older one")] = None,
    inputs: Annotated[list[str] | None, typer.Option("--input", help="NAME=VALUE, an input of a preset")] = None,
    report: Annotated[Path | None, typer.Option(help="Folder for a report: one HTML file and PNG figures")] = None,
    dataset: DatasetOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only check it and estimate its cost")] = False,
    workspace: WorkspaceOption = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Set selections side by side, random always among them: overlap, coverage, distributions, cost, weakness."""
    from curation.comparison.summary import report_of, summary  # brings the figures along

    ws = Workspace.open(workspace)
    keys = _keys(ws, selection or [])
    if not keys and not presets:
        raise CurationError("there is nothing to compare", "name selections, or --presets all")
    if again and (not keys or budget is None):
        raise CurationError("--again needs selections and --budget", "curate compare JOB JOB --again --budget 1000")
    if budget is not None:
        parse_budget(budget)
    notes: list[str] = []
    runs = _runs(ws, keys, presets, budget, again, seeds, dataset, inputs)
    if dry_run:
        if not runs:
            raise CurationError("nothing would be run", "--presets all, or --again with --budget")
        for run in runs:
            _tell_left_out(run, as_json)
            show_estimates(ws, run.recipe, run.bindings, device, as_json)
        return None
    for run in runs:
        _tell_left_out(run, as_json)
        title = str(run.recipe.about["title"])
        _, outcome = run_recipe(ws, run.recipe, run.bindings, as_json=as_json, device=device, title=title, go_on=True)
        failed = {failure.name: failure.message for failure in outcome.failed}
        keys |= keys_of(run, {step.name: step.key for step in outcome.steps}, list(keys))
        notes += notes_of(run, failed)
    comparison = load_comparison(ws, keys, budget=_rows(ws, keys, budget), seeds=seeds)
    comparison = dataclasses.replace(comparison, notes=(*comparison.notes, *notes))
    if coverage:
        _measure(ws, comparison, device, as_json)
    before = None if older is None else result_of(ws, older)[0]
    command = shlex.join(["curate", *sys.argv[1:]])
    found = report_of(ws, comparison, older=before, command=command)
    files = [] if report is None else _written(found, report)
    if as_json:
        return print_json({**summary(found), "files": files})
    _say(found)
    for file in files:
        out.print(f"{file} written")
    return None


# ---------------------------------------------------------------------- what to compare


def _keys(workspace: Workspace, texts: Sequence[str]) -> dict[str, str]:
    """Name → key of stored selections."""
    named: dict[str, str] = {}
    plain: list[str] = []
    for text in texts:
        name, equals, what = text.partition("=")
        if equals and name.strip() and what.strip():
            if name.strip() in named:
                raise CurationError(f"two selections are called '{name.strip()}'", "give each a name of its own")
            named[name.strip()] = result_of(workspace, what.strip())[0]
        else:
            plain.append(result_of(workspace, text)[0])
    if plain:
        unnamed = load_comparison(workspace, [key for key in plain if key not in named.values()] or plain, seeds=1)
        for arm in unnamed.arms:
            name, count = arm.name, 1
            while name in named:
                count += 1
                name = f"{arm.name} {count}"
            named[name] = arm.key
    return named


def _runs(
    workspace: Workspace,
    keys: dict[str, str],
    presets: str,
    budget: str | None,
    again: bool,
    seeds: int,
    dataset: str | None,
    inputs: Sequence[str] | None,
) -> list[Together]:
    """The recipes that have to run first; selections that are made again leave `keys`."""
    runs = []
    if again:
        runs.append(recipe_of_selections(workspace, keys, budget, seeds=seeds))
    if presets:
        names = None if presets.strip() == "all" else [name.strip() for name in presets.split(",") if name.strip()]
        bound = _bindings(inputs)
        pool = _pool(workspace, keys, dataset)
        runs.append(recipe_of_presets(workspace, pool, bound, budget or USUAL_BUDGET, names, seeds=seeds))
    if again:
        keys.clear()
    return runs


def _pool(workspace: Workspace, keys: dict[str, str], dataset: str | None) -> str:
    """The dataset of the selections, else the one that is named, else the only one there is."""
    of_keys = {str(workspace.manifest(key)["dataset"]) for key in keys.values()}
    if of_keys:
        return of_keys.pop()
    if dataset is not None:
        if not workspace.known(dataset) and exists(user_path(dataset)):
            return workspace.add(dataset).dataset.fingerprint
        return workspace.dataset(dataset).fingerprint
    stored = workspace.datasets()
    if len(stored) != 1:
        names = ", ".join(d.name for d in stored) or "none yet; add one with: curate add FILE"
        raise CurationError("it is not said which dataset", f"--dataset NAME; datasets: {names}")
    return stored[0].fingerprint


def _bindings(inputs: Sequence[str] | None) -> dict[str, str]:
    bound = {}
    for text in inputs or []:
        name, equals, value = text.partition("=")
        if not equals:
            raise CurationError(f"'{text}' is not of the form NAME=VALUE", "--input queries=FILE")
        bound[name.strip()] = value.strip()
    return bound


def _rows(workspace: Workspace, keys: dict[str, str], budget: str | None) -> int | None:
    """The common budget in rows; a budget in tokens cuts nothing, since every arm was made with it."""
    if budget is None or parse_budget(budget)[0] == "tokens":
        return None
    fingerprint = str(workspace.manifest(next(iter(keys.values())))["dataset"])
    return resolve_count(budget, len(workspace.dataset(fingerprint)))


def _measure(workspace: Workspace, comparison: Comparison, device: str, as_json: bool) -> None:
    try:
        recipe, bindings = coverage_recipe(workspace, comparison)
    except CurationError as error:
        err.print(f"note: {error.message}")
        return
    run_recipe(workspace, recipe, bindings, as_json=as_json, device=device, title="Coverage", go_on=True)


# ---------------------------------------------------------------------- telling


def _tell_left_out(run: Together, as_json: bool) -> None:
    if as_json:
        return
    for left in run.left_out:
        err.print(f"note: {left.preset} is left out: {left.reason}")


def _say(found: Report) -> None:
    """The comparison as tables."""
    comparison = found.comparison
    table(
        f"{comparison.dataset_name}, {comparison.n:,} rows",
        ["arm", "class", "rows", "alone", "not shared", "note"],
        [
            [a.name, a.method_class, len(a), _cost(a.cost.total, a), seconds_of(a.cost.own), a.note]
            for a in comparison.arms
        ],
    )
    _overlap(found)
    _spreads(found)
    _coverage(found)
    everyone = taken_by_all(comparison)
    parts = [f"{len(only(comparison, name)):,} only by {name}" for name in comparison.names]
    out.print(f"rows taken: {', '.join(parts)}; {len(everyone):,} by all")
    if found.difference is not None:
        change = found.difference
        out.print(
            f"{change.newer} against {change.older} (by {change.matched}): {len(change.added):,} rows added, "
            f"{len(change.removed):,} removed, {len(change.kept):,} kept"
        )
    for weakness in found.weaknesses:
        out.print(f"{weakness.arm} ({weakness.method_class}): {weakness.sentence or weakness.claim}")
        if weakness.missing_reason:
            out.print(f"  not measured: {weakness.missing_reason}")
    for note in comparison.notes:
        out.print(f"note: {note}")


def _cost(seconds: float, arm: Any) -> str:
    more = " or more" if arm.cost.partly or arm.cost.unknown else ""
    return f"{seconds_of(seconds)}{more}"


def _overlap(found: Report) -> None:
    names, count = found.overlap.names, len(found.comparison.arms)
    rows: list[list[Any]] = []
    for i in range(count):
        cells = [
            f"{found.overlap.shared[i, j]:,} ({found.overlap.expected[i, j]:,.0f})" if i != j else f"{len_:,}"
            for j, len_ in enumerate(found.overlap.sizes[: count + 1])
        ]
        rows.append([names[i], *cells])
    table("Rows in common (expected by chance)", ["", *names[: count + 1]], rows)


def _spreads(found: Report) -> None:
    rows = []
    for spread in found.spreads[: SHOWN_SCORES + 1]:
        for arm in spread.arms:
            low, high = arm.smd_random
            ks = f"{arm.ks:.2f} ({arm.ks_chance:.2f})" + (" *" if arm.ks > arm.ks_chance else "")
            rows.append([spread.name, arm.name, f"{arm.smd:+.2f}", f"{low:+.2f} to {high:+.2f}", ks])
    heads = ["number", "arm", "from the pool, deviations", "random", "KS distance (95 % of draws) * beyond"]
    table("Numbers over the arms", heads, rows)


def _coverage(found: Report) -> None:
    curves = found.coverage
    if curves is None or not curves.curves:
        out.print("coverage was not measured: --coverage")
        return
    rows = []
    for curve in curves.curves:
        for name in curves.measures:
            band = curve.random.get(name)
            random = "" if band is None or not band.size else f"{band[:, -1].min():.4g} to {band[:, -1].max():.4g}"
            rows.append([curve.name, name, int(curve.budgets[-1]), f"{curve.values[name][-1]:.4g}", random])
    table(f"Coverage in {curves.space}", ["arm", "measure", "rows", "value", "random"], rows)


def _written(found: Report, folder: Path) -> list[str]:
    """Write the report; the names of its files."""
    import io
    import zipfile

    from curation.comparison.report import html_report, png_archive
    from curation.workspace import write_atomically

    try:
        folder.mkdir(parents=True, exist_ok=True)
        page = folder / "report.html"
        write_atomically(page, html_report(found))
        written = [str(page)]
        try:
            pictures = zipfile.ZipFile(io.BytesIO(png_archive(found)))
        except CurationError as error:  # the page is whole without them
            err.print(f"note: no PNG figures: {error.message}{f' ({error.hint})' if error.hint else ''}")
            return written
        for name in pictures.namelist():
            target = folder / Path(name).name
            target.write_bytes(pictures.read(name))
            written.append(str(target))
    except OSError as error:
        raise CurationError(f"{folder} cannot be written: {error.strerror}", "name another folder") from None
    return written
