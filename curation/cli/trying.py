"""The command that proves: `curate trial`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from curation.cli.show import DeviceOption, JsonOption, SetOption, WorkspaceOption, err, out, print_json, table
from curation.cli.work import facts_of, result_of, run_recipe, show_estimates, single
from curation.complete import method_name
from curation.complete.trial import WAYS, trial_bindings, trial_recipe
from curation.core.artifacts import Trial
from curation.core.errors import CurationError, RecipeError
from curation.core.method import find
from curation.recipe import Recipe, load_yaml, preset_names
from curation.workspace import Workspace
from curation.workspace.files import exists, user_path

FILES = (".yaml", ".yml")


def trial(
    dataset: Annotated[str | None, typer.Argument(help="A dataset's name, or a file to add")] = None,
    selection: Annotated[
        list[str] | None,
        typer.Option("--selection", help="[NAME=]a selector, preset, recipe file or result; one to six of them"),
    ] = None,
    evaluation: Annotated[str, typer.Option(help=f"The rows you trust: {WAYS}")] = "",
    budget: Annotated[str | None, typer.Option(help="Rows of every selection that takes a budget: 1000, 5%")] = None,
    model: Annotated[str, typer.Option(help="A causal language model by name or folder [a small one, made here]")] = "",
    label: Annotated[str, typer.Option(help="A field: train a classifier on it instead of a language model")] = "",
    clusters: Annotated[bool, typer.Option("--clusters", help="Verdicts for every cluster as well")] = False,
    random_seeds: Annotated[int | None, typer.Option(help="Random draws of the same size [10]")] = None,
    settings: SetOption = None,
    results: Annotated[
        Path | None, typer.Option(help="CSV or JSON of trainings done elsewhere; nothing is trained")
    ] = None,
    measure: Annotated[str, typer.Option(help="Of --results: loss or accuracy [as the JSON says]")] = "",
    trusted: Annotated[bool, typer.Option("--trusted", help="Of --results: somebody vouches for its rows")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only check it and estimate its cost")] = False,
    workspace: WorkspaceOption = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Train on selections and on random rows of the same size: which beats random on rows you trust?

    Without --evaluation the verdict is only how well each resembles the pool.
    """
    _fit(results is not None, {
        "DATASET": dataset is not None, "--selection": bool(selection), "--evaluation": bool(evaluation),
        "--budget": budget is not None, "--model": bool(model), "--label": bool(label), "--clusters": clusters,
        "--random-seeds": random_seeds is not None, "--set": bool(settings), "--dry-run": dry_run,
    }, {"--measure": bool(measure), "--trusted": trusted})  # fmt: skip
    if results is not None:
        return _say(_entered(results, measure, trusted), {}, as_json)
    ws = Workspace.open(workspace)
    if not selection:
        raise CurationError("a trial needs a selection", "--selection k-center --budget 1000")
    recipes, bound = _selections(ws, selection, budget)
    values = _fields(settings)
    if random_seeds is not None:
        values["random_seeds"] = random_seeds
    recipe = trial_recipe(recipes, evaluation=evaluation, model=model, labels=label, clusters=clusters, settings=values)
    bound.update(trial_bindings(evaluation))
    if dataset is not None:
        bound["pool"] = dataset
    if dry_run:
        if not as_json:
            runs = find("trial")(**values).runs(len(recipes))  # type: ignore[attr-defined]
            out.print(f"{len(recipes)} selections: {runs} trainings, when all are of one size")
        return show_estimates(ws, recipe, bound, device, as_json)
    job, outcome = run_recipe(ws, recipe, bound, as_json=as_json, device=device, title="Trial")
    report = outcome.artifact(outcome.plan.result)
    assert isinstance(report, Trial)
    _say(report, facts_of(job, outcome), as_json)
    if not as_json:
        if not report.trusted:
            err.print("note: without --evaluation the verdict is likeness to the pool, not whether random is beaten")
        out.print(f"result: {job.id}")
    return None


def _fit(entered: bool, of_trainings: Mapping[str, bool], of_results: Mapping[str, bool]) -> None:
    """Refuse options that would have no effect."""
    wrong = [name for name, given in (of_trainings if entered else of_results).items() if given]
    if wrong and entered:
        raise CurationError(f"--results trains nothing, so {', '.join(wrong)} means nothing", "leave it out")
    if wrong:
        raise CurationError(
            f"{', '.join(wrong)} belongs to --results",
            "the rows you trust: --evaluation; another measure: --set measure=accuracy",
        )


def _entered(path: Path, measure: str, trusted: bool) -> Trial:
    from curation.trial import from_results

    if measure not in ("", "loss", "accuracy"):
        raise CurationError(f"'{measure}' is no measure", "--measure loss, or accuracy")
    return from_results(path, measure=measure or None, trusted=trusted or None)  # type: ignore[arg-type]


def _fields(settings: Sequence[str] | None) -> dict[str, Any]:
    """FIELD=VALUE settings of the trial."""
    values: dict[str, Any] = {}
    for setting in settings or []:
        field, equals, value = setting.partition("=")
        if not equals:
            raise RecipeError(f"'{setting}' is not of the form FIELD=VALUE")
        values[field.strip().removeprefix("trial.")] = load_yaml(value)
    return values


# ---------------------------------------------------------------------- selections


def _selections(
    workspace: Workspace, texts: Sequence[str], budget: str | None
) -> tuple[dict[str, Recipe], dict[str, str]]:
    """Name → recipe, and what the recipes of stored results were bound to."""
    found: dict[str, Recipe] = {}
    bound: dict[str, str] = {}
    for text in texts:
        name, what = _named(text)
        recipe = _recipe(workspace, what, budget, bound)
        free, count = name, 1
        while free in found:
            count += 1
            free = f"{name}-{count}"
        found[free] = recipe
    return found, bound


def _named(text: str) -> tuple[str, str]:
    """("mine", "k-center") from "mine=k-center"; without a name it is what it is called itself."""
    name, equals, what = text.partition("=")
    if equals and name.strip() and what.strip() and not exists(user_path(text)):
        return name.strip(), what.strip()
    plain = text.strip()
    return (Path(plain).stem if plain.endswith(FILES) else plain.rpartition("/")[2]), plain


def _recipe(workspace: Workspace, what: str, budget: str | None, bound: dict[str, str]) -> Recipe:
    if what in preset_names():
        return single(what, "selector", None, {} if budget is None else {"budget": budget})
    if what.endswith(FILES):
        return Recipe.read(what)
    if workspace.has(what) or what[:1].isdigit():
        key, text = result_of(workspace, what)
        manifest = workspace.manifest(key)
        recipe = Recipe.read(text).upto(manifest["step"])
        pools = [name for name, spec in recipe.inputs.items() if spec.type == "Dataset"]
        for name, value in manifest["bindings"].items():
            name = "pool" if name in pools[:1] else name
            if bound.setdefault(name, value) != value:
                raise RecipeError(
                    f"the selections were made with different inputs '{name}'", "compare selections of the same files"
                )
        return recipe
    cls = find(method_name(what, "selector"))
    takes = budget is not None and "budget" in cls.model_fields
    return single(what, "selector", None, {"budget": budget} if takes else {})


# ---------------------------------------------------------------------- telling


def _say(report: Trial, facts: Mapping[str, Any], as_json: bool) -> None:
    """Arms and verdicts, as tables or as one object."""
    from curation.trial import arm_table

    arms = arm_table(report.arms, report.values)
    if as_json:
        return print_json(
            {
                **facts,
                "measure": report.measure,
                "trusted": report.trusted,
                "arms": arms,
                "verdicts": report.verdicts,
                "info": report.info,
            }
        )
    unit = "loss (lower is better)" if report.measure == "loss" else "accuracy"
    table(
        f"{unit} on {report.info.get('evaluation', '')}",
        ["arm", "trainings", "rows", "tokens", "mean", "spread"],
        [
            [
                a["arm"],
                a["runs"],
                a["rows"] if a["rows"] is not None else "",
                round(a["tokens"]) if a["tokens"] == a["tokens"] else "",
                a["mean"],
                a["spread"],
            ]
            for a in arms
        ],
    )
    for found in (v for v in report.verdicts if not v["grouping"]):
        out.print(f"{found['selection']}: {found['words']}")
    grouped = [v for v in report.verdicts if v["grouping"]]
    if grouped:
        table(
            "By group (exploratory)",
            ["selection", "grouping", "group", "rows", "verdict"],
            [[v["selection"], v["grouping"], v["group"], v["rows"], v["words"]] for v in grouped],
        )
    for name, counts in report.info.get("removed", {}).items():
        for reason, count in counts.items():
            out.print(f"{name}: {count:,} rows left out, {reason}")
    for warning in report.info.get("warnings", []):
        out.print(f"note: {warning}")
    return None
