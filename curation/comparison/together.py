"""One recipe for many arms: presets, or stored selections made again at one budget, with random draws and coverage.

The recipe is for a job that goes on after a failure (`jobs.start(..., go_on=True)`): cheap arms come first, and its
result is the first random draw, which needs nothing. `about.arms` says which step is whose.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from curation.comparison.arms import SEEDS
from curation.comparison.facts import LeftOut
from curation.comparison.joining import Joined
from curation.comparison.lineage import ORDER_OF_CLASSES, about_of, preset_of
from curation.complete import complete
from curation.complete.stored import Parts
from curation.core.artifacts import Selection
from curation.core.errors import CurationError, RecipeError
from curation.core.method import Method, Selector, find, parse_budget
from curation.core.runtime import Runtime
from curation.estimates import estimate, total
from curation.recipe import Plan, Recipe, maker_of, plan, preset_names
from curation.workspace import Workspace

NO_SELECTIONS = "it makes no selection"
OWN_SIZE = "it takes no budget and runs at its own size"
UNION_SIZE = "the budget is that of its part '{0}', and the rows of its other parts come on top"


@dataclass(frozen=True)
class Together:
    """A recipe for several arms.

    Args:
        recipe: With one step per arm, random draws, and a coverage step for each arm where asked for.
        bindings: Its inputs.
        arms: Name of an arm → its step, in the order in which they run.
        random: Steps of the random draws.
        coverage: Name of an arm → its coverage step.
        own_size: Name of an arm → why it does not keep to the budget.
        left_out: Presets that cannot run here.
        seconds: Expected seconds of all that is not stored, as far as known.
        unknown: Steps whose cost is not known here yet.
    """

    recipe: Recipe
    bindings: dict[str, str]
    arms: dict[str, str]
    random: tuple[str, ...]
    coverage: dict[str, str] = field(default_factory=dict)
    own_size: dict[str, str] = field(default_factory=dict)
    left_out: tuple[LeftOut, ...] = ()
    seconds: float = 0.0
    unknown: int = 0


def recipe_of_presets(
    workspace: Workspace,
    dataset: str,
    bindings: Mapping[str, str] | None = None,
    budget: int | str = "10%",
    presets: Sequence[str] | None = None,
    *,
    seeds: int = SEEDS,
    coverage: bool = True,
) -> Together:
    """Every preset whose inputs are bound, at one budget, as one recipe; nothing is computed.

    Equal steps of several presets become one. Presets that take no budget keep their own size and are named.

    Args:
        workspace: Where the Dataset is.
        dataset: Its name or fingerprint.
        bindings: Further inputs of presets by their name (`queries`): a dataset, or the key of a result.
        budget: Of every arm: rows, a percentage, or tokens.
        presets: Which; None = all.
        seeds: Random draws.
        coverage: Also measure the coverage of every arm.

    Raises:
        CurationError: if a name is no preset, the budget is none, or no preset can run here.
    """
    parse_budget(budget)
    names = list(preset_names() if presets is None else dict.fromkeys(presets))
    unknown = [name for name in names if name not in preset_names()]
    if unknown:
        raise CurationError(f"there is no preset '{unknown[0]}'", f"presets: {', '.join(preset_names())}")
    given = dict(bindings or {})
    given["pool"] = workspace.dataset(dataset).fingerprint
    parts: dict[str, Plan] = {}
    own_size: dict[str, str] = {}
    left_out: list[LeftOut] = []
    for name in names:
        try:
            parts[name], kept = _part(workspace, Recipe.read(name), name, budget, given)
        except CurationError as error:
            reason = f"{error.message}{f' ({error.hint})' if error.hint else ''}"
            left_out.append(LeftOut(name, str(about_of(name).get("title", name)), reason))
            continue
        if kept:
            own_size[name] = kept
    if not parts:
        reasons = "; ".join(f"{left.preset}: {left.reason}" for left in left_out[:3])
        raise CurationError("no preset can run on this dataset", reasons)
    return _together(workspace, parts, budget, seeds, coverage, own_size, tuple(left_out), "Comparison of presets")


def recipe_of_selections(
    workspace: Workspace,
    keys: Sequence[str] | Mapping[str, str],
    budget: int | str | None = None,
    *,
    seeds: int = SEEDS,
    coverage: bool = True,
) -> Together:
    """Stored selections of one Dataset, made again at one budget, as one recipe; what is stored is reused.

    Args:
        workspace: Where they are.
        keys: Keys, or name → key.
        budget: Of every arm that takes one; None = as they were made.
        seeds: Random draws.
        coverage: Also measure the coverage of every arm.

    Raises:
        CurationError: if a result is no selection, or was made from more than its Dataset.
    """
    named = dict(keys) if isinstance(keys, Mapping) else {}
    parts: dict[str, Plan] = {}
    own_size: dict[str, str] = {}
    if budget is not None:
        parse_budget(budget)
    for key in dict.fromkeys(named.values() if named else keys):
        manifest = workspace.manifest(key)
        if manifest["kind"] != Selection.kind:
            raise CurationError(f"only selections can be compared, {key[:8]} is {manifest['kind']}")
        gathered = Parts(workspace, str(manifest["dataset"]))
        recipe = gathered.recipe(gathered.add(key))
        wanted = next((n for n, k in named.items() if k == key), preset_of(manifest) or str(manifest["step"]))
        name, count = wanted, 1
        while name in parts:
            count += 1
            name = f"{wanted}-{count}"
        result = recipe.result.removeprefix("$")
        if budget is not None:
            recipe, kept = _with_budget(recipe, result, budget)
            if kept:
                own_size[name] = kept
        parts[name] = plan(recipe, workspace, gathered.bindings)
    if len({fingerprint for made in parts.values() for fingerprint in made.datasets[:1]}) > 1:
        raise CurationError("the selections are of different datasets", "compare those of one")
    return _together(
        workspace, parts, budget if budget is not None else "10%", seeds, coverage, own_size, (), "Comparison"
    )


# ---------------------------------------------------------------------- one arm


def _part(
    workspace: Workspace, recipe: Recipe, preset: str, budget: int | str, given: Mapping[str, str]
) -> tuple[Plan, str]:
    """A preset planned at a budget, and why it has its own size, "" when it keeps to the budget."""
    pools = [name for name, spec in recipe.inputs.items() if spec.type == "Dataset"]
    bound = {name: given[name] for name in recipe.inputs if name in given}
    if pools:
        bound[pools[0]] = given["pool"]
    needed = [f"'{n}' ({s.type})" for n, s in recipe.inputs.items() if n not in bound and not s.optional]
    if needed:
        raise RecipeError(f"its input {' and '.join(needed)} is not bound", "bind it to a dataset or a result")
    cls = _method(recipe, recipe.result)
    if not issubclass(cls, Selector):
        raise RecipeError(NO_SELECTIONS, f"its result comes from {cls.use()}")
    if _of_made_rows(workspace, recipe, bound):
        raise RecipeError("it selects from rows that it writes itself", "compare it by a trial, or after opening them")
    _check_fields(workspace, recipe, given["pool"], pools[:1])
    if cls.budgeted():
        return plan(complete(preset, {"budget": budget}), workspace, bound), ""
    inner = _joined_budgets(recipe)
    made = complete(preset, {f"{inner[0]}.budget": budget} if len(inner) == 1 else {})
    return plan(made, workspace, bound), _own_size(recipe)


def _of_made_rows(workspace: Workspace, recipe: Recipe, bound: Mapping[str, str]) -> bool:
    """True when the rows that are picked are not those of the pool; a connection that is missing is told later."""
    made = plan(recipe, workspace, bound)
    return maker_of(made.step(made.result).dataset) is not None


def _with_budget(recipe: Recipe, result: str, budget: int | str) -> tuple[Recipe, str]:
    """A recipe at another budget, or as it is and why."""
    cls = _method(recipe, f"${result}")
    if not (issubclass(cls, Selector) and cls.budgeted()):
        return recipe, OWN_SIZE
    step = {**recipe.steps[result], "budget": budget}
    if parse_budget(budget)[0] == "tokens" and "tokens" not in step:
        raise CurationError("a budget in tokens needs token counts in every recipe", "use rows or a percentage")
    return recipe.model_copy(update={"steps": {**recipe.steps, result: step}}), ""


def _own_size(recipe: Recipe) -> str:
    """Why an arm without a budget has the size it has."""
    inner = _joined_budgets(recipe)
    return UNION_SIZE.format(inner[0]) if len(inner) == 1 else OWN_SIZE


def _joined_budgets(recipe: Recipe) -> list[str]:
    """Of a result that joins selections, the steps of those that take a budget."""
    joined = recipe.steps[recipe.result.removeprefix("$")].get("of")
    parts = [str(part).removeprefix("$") for part in joined] if isinstance(joined, list) else []
    known = [part for part in parts if part in recipe.steps]
    return [part for part in known if "budget" in _method(recipe, part).model_fields]


def _method(recipe: Recipe, reference: str) -> type[Method]:
    return find(str(recipe.steps[reference.removeprefix("$")]["use"]))


def _check_fields(workspace: Workspace, recipe: Recipe, dataset: str, pools: Sequence[str]) -> None:
    """Refuse a preset that reads a field which the records do not have: its labels, for instance."""
    known = workspace.dataset(dataset).field_names()
    for name, step in recipe.steps.items():
        named = step.get("field")
        if not isinstance(named, str) or step.get("on") not in [f"${pool}" for pool in pools] or not known:
            continue
        if named.partition(".")[0] not in known and named not in known:
            raise RecipeError(f"its step '{name}' reads the field '{named}', which no record has", "name a field")


# ---------------------------------------------------------------------- all arms


def _together(
    workspace: Workspace,
    parts: Mapping[str, Plan],
    budget: int | str,
    seeds: int,
    coverage: bool,
    own_size: dict[str, str],
    left_out: tuple[LeftOut, ...],
    title: str,
) -> Together:
    runtime = Runtime()
    ordered = sorted(parts, key=lambda name: (_cost(workspace, parts[name], runtime), name))
    join = Joined(workspace, [(name, parts[name]) for name in ordered], budget, seeds)
    if coverage:
        join.add_coverage()
    about = {"title": title, "arms": join.arms, "random": list(join.random)}
    whole = {"about": about, "inputs": join.inputs, "steps": join.steps, "result": f"${join.random[0]}"}
    recipe = Recipe.read(whole)
    made = plan(recipe, workspace, join.bindings)  # a mistake in joining them would show here
    sums = total(estimate(made, workspace, runtime, calibrate=False))
    return Together(
        recipe,
        join.bindings,
        join.arms,
        tuple(join.random),
        join.coverage,
        {name: reason for name, reason in own_size.items() if name in join.arms},
        left_out,
        float(sums["seconds"]),
        int(sums["unknown"]),
    )


def _cost(workspace: Workspace, part: Plan, runtime: Runtime) -> tuple[int, float]:
    """What orders arms: how much their steps ask of a model, then the seconds that are known."""
    todo = [step for step in part.steps if not workspace.has(step.key)]
    rank = max((ORDER_OF_CLASSES.index(step.method.method_class) for step in todo), default=-1)
    if any(step.method.method_class == "bayesian" for step in todo):  # dear in arithmetic, but no training
        rank = min(rank, 1)
    known = [e.seconds for e in estimate(part, workspace, runtime, calibrate=False) if e.seconds == e.seconds]
    return rank, sum(known)


# ---------------------------------------------------------------------- after the run


def keys_of(together: Together, results: Mapping[str, str], taken: Iterable[str] = ()) -> dict[str, str]:
    """Name of an arm → key of its Selection, for arms that have one.

    Args:
        together: The recipe that ran.
        results: Step → key of its result, for steps that finished.
        taken: Names that other arms have; an arm of such a name gets a number.
    """
    keys: dict[str, str] = {}
    for arm, step in together.arms.items():
        name, count = arm, 1
        while name in taken or name in keys:
            count += 1
            name = f"{arm} {count}"
        if step in results:
            keys[name] = results[step]
    return keys


def notes_of(together: Together, failed: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """What should be said about arms that are missing or have a size of their own, one sentence each.

    Args:
        together: The recipe.
        failed: Step → message, of steps that have no result.
    """
    lost = {arm: failed[step] for arm, step in together.arms.items() if failed and step in failed}
    return (
        *(f"{arm} failed: {message}" for arm, message in lost.items()),
        *(f"{arm}: {reason}" for arm, reason in together.own_size.items() if arm not in lost),
        *(f"{left.preset} was left out: {left.reason}" for left in together.left_out),
    )
