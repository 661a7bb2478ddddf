"""How many? The size at which training on the best rows of a score leads to the lowest loss on rows kept apart."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from curation.core.artifacts import Labels, Model, Score, Selection
from curation.core.chance import chance
from curation.core.dataset import Dataset
from curation.core.errors import CurationError, MissingDependency
from curation.core.method import Ask, MethodClass, Purpose, Selector, Size
from curation.core.runtime import Runtime
from curation.models.brief import BriefTrainings, free_rows, scorable, settings_for, some_rows, starting_point
from curation.models.rendering import encode_rows
from curation.selectors._build import End, highest_first, numbers, selection, sorted_rows

POLISH = 4
"""Evaluations kept for the neighbours of the best size."""
PATIENCE = 20
"""Proposals in a row that bring nothing new, after which the searcher is not asked again."""
KEPT_APART = "kept apart to measure on, or equal to a row that is"
BEYOND = "beyond the size that was found"


@dataclass(frozen=True)
class Found:
    """What a search saw.

    Args:
        sizes: int64 `[e]`, in the order in which they were tried.
        losses: float64 `[e]`.
        best: The size with the lowest loss, the smallest of equal ones.
    """

    sizes: np.ndarray
    losses: np.ndarray
    best: int


def size_grid(low: int, high: int, points: int) -> np.ndarray:
    """Sizes from low to high, evenly spaced in their logarithm and rounded: int64, increasing."""
    return np.unique(np.round(np.geomspace(low, high, points)).astype(np.int64))


def search_size(
    order_length: int,
    measure: Callable[[int], float],
    budget: int,
    low: int,
    high: int | None = None,
    seed: int = 0,
    *,
    points: int = 32,
) -> Found:
    """Look for the size of least loss with at most `budget` evaluations.

    The sizes are a grid, even in the logarithm. Half of the evaluations are spread over it, so that a loss that falls,
    rises and falls again is seen whole; then BlendSearch (Wang et al., ICLR 2021: a global search beside local ones)
    proposes; the last few go to the neighbours of the best, until both are known. No size is evaluated twice, and a
    budget of the grid's length evaluates all of it, so the result is then the minimum; with less, a dip that is
    narrower than the spacing can be missed.

    Args:
        order_length: Rows there are.
        measure: Size → loss, lower is better; finite.
        budget: Evaluations, at least 1.
        low: Smallest size; cut to `order_length`.
        high: Largest size; None = all rows.
        seed: Of BlendSearch. The same seed and losses give the same evaluations.
        points: Sizes on the grid, at most.

    Raises:
        MissingDependency: flaml or optuna is not installed.
    """
    top = order_length if high is None else min(high, order_length)
    grid = size_grid(min(low, top), top, points)
    budget = min(budget, len(grid))
    known: dict[int, float] = {}

    def evaluate(place: int) -> float:
        if place not in known:
            known[place] = float(measure(int(grid[place])))
        return known[place]

    anchors = np.unique(np.round(np.linspace(0, len(grid) - 1, max(1, budget // 2))).astype(int))
    if len(grid) > budget > POLISH:
        _blend(len(grid), [int(a) for a in anchors], evaluate, known, budget - POLISH, seed)
    for place in anchors:
        if len(known) < budget:
            evaluate(int(place))
    while len(known) < budget:
        evaluate(_next(known, len(grid)))
    best = min(known, key=lambda place: (known[place], place))
    places = np.array(list(known))
    return Found(grid[places], np.array([known[p] for p in places]), int(grid[best]))


def _next(known: dict[int, float], length: int) -> int:
    """A neighbour of the best that is not known, else the middle of the widest gap."""
    best = min(known, key=lambda place: (known[place], place))
    for place in (best - 1, best + 1):
        if 0 <= place < length and place not in known:
            return place
    edges = np.array([-1, *sorted(known), length])
    gap = int(np.diff(edges).argmax())
    return int((edges[gap] + edges[gap + 1]) // 2)


def _blend(
    length: int,
    anchors: list[int],
    evaluate: Callable[[int], float],
    known: dict[int, float],
    budget: int,
    seed: int,
) -> None:
    """Let BlendSearch propose places on the grid until the budget is spent or it has nothing new."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # flaml regrets on import that its AutoML part is not installed
        try:
            import optuna  # without it BlendSearch stops at an assertion
            from flaml.tune.sample import uniform
            from flaml.tune.searcher.blendsearch import BlendSearch
        except ImportError as error:
            missing = MissingDependency("flaml[blendsearch]", "")
            missing.hint = 'pip install "flaml[blendsearch]"'  # it is in no extra of ours
            raise missing from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    logging.getLogger("flaml").setLevel(logging.ERROR)
    searcher = BlendSearch(
        metric="loss",
        mode="min",
        space={"place": uniform(-0.5, length - 0.5)},
        low_cost_partial_config={"place": 0.0},
        points_to_evaluate=[{"place": float(a)} for a in anchors],
        seed=seed,
        cost_attr=None,  # else it weighs proposals by seconds, which are never the same twice
    )
    stale = trial = 0
    while len(known) < budget and stale < PATIENCE:
        trial += 1
        proposal = searcher.suggest(str(trial))
        if proposal is None:
            stale += 1
            continue
        place = int(np.clip(np.round(proposal["place"]), 0, length - 1))
        stale = stale + 1 if place in known else 0
        result = {"loss": evaluate(place), "config": proposal, "training_iteration": 1}
        searcher.on_trial_complete(str(trial), result)


class SizeSearch(Selector):
    """The first K rows of a score's order, K being the size that trains best.

    For each size tried a copy of the model is trained briefly on that many rows of the order and measured on the
    `search` rows; the size with the lowest loss wins. The `test` rows are measured beside them and choose nothing, so
    their loss is an honest one; without `test`, half of the `search` rows are taken for it, by their content, a group
    of `duplicates` whole. Rows kept apart, rows equal to them, and rows in a group of `duplicates` with one of them are
    never picked. Rows on which the model was pre-trained are neither trained on nor measured.

    Every training passes over its rows as often, so that more rows mean more steps. Sizes and losses stand in the
    selection's facts; finished trainings survive a kill.
    """

    title: ClassVar[str] = "Size search"
    purpose: ClassVar[Purpose] = "by score"
    when: ClassVar[str] = "A score orders the rows well, and how many to keep is the question."
    method_class: ClassVar[MethodClass] = "zero-order"
    version: ClassVar[int] = 2
    weakness: ClassVar[str] = (
        "The loss of one training is noisy: two sizes a little apart may change places by the seed."
    )
    source: ClassVar[str] = "Instruction Mining, arXiv:2307.06290; BlendSearch: Wang et al., ICLR 2021, in flaml"

    trials: int = Field(12, ge=1, le=10_000, description="trainings at most, each on another size")
    low: int = Field(100, ge=1, le=100_000_000, description="smallest size")
    high: int | None = Field(None, ge=1, le=100_000_000, description="largest size; empty: all rows")
    points: int = Field(32, ge=2, le=10_000, description="sizes to choose among, evenly spaced in their logarithm")
    keep: End = Field("best", description="which end of the score comes first; best is what the score calls better")
    evaluation_rows: int = Field(300, ge=1, le=1_000_000, description="search rows, and test rows, measured at most")
    tuning: Literal["full", "lora"] = Field("full", description="train all weights, or low-rank adapters beside them")
    epochs: float = Field(1.0, gt=0, le=100, description="passes over the rows")
    batch_rows: int = Field(16, ge=1, le=65_536, description="rows in one optimizer step")
    learning_rate: float | None = Field(None, gt=0, le=1, description="its peak; empty: by the model's size")
    template: str = Field("auto", min_length=1, description="how rows are written: auto, chat, alpaca, plain, chatml")
    max_tokens: int = Field(512, ge=8, le=131_072, description="longer rows keep their first tokens")
    seed: int = Field(0, ge=0, le=2**32 - 1, description="seed of the search, the trainings and the halves")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.high is not None and self.high < self.low:
            raise ValueError(f"high ({self.high}) is below low ({self.low})")
        return self

    def select(
        self,
        pool: Dataset,
        ask: Ask,
        runtime: Runtime,
        *,
        score: Score,
        model: Model,
        search: Selection,
        test: Selection | None = None,
        duplicates: Labels | None = None,
    ) -> Selection:
        """Search and cut.

        Raises:
            CurationError: search and test rows overlap, or no row is left to train on or to measure.
            ModelError: the model is no single causal network, or memory does not suffice.
            MissingDependency: flaml[blendsearch] is not installed.
        """
        held = self._held(pool, search, test, duplicates)
        apart = np.concatenate(list(held.values()))
        values = numbers(score, None)
        free = free_rows(pool.contents, apart, duplicates=duplicates)
        rows = np.asarray(ask.eligible, np.int64)
        rows = rows[np.isfinite(values[rows]) & free[rows]]
        order = sorted_rows(rows, values, highest=highest_first(score, self.keep))
        seen = np.isin(pool.contents, model.seen)
        if not (~seen[order]).any():
            raise CurationError(
                "no row is left to train on", f"{int((~free).sum()):,} of {len(pool):,} are kept apart; keep fewer"
            )
        trainings = self._trainings(pool, model, {name: r[~seen[r]] for name, r in held.items()}, runtime)
        before = trainings.before()
        tested: dict[int, float] = {}

        def measure(size: int) -> float:
            made = trainings.after(order[:size][~seen[order[:size]]])
            tested[size] = made["test"]
            return made["search"]

        # sizes below the first row that can be trained on have nothing to train on
        least = max(self.low, int(np.flatnonzero(~seen[order])[0]) + 1)
        found = search_size(len(order), measure, self.trials, least, self.high, self.seed, points=self.points)
        codes = np.where(free, np.where(np.isfinite(values), 2, 3), 1)
        margin = np.full(len(pool), np.nan)
        margin[order[found.best :]] = np.arange(1, len(order) - found.best + 1)
        picks = order[: found.best]
        return selection(
            pool,
            ask,
            picks,
            stages=(KEPT_APART, BEYOND, "no score"),
            codes=codes,
            margin=margin,
            gains=values[picks],
            info={**_facts(found, tested, before), "model": model.name, "weak model": model.weak},
        )

    def _held(
        self, pool: Dataset, search: Selection, test: Selection | None, duplicates: Labels | None
    ) -> dict[str, np.ndarray]:
        """Search and test rows, sorted; halves have equal rows, and groups of duplicates, on one side."""
        contents, searched = pool.contents, np.sort(np.asarray(search.order, np.int64))
        if test is None:
            draws = chance(contents[searched], self.seed, "halves")
            if duplicates is not None:
                codes = np.asarray(duplicates.codes, np.int64)[searched]
                least = np.ones(len(duplicates.names))
                np.minimum.at(least, codes[codes >= 0], draws[codes >= 0])
                draws = np.where(codes >= 0, least[np.maximum(codes, 0)], draws) if len(least) else draws
            if len(np.unique(draws)) < 2:
                raise CurationError(
                    "the search rows cannot be halved", "give more rows that differ, or test rows of their own"
                )
            half = draws < np.median(np.unique(draws))
            return {"search": searched[half], "test": searched[~half]}
        tested = np.sort(np.asarray(test.order, np.int64))
        both = int(np.isin(contents[tested], contents[searched]).sum())
        if both:
            raise CurationError(
                f"{both:,} test rows are, or equal, search rows", "keep the two apart, or leave test out"
            )
        return {"search": searched, "test": tested}

    def _trainings(self, pool: Dataset, model: Model, held: dict[str, np.ndarray], runtime: Runtime) -> BriefTrainings:
        lm = starting_point(model, runtime.device)
        encoded: dict[str, list[Any]] = {}
        for name, rows in held.items():
            some = some_rows(pool.contents, rows, self.evaluation_rows, self.seed)
            read = encode_rows(lm, pool.take(some), template=self.template, max_tokens=self.max_tokens)
            encoded[name] = scorable(read, name)
        settings = settings_for(
            model,
            method=self.tuning,
            epochs=self.epochs,
            batch_rows=self.batch_rows,
            learning_rate=self.learning_rate,
            seed=self.seed,
        )
        return BriefTrainings(
            lm, pool, encoded, settings, runtime,
            total=self.trials, template=self.template, max_tokens=self.max_tokens,
        )  # fmt: skip

    def shortened(self) -> Self:
        """Two trainings."""
        return self.model_copy(update={"trials": 2})

    def work(self, size: Size) -> float:
        """Characters read, three times as much where they are trained on, × parameters of the network."""
        each = size.chars / max(size.rows, 1)
        high = min(self.high or size.rows, size.rows)
        low = min(self.low, high)
        # sizes are spread evenly in the logarithm, so this is their mean
        mean = (high - low) / np.log(high / low) if high > low > 0 else high
        each_training = mean * self.epochs * 3 + 2 * min(self.evaluation_rows, size.rows)
        return float(1 + self.trials * each_training * each * size.parameters)

    def memory(self, size: Size) -> float:
        """Weights, their copy, gradients and AdamW's two moments in float32, and activations."""
        return 1e9 + 20.0 * size.parameters + 100.0 * size.rows


def _facts(found: Found, tested: dict[int, float], before: dict[str, float]) -> dict[str, Any]:
    """The sizes tried, by size, with both losses; what was chosen; and where the model stood before."""
    by_size = np.argsort(found.sizes)
    sizes = [int(size) for size in found.sizes[by_size]]
    return {
        "size": found.best,
        "search loss": float(found.losses[found.sizes == found.best][0]),
        "test loss": tested[found.best],
        "sizes": sizes,
        "search losses": [float(v) for v in found.losses[by_size]],
        "test losses": [tested[size] for size in sizes],
        "search loss before training": before["search"],
        "test loss before training": before["test"],
    }
