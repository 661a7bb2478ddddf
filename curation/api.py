"""The Python face: a Pool runs methods, each call a recipe that anyone can run again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from curation.core.artifacts import KINDS, Artifact, Derived, Export, Labels, Layout, Score, Selection
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.method import discover
from curation.core.spending import Caps
from curation.workspace import DecisionLog, Workspace

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from curation.comparison.judge_report import Trust
    from curation.comparison.report import Report
    from curation.complete import Step
    from curation.estimates.spending import Cost
    from curation.recipe import Recipe

NO_CAPS = Caps()


def open_workspace(folder: str | Path | None = None) -> Workspace:
    """Open a workspace folder, made when absent; None = `$CURATION_WORKSPACE`, else `.curation` here."""
    return Workspace.open(folder)


def load(
    source: str | Path | Sequence[str | Path],
    *,
    name: str | None = None,
    workspace: str | Path | Workspace | None = None,
) -> Pool:
    """A Pool from files, or from the name of a dataset that the workspace has already.

    Args:
        source: A dataset's name, or one or more files (JSON, JSONL, CSV, Parquet, ...).
        name: What to call the new dataset.
        workspace: A folder or an open Workspace.

    Raises:
        DataError: if a file cannot be read.
    """
    home = workspace if isinstance(workspace, Workspace) else Workspace.open(workspace)
    if isinstance(source, str) and not Path(source).exists() and source in {d.name for d in home.datasets()}:
        return Pool(home, home.dataset(source))
    return Pool(home, home.add(source, name=name).dataset)


def methods(family: str | None = None) -> list[dict[str, str]]:
    """Family, name, class, title and source of every method."""
    return [
        {
            "family": cls.family,
            "name": use,
            "class": cls.method_class,
            "title": cls.title,
            "source": cls.source,
        }
        for use, cls in sorted(discover().items())
        if family in (None, cls.family)
    ]


class Pool:
    """A Dataset and what has been computed for it.

    Args:
        workspace: Where results are kept.
        dataset: The rows.
    """

    def __init__(self, workspace: Workspace, dataset: Dataset) -> None:
        self.workspace, self.dataset = workspace, dataset

    def __repr__(self) -> str:
        return f"Pool({self.dataset.name!r}, {len(self.dataset):,} rows)"

    def __len__(self) -> int:
        return len(self.dataset)

    def run(
        self, use: str, *, name: str | None = None, device: str = "auto", caps: Caps = NO_CAPS, **values: Any
    ) -> Result:
        """Run one method or preset; what it needs and was not given gets a default step.

        Args:
            use: "encoder/sentence", "selector/k-center", or a preset ("modn").
            name: What to call the step.
            device: "auto", "cpu", "cuda" or "mps".
            caps: What asking chat models may cost: `Caps(money=5.0)`. What was answered is kept when one is reached.
            **values: Parameters; Results (or lists or dicts of them) for what it reads, another Pool for other rows.
                A Result of another Pool must be for a port that reads of other rows (queries, evaluation_features).

        Raises:
            RecipeError: for unknown names or bad parameters.
            CapReached: before a request that could go over a cap.
        """
        from curation import jobs

        recipe, bound, inputs = self._recipe(use, name, values)
        _, outcome = jobs.run_here(self.workspace, recipe, bound, device=device, caps=caps)
        fact = outcome.result
        return Result(self, fact.name, fact.key, fact.kind, dict(recipe.steps), inputs)

    def probe(
        self, use: str, *, rows: int = 30, device: str = "auto", caps: Caps = NO_CAPS, **values: Any
    ) -> dict[str, Cost | str]:
        """Really ask about a few rows, and tell what `run` with the same words will cost.

        What is asked is paid for and kept, so the run does not pay for it again.

        Args:
            use: As for `run`.
            rows: For each step that asks.
            device: "auto", "cpu", "cuda" or "mps".
            caps: Of the probe itself, for each step.
            **values: As for `run`.

        Returns:
            Step → its cost, or why it cannot be probed yet; {} where nothing is asked, or all is stored.
        """
        from curation.core.runtime import Runtime, checked_device, resolve_device
        from curation.estimates.forecast import probe_steps
        from curation.recipe import plan

        recipe, bound, _ = self._recipe(use, None, values)
        runtime = Runtime(device=resolve_device() if device == "auto" else checked_device(device), caps=caps)
        return probe_steps(plan(recipe, self.workspace, bound, runtime), self.workspace, runtime, rows=rows)

    def _recipe(
        self, use: str, name: str | None, values: dict[str, Any]
    ) -> tuple[Recipe, dict[str, str], dict[str, tuple[str, str]]]:
        """The recipe of a call, what its inputs are bound to, and its inputs beside the pool."""
        from curation.complete import complete, merge
        from curation.recipe import Input, Recipe, preset_names

        steps: dict[str, Step] = {}
        inputs: dict[str, tuple[str, str]] = {}  # name → type, and what it is bound to

        def bind(name: str, kind: str, key: str) -> str:
            inputs[name] = (kind, key)
            return f"${name}"

        def reference(value: Any) -> Any:
            if isinstance(value, Pool):
                key = value.dataset.fingerprint
                return bind(f"rows-{key[:6]}", "Dataset", key)
            if isinstance(value, Result) and value.pool.dataset.fingerprint != self.dataset.fingerprint:
                return bind(f"{value.name}-{value.key[:6]}", KINDS[value.kind].__name__, value.key)
            if isinstance(value, Result):
                inputs.update(value.inputs)
                return f"${merge(steps, value.steps)[value.name]}"
            if isinstance(value, list):
                return [reference(v) for v in value]
            if isinstance(value, dict):
                return {k: reference(v) for k, v in value.items()}
            return value

        if use in preset_names():  # its further datasets are bound by the names of its inputs
            for name_of, spec in Recipe.read(use).inputs.items():
                if spec.type == "Dataset" and isinstance(values.get(name_of), Pool):
                    bind(name_of, "Dataset", values.pop(name_of).dataset.fingerprint)
        given = {k: reference(v) for k, v in values.items()}
        recipe = complete(use, given, steps=steps, name=name)
        more = {k: Input(type=kind) for k, (kind, _) in inputs.items()}
        recipe = recipe.model_copy(update={"inputs": {**recipe.inputs, **more}})
        bound = {"pool": self.dataset.fingerprint, **{k: key for k, (_, key) in inputs.items()}}
        return recipe, bound, inputs

    def score(self, name: str, **values: Any) -> Result:
        """Run a scorer by its name ("length")."""
        return self.run(name if "/" in name else f"scorer/{name}", **values)

    def label(self, name: str, **values: Any) -> Result:
        """Run a labeller by its name ("clusters")."""
        return self.run(name if "/" in name else f"labeller/{name}", **values)

    def select(self, name: str, **values: Any) -> Result:
        """Run a selector or preset by its name ("k-center", "modn")."""
        from curation.recipe import preset_names

        return self.run(name if "/" in name or name in preset_names() else f"selector/{name}", **values)

    @property
    def decisions(self) -> DecisionLog:
        """What was kept, dropped and noted by hand: `pool.decisions.drop([3, 4])`, `.undo()`, `.state()`."""
        return self.workspace.decisions(self.dataset)

    def edited(self, selection: Result | None = None) -> Result:
        """A selection, or all rows, after the decisions by hand.

        Raises:
            CurationError: if nothing is kept or dropped.
        """
        from curation.complete.edits import edit_step

        step = edit_step(self.decisions.state(), self.dataset)
        if selection is not None:
            step["selection"] = selection
        return self.run(step.pop("use"), **step)

    def judge_report(self, score: Result) -> Trust:
        """How far a judge can be trusted, from its scores: `sentences(...)` of it tells what stands out."""
        from curation.comparison.judge_report import judge_report
        from curation.comparison.stored import stored_scores

        made = score.artifact
        if not isinstance(made, Score):
            raise CurationError(f"a score is wanted, this is {score.kind}")
        stored = stored_scores(self.workspace, made.dataset)
        others = {name: other for key, (name, other) in stored.items() if key != score.key}
        return judge_report(self.dataset, made, others)

    def coverage(self, selection: Result, **values: Any) -> Result:
        """How well a selection stands for the pool."""
        return self.run("coverage", selection=selection, **values)

    def trial(
        self,
        selections: Mapping[str, Result],
        *,
        evaluation: str | Result = "",
        model: str = "",
        labels: str = "",
        clusters: bool = False,
        device: str = "auto",
        **values: Any,
    ) -> Result:
        """Small trainings on selections and on random rows of the same size: which beats random?

        Args:
            selections: Name → a selection of this pool, one to six of them.
            evaluation: The rows you trust: "source=FILE" (rows of that file in the pool), "label:FIELD=VALUE",
                "file=PATH" (another file), or a selection; without it nothing is said to beat random.
            model: A causal language model by name or folder; "" = a small one made from the pool.
            labels: A field of the records: train a classifier on it instead.
            clusters: Verdicts for every cluster as well.
            device: "auto", "cpu", "cuda" or "mps".
            **values: Fields of `trial` (steps, seeds, random_seeds, ...).

        Raises:
            RecipeError: for bad parameters, or an evaluation set that does not exist.
        """
        from curation import jobs
        from curation.complete.trial import trial_bindings, trial_recipe
        from curation.recipe import Recipe

        trusted = Recipe.read(evaluation.recipe()) if isinstance(evaluation, Result) else evaluation
        recipe = trial_recipe(
            {name: Recipe.read(chosen.recipe()) for name, chosen in selections.items()},
            evaluation=trusted,
            model=model,
            labels=labels,
            clusters=clusters,
            settings=values,
        )
        results = [*selections.values(), *([evaluation] if isinstance(evaluation, Result) else [])]
        further = {name: key for result in results for name, (_, key) in result.inputs.items()}
        bound = {"pool": self.dataset.fingerprint, **further, **trial_bindings(trusted)}
        _, outcome = jobs.run_here(self.workspace, recipe, bound, title="Trial", device=device)
        fact = outcome.result
        return Result(self, fact.name, fact.key, fact.kind, dict(recipe.steps))

    def compare(
        self,
        selections: Mapping[str, Result] | None = None,
        *,
        presets: Sequence[str] | str = (),
        budget: int | str | None = None,
        seeds: int = 3,
        older: Result | None = None,
        device: str = "auto",
        **inputs: Pool | Result,
    ) -> Report:
        """Selections and presets side by side, random always among them.

        Args:
            selections: Name → a selection of this pool.
            presets: Also run these, or "all" whose inputs are bound; the coverage of each is measured. What cannot run,
                or failed, stands in `comparison.notes`.
            budget: Compare at so many rows (a count or a percentage): presets are run at it (10 % by default), nested
                orders are cut to it, others stay as they are and say so.
            seeds: Random draws beside them.
            older: A selection that the first one is set against.
            device: "auto", "cpu", "cuda" or "mps".
            **inputs: Further inputs of presets by name (`queries`).

        Raises:
            CurationError: if there is nothing to compare, or something is no selection of this pool.
        """
        import dataclasses

        from curation import jobs
        from curation.comparison import keys_of, load_comparison, notes_of, recipe_of_presets
        from curation.comparison.summary import report_of
        from curation.core.method import parse_budget, resolve_count

        keys = {name: chosen.key for name, chosen in (selections or {}).items()}
        notes: tuple[str, ...] = ()
        if presets:
            bound = {n: v.dataset.fingerprint if isinstance(v, Pool) else v.key for n, v in inputs.items()}
            named = None if presets == "all" else [presets] if isinstance(presets, str) else list(presets)
            own = self.dataset.fingerprint
            run = recipe_of_presets(self.workspace, own, bound, budget or "10%", named, seeds=seeds)
            _, outcome = jobs.run_here(
                self.workspace, run.recipe, run.bindings, title="Comparison of presets", device=device, go_on=True
            )
            keys |= keys_of(run, {step.name: step.key for step in outcome.steps}, list(keys))
            notes = notes_of(run, {failure.name: failure.message for failure in outcome.failed})
        tokens = budget is not None and parse_budget(budget)[0] == "tokens"
        rows = None if budget is None or tokens else resolve_count(budget, len(self))
        found = load_comparison(self.workspace, keys, budget=rows, seeds=seeds)
        if found.dataset != self.dataset.fingerprint:
            raise CurationError("the selections are of another pool", "compare them on their own pool")
        found = dataclasses.replace(found, notes=(*found.notes, *notes))
        return report_of(self.workspace, found, older=None if older is None else older.key)

    def map(
        self, *, color: Result | None = None, selection: Result | None = None, layout: Result | None = None
    ) -> go.Figure:
        """The 2-D map as a plotly figure, coloured by a Score or Labels, with a Selection brought out.

        A larger pool is drawn by a fixed sample of 20,000 rows; the app's map draws them all.
        """
        from curation.figures.map import MAX_POINTS, map_figure
        from curation.linalg.rank_correlation import sample_rows

        artifact = (layout or self.run("layout")).artifact
        if not isinstance(artifact, Layout):
            raise CurationError(f"'layout' wants a layout, this is {artifact.kind}")
        sampled = sample_rows(len(self), MAX_POINTS)
        rows = np.arange(len(self)) if sampled is None else sampled
        painted = None if color is None else color.artifact
        chosen = None if selection is None else selection.artifact
        prompts = self.dataset.take(rows).texts("prompt")
        return map_figure(
            np.asarray(artifact.xy)[rows],
            rows=rows,
            color=painted.take(rows, painted.dataset) if isinstance(painted, Score | Labels) else None,
            selected=chosen.mask[rows] if isinstance(chosen, Selection) else None,
            hover=[text[:160] for text in prompts],
        )


@dataclass(frozen=True)
class Result:
    """A stored artifact and the recipe that made it.

    Args:
        pool: Whose rows.
        name: Of its step.
        key: In the workspace.
        kind: Of the artifact.
        steps: Of the recipe, this one among them.
        inputs: Of the recipe beside the pool: name → type, and what it was bound to.
    """

    pool: Pool
    name: str
    key: str
    kind: str
    steps: Mapping[str, Step]
    inputs: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @cached_property
    def artifact(self) -> Artifact:
        """The artifact, its numbers memory-mapped and read-only."""
        return self.pool.workspace.load(self.key)

    @property
    def values(self) -> np.ndarray:
        """The main array: values of a Score or Features, order of a Selection, codes of Labels, xy of a Layout."""
        for attribute in ("values", "order", "codes", "xy", "indices"):
            if hasattr(self.artifact, attribute):
                return np.asarray(getattr(self.artifact, attribute))
        raise CurationError(f"a {self.kind} has no array of values")

    def made(self) -> Pool:
        """The rows that a generator made, as a Pool of their own.

        Raises:
            CurationError: for results of any other kind.
        """
        if not isinstance(self.artifact, Derived):
            raise CurationError(f"a {self.kind} holds no rows", "only steps of the family generator make rows")
        return Pool(self.pool.workspace, self.pool.workspace.dataset(self.artifact.rows))

    def recipe(self) -> str:
        """YAML that makes this result again; inputs beside the pool have to be bound again."""
        from curation.recipe import Recipe

        inputs = {"pool": "Dataset", **{name: kind for name, (kind, _) in self.inputs.items()}}
        return Recipe.read({"inputs": inputs, "steps": dict(self.steps), "result": f"${self.name}"}).yaml()

    def export(self, output: str | Path, *, format: str = "alpaca", **options: Any) -> Export:
        """Write a Selection's rows for a trainer, with recipe, card, decisions and checksums beside them.

        Args:
            output: File or folder.
            format: One of `curation.exporters.FORMATS`.
            **options: Of `curation.exporters.export_rows` (trainer, overwrite, ...).

        Raises:
            CurationError: if this is no Selection.
        """
        from curation.exporters import export_rows

        selection = self.artifact
        if not isinstance(selection, Selection):
            raise CurationError(f"only a selection can be exported, this is {self.kind}")
        scores, labels = beside(self.pool.workspace, self.key)
        return export_rows(
            self.pool.dataset,
            selection,
            format=format,
            output=Path(output),
            recipe=self.recipe(),
            scores=scores,
            labels=labels,
            **options,
        )


def beside(workspace: Workspace, key: str) -> tuple[dict[str, Score], dict[str, Labels]]:
    """Scores and labels of the same rows that the workspace holds, newest of each step: for cards and tables."""
    dataset = workspace.manifest(key)["dataset"]
    scores: dict[str, Score] = {}
    labels: dict[str, Labels] = {}
    for info in workspace.results(dataset):
        if info.kind not in ("score", "labels") or info.step in scores or info.step in labels:
            continue
        artifact = workspace.load(info.key)
        if isinstance(artifact, Score):
            scores[info.step] = artifact
        elif isinstance(artifact, Labels):
            labels[info.step] = artifact
    return scores, labels
