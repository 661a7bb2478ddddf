"""From words on the command line to a recipe that runs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer

from curation import jobs
from curation.cli.show import err, live, out, print_coverage, print_json, seconds_text, size_text, table
from curation.cli.spending import asking_facts, check_caps, foretold, say_spent, show_asking, spending_text
from curation.complete import complete, method_name
from curation.core.artifacts import Coverage, Export, Selection
from curation.core.errors import CurationError, RecipeError
from curation.core.runtime import Runtime, checked_device, resolve_device
from curation.core.spending import Caps
from curation.engine import Outcome
from curation.estimates import Estimate, cautions, estimate, total
from curation.recipe import Recipe, load_yaml, plan, preset_names
from curation.workspace import Workspace

NO_CAPS = Caps()


def bindings_of(recipe: Recipe, dataset: str | None, inputs: list[str] | None) -> dict[str, str]:
    """Input → what it is bound to, from --dataset and --input."""
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
        if not dataset.strip():
            raise CurationError("--dataset is empty", "give a dataset's name, or a file to add")
        bound.setdefault(pools[0], dataset)
    return bound


def run_recipe(
    workspace: Workspace,
    recipe: Recipe,
    bindings: dict[str, str],
    *,
    as_json: bool,
    device: str,
    title: str = "",
    outputs: Path | None = None,
    go_on: bool = False,
    caps: Caps = NO_CAPS,
) -> tuple[jobs.Job, Outcome]:
    """Run a recipe in this process, followed on the terminal, and tell what every step took."""
    before: list[Estimate] = []
    if not as_json or caps != NO_CAPS:
        bindings, before = _foretell(workspace, recipe, bindings, device, caps, quiet=as_json)
    try:
        with live(as_json, spending_text) as echo:
            job, outcome = jobs.run_here(
                workspace,
                recipe,
                bindings,
                title=title,
                device=device,
                echo=echo,
                outputs=outputs,
                go_on=go_on,
                caps=caps,
            )
    except KeyboardInterrupt:
        err.print("interrupted; what was finished is stored, the same command goes on from there")
        raise typer.Exit(130) from None
    if not as_json:
        expected = {
            e["step"]: e["seconds"] for e in jobs.status(workspace, job.id).estimates if e["basis"] != "unknown"
        }
        table(
            "",
            ["step", "method", "time", "estimated", "peak", "rows", "reused"],
            [
                [
                    s.name,
                    s.use,
                    seconds_text(s.seconds),
                    seconds_text(expected.get(s.name)) if s.name in expected else "",
                    f"{s.peak_mb:,.0f} MB" if s.peak_mb else "",
                    s.rows,
                    "all" if s.reused else s.rows_reused or "",
                ]
                for s in outcome.steps
            ],
        )
        say_spent(outcome, {e.step: e for e in before})
        for failure in outcome.failed:
            err.print(f"{failure.name}: no result, {failure.message}")
        for fact in outcome.steps:
            if fact.note:
                out.print(f"{fact.name}: {fact.note}")
            for reason, count in fact.missing.items():
                out.print(f"{fact.name}: {count:,} rows missing, {reason}")
    return job, outcome


def _foretell(
    workspace: Workspace, recipe: Recipe, bindings: dict[str, str], device: str, caps: Caps, *, quiet: bool
) -> tuple[dict[str, str], list[Estimate]]:
    """Say what a run will take, as far as it is known without measuring.

    Returns:
        The bindings, files read, and the estimates.

    Raises:
        CurationError: if a cap cannot be kept.
    """
    runtime = Runtime(device=resolve_device() if device == "auto" else checked_device(device))
    made = plan(recipe, workspace, bindings, runtime)
    check_caps(made, workspace, caps)
    if quiet:
        return made.bindings, []
    for sentence in cautions(made, workspace):
        err.print(f"note: {sentence}")
    expected = estimate(made, workspace, runtime, calibrate=False)
    sums, todo = total(expected), [e for e in expected if not e.reused]
    room = f"{size_text(sums['memory'])} of memory, {size_text(sums['disk'])} on disk"
    if todo and not sums["unknown"]:
        span = f"{seconds_text(sums['low'])} to {seconds_text(sums['high'])}"
        err.print(f"will take about {seconds_text(sums['seconds'])} ({span}), {room}")
    elif todo:
        err.print(f"will take {room}; how long is not known here yet (curate run … --dry-run measures it)")
    for sentence in foretold(expected):
        err.print(sentence)
    return made.bindings, expected


def facts_of(job: jobs.Job, outcome: Outcome) -> dict[str, Any]:
    """What --json tells about a run."""
    result = outcome.artifact(outcome.plan.result)
    return {
        "result": job.id,
        "key": outcome.result.key,
        "kind": outcome.result.kind,
        "selected": len(result) if isinstance(result, Selection) else None,
        "steps": [asdict(s) for s in outcome.steps],
        "failed": [asdict(f) for f in outcome.failed],
    }


def result_of(workspace: Workspace, name: str | None) -> tuple[str, str]:
    """(key, recipe YAML) of a result: a job's id, `JOB.STEP`, a key, or the newest finished job."""
    if name is None:
        done = [s for s in jobs.listing(workspace) if s.state == "done" and s.result]
        picked = [s for s in done if workspace.has(s.result) and workspace.manifest(s.result)["kind"] == "selection"]
        if not picked:
            raise CurationError("nothing has been selected in this workspace yet", "curate select modn --budget 1000")
        name = picked[0].id
    if workspace.has(name):
        return name, str(workspace.manifest(name)["recipe"])
    job_id, _, step = name.partition(".") if name[:1].isdigit() else (name, "", "")
    status = jobs.status(workspace, job_id)
    keys = {s["name"]: s["key"] for s in status.steps}
    key = keys.get(step or status.result_step)
    if not key:
        what = f"has no step '{step}'" if step else f"has no result, it is {status.state}"
        raise CurationError(f"the job {job_id} {what}", f"its steps: {', '.join(keys) or 'none finished'}")
    return key, str(workspace.manifest(key)["recipe"])


def show_estimates(ws: Workspace, recipe: Recipe, bound: dict[str, str], device: str, as_json: bool) -> None:
    """Print what a recipe would cost; steps never run here are calibrated first."""
    runtime = Runtime(device=resolve_device() if device == "auto" else checked_device(device))
    planned = plan(recipe, ws, bound, runtime)
    made = estimate(planned, ws, runtime)
    if as_json:
        asking = asking_facts(ws, planned)
        return print_json({"estimates": [asdict(e) for e in made], "total": total(made), "asking": asking})
    rows = [
        [
            e.step,
            e.use,
            *map(seconds_text, (e.seconds, e.low, e.high)),
            size_text(e.memory),
            size_text(e.disk),
            e.rows,
            e.basis,
        ]
        for e in made
    ]
    table("", ["step", "method", "time", "from", "to", "memory", "disk", "rows", "basis"], rows)
    sums = total(made)
    span = f"{seconds_text(sums['low'])} to {seconds_text(sums['high'])}"
    room = f"{size_text(sums['memory'])} memory, {size_text(sums['disk'])} on disk"
    unknown = f"; {sums['unknown']} of {len(made)} steps could not be timed and come on top" if sums["unknown"] else ""
    out.print(f"together {seconds_text(sums['seconds'])} ({span}){unknown}, {room}")
    show_asking(ws, planned, made)
    return None


def say_result(job: jobs.Job, outcome: Outcome) -> None:
    """Print what a run came to, and its name for other commands."""
    result = outcome.artifact(outcome.plan.result)
    if isinstance(result, Selection):
        out.print(f"{len(result):,} of {result.n:,} rows selected")
    for name, artifact in outcome.artifacts.items():
        if isinstance(artifact, Coverage):
            print_coverage(artifact)
        if isinstance(artifact, Export):
            out.print(f"{name}: {artifact.rows:,} rows written to {artifact.path}")
    out.print(f"result: {job.id}")


def single(name: str, family: str, settings: list[str] | None, values: dict[str, Any]) -> Recipe:
    """The recipe of one method or preset with FIELD=VALUE settings."""
    for setting in settings or []:
        field, equals, value = setting.partition("=")
        if not equals:
            raise RecipeError(f"'{setting}' is not of the form FIELD=VALUE")
        try:
            values[field.strip()] = load_yaml(value)
        except RecipeError as error:
            raise RecipeError(f"'{setting}': {error.message}", error.hint) from None
    return complete(name if name in preset_names() else method_name(name, family), values)
