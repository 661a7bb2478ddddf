"""Stored selections become the arms of a comparison, with random draws of the same size beside them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np

from curation.comparison.facts import RANDOM, Arm, Comparison
from curation.comparison.lineage import Link, about_of, class_of, costs, lineage, preset_of
from curation.core.artifacts import Selection
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.method import Ask, Method
from curation.core.runtime import Runtime
from curation.selectors.random import Random
from curation.workspace import Workspace

SEEDS = 3
OWN_SIZE = "the order is not nested, so its {0:,} rows are no part of a smaller pick; they stay as they are"
TOO_SHORT = "it has {0:,} rows, fewer than the common budget"
DIFFERENT_ROWS = (
    "the arms chose among different rows, so random draws from all rows: a part of what differs from chance here may "
    "come from what each could choose among"
)
CUT = "the first {0:,} of {1:,} picks"


def load_comparison(
    workspace: Workspace,
    keys: Sequence[str] | Mapping[str, str],
    *,
    budget: int | None = None,
    seeds: int = SEEDS,
) -> Comparison:
    """Put stored selections of one Dataset side by side; nothing is computed but the random draws.

    Args:
        workspace: Where they are.
        keys: Keys of the selections, or name → key.
        budget: Compare the first so many picks of every nested order; others stay as they are, and their note says so.
        seeds: Random draws, with the first seeds 0, 1, ... that no arm was drawn with: it would meet itself.

    Raises:
        CurationError: for no selection at all, a result that is none, selections of different Datasets, or a budget
            below 1.
    """
    listed = list(dict.fromkeys(keys.values() if isinstance(keys, Mapping) else keys))
    if not listed:
        raise CurationError("there is nothing to compare", "name at least one selection")
    if budget is not None and budget < 1:
        raise CurationError(f"a budget of {budget} rows is none", "compare at 1 row or more")
    if seeds < 1:
        raise CurationError("a comparison needs random draws", "one seed or more")
    lineages = {key: lineage(workspace, key) for key in listed}
    loaded = {key: _selection(workspace, key) for key in listed}
    datasets = {made.dataset for made in loaded.values()}
    if len(datasets) > 1:
        raise CurationError(
            "the selections are of different datasets", "compare those of one; two versions of it by their difference"
        )
    dataset = workspace.dataset(datasets.pop())
    called = dict(keys) if isinstance(keys, Mapping) else _names(listed, lineages)
    paid = costs({name: lineages[key] for name, key in called.items()})
    arms = []
    for name, key in called.items():
        made, links = loaded[key], lineages[key]
        order, note = at_budget(made, budget)
        preset = preset_of(links[0].manifest)
        cls = links[0].method
        about = about_of(preset) if preset else {}
        arms.append(
            Arm(
                name=name,
                key=key,
                order=order,
                stored=len(made),
                nested=made.nested,
                use=links[0].use,
                title=str(about.get("title") or (cls.title if cls else links[0].use)),
                method_class=str(about.get("method_class") or class_of(links)),
                weakness=known_weakness(cls, str(about.get("title") or "")) if cls else "",
                preset=preset,
                parameters=links[0].manifest.get("parameters", {}),
                cost=paid[name],
                created=float(links[0].manifest.get("created", 0.0)),
                note=note,
            )
        )
    eligible, notes = _eligible(workspace, len(dataset), [lineages[key][0] for key in listed], loaded)
    longest = max(len(arm) for arm in arms)
    chosen = free_seeds(arms, seeds)
    random = draws(dataset, eligible, longest, chosen)
    if chosen != tuple(range(seeds)):
        notes.append(f"random draws have the seeds {', '.join(map(str, chosen))}: a selection has taken an earlier one")
    if len({len(arm) for arm in arms}) > 1:
        notes.append("the arms differ in size: beside each stand random draws of its own size")
    if longest > len(eligible):
        notes.append(f"random draws have {len(eligible):,} rows, all that are eligible")
    return Comparison(
        dataset.fingerprint, dataset.name, len(dataset), budget, tuple(arms), random, eligible, tuple(notes)
    )


def at_budget(made: Selection, budget: int | None) -> tuple[np.ndarray, str]:
    """The picks to compare at a common budget, int64, and what should be said about them.

    Args:
        made: The selection.
        budget: Rows; None = all of it.
    """
    order = np.asarray(made.order, np.int64)
    if budget is None or len(order) == budget:
        return order, ""
    if len(order) < budget:
        return order, TOO_SHORT.format(len(order))
    if made.nested:
        return order[:budget], CUT.format(budget, len(order))
    return order, OWN_SIZE.format(len(order))


def known_weakness(method: type[Method], preset: str = "") -> str:
    """A method's weakness; for a preset of another name, said of its last step: the steps before it may mend it."""
    if not preset or preset == method.title:
        return method.weakness
    return f"Its last step, {method.title}: {method.weakness}"


def free_seeds(arms: Sequence[Arm], count: int) -> tuple[int, ...]:
    """The first seeds from 0 on that no arm was drawn at random with, and that make no name which an arm has."""
    taken = {arm.parameters.get("seed") for arm in arms if arm.use == Random.use()}
    names = {arm.name for arm in arms}
    free = (seed for seed in itertools.count() if seed not in taken and f"{RANDOM} {seed}" not in names)
    return tuple(itertools.islice(free, count))


def draws(dataset: Dataset, eligible: np.ndarray, size: int, seeds: Sequence[int]) -> tuple[Arm, ...]:
    """Random draws by `selector/random`, one a seed: the first m rows of each are the draw of m rows.

    Args:
        dataset: The rows.
        eligible: int64, sorted.
        size: Rows of each draw, fewer when fewer are eligible.
        seeds: One of each draw.
    """
    made = []
    for seed in seeds:
        method = Random(budget=max(size, 1), seed=seed)
        ask = Ask(eligible, min(size, len(eligible)))
        order = np.asarray(method.select(dataset, ask, Runtime()).order, np.int64)
        made.append(
            Arm(
                name=f"{RANDOM} {seed}",
                key="",
                order=order,
                stored=len(order),
                nested=True,
                use=Random.use(),
                title=Random.title,
                method_class=Random.method_class,
                weakness=Random.weakness,
                parameters=method.model_dump(mode="json"),
            )
        )
    return tuple(made)


def _selection(workspace: Workspace, key: str) -> Selection:
    made = workspace.load(key)
    if not isinstance(made, Selection):
        raise CurationError(f"only selections can be compared, {key[:8]} is {made.kind}", "name a selection")
    return made


def _eligible(
    workspace: Workspace, n: int, links: Sequence[Link], loaded: Mapping[str, Selection]
) -> tuple[np.ndarray, list[str]]:
    """The rows that random draws from, int64, and what should be said about them."""
    within = {link.manifest["within"][1] if link.manifest.get("within") else "" for link in links}
    if len(within) > 1:
        return np.arange(n), [DIFFERENT_ROWS]
    only = within.pop()
    if not only:
        return np.arange(n), []
    if not workspace.has(only):
        return np.arange(n), ["the rows that the arms chose among are not stored any more: random draws from all rows"]
    rows = np.sort(np.asarray(cast(Selection, workspace.load(only)).order, np.int64))
    name = str(next(link.manifest["within"][0] for link in links))
    return rows, [f"random draws from the {len(rows):,} rows of `{name}`, as the arms did"]


def _names(keys: Sequence[str], lineages: Mapping[str, list[Link]]) -> dict[str, str]:
    """A name → key: of the preset, else of the method."""
    names: dict[str, str] = {}
    for key in keys:
        link = lineages[key][0]
        wanted = preset_of(link.manifest) or link.use.rpartition("/")[2] or key[:6]
        name, count = wanted, 1
        while name in names:
            count += 1
            name = f"{wanted} {count}"
        names[name] = key
    return names
