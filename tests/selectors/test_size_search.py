"""Size search: planted losses with one and with two dips, rows kept apart, and one tiny real run."""

from __future__ import annotations

import builtins

import numpy as np
import pytest

from curation.core.artifacts import Labels, Missing, Model, Score, Selection
from curation.core.dataset import from_pairs
from curation.core.errors import CurationError, MissingDependency
from curation.core.method import Ask
from curation.core.runtime import Runtime
from curation.models import brief
from curation.selectors.size_search import BEYOND, KEPT_APART, SizeSearch, search_size, size_grid


def convex(size):
    return (np.log(size) - np.log(2600)) ** 2


def double_descent(size, tail=-0.05):
    """A dip near 2,000 rows, a hump near 10,000, and a second descent whose depth is `tail` a decade."""
    x = np.log10(size)
    return 1 - 0.08 * np.exp(-(((x - 3.3) / 0.25) ** 2)) + 0.05 * np.exp(-(((x - 4) / 0.3) ** 2)) + tail * (x - 2) / 3


def late_minimum(size):
    return double_descent(size, tail=-0.4)


class Counter:
    """A loss that counts its evaluations and refuses to be asked twice for one size."""

    def __init__(self, loss):
        self.loss, self.asked = loss, []

    def __call__(self, size):
        assert size not in self.asked
        self.asked.append(size)
        return self.loss(size)


@pytest.mark.parametrize("loss", [convex, double_descent, late_minimum])
@pytest.mark.parametrize("budget", [10, 12, 20])
@pytest.mark.parametrize("seed", range(4))
def test_the_global_minimum_of_the_grid_is_found_within_the_budget(loss, budget, seed):
    measure = Counter(loss)
    found = search_size(60_000, measure, budget, 100, 50_000, seed)
    grid = size_grid(100, 50_000, 32)
    assert found.best == grid[np.argmin([loss(size) for size in grid])]
    assert len(measure.asked) <= budget < len(grid)
    np.testing.assert_array_equal(found.sizes, measure.asked)
    np.testing.assert_allclose(found.losses, [loss(size) for size in measure.asked])


def test_both_dips_are_minima_in_turn():
    grid = size_grid(100, 50_000, 32)
    assert grid[np.argmin([double_descent(s) for s in grid])] < 3000
    assert grid[np.argmin([late_minimum(s) for s in grid])] == 50_000


def test_a_budget_of_the_whole_grid_evaluates_it_all_and_noise_cannot_fool_it():
    rng = np.random.default_rng(0)
    grid = size_grid(10, 1000, 16)
    noise = dict(zip(grid.tolist(), rng.normal(size=len(grid)), strict=True))
    measure = Counter(lambda size: noise[size])
    found = search_size(1000, measure, 100, 10, None, points=16)
    assert sorted(measure.asked) == grid.tolist()
    assert found.best == min(noise, key=noise.get)


def test_the_same_seed_asks_for_the_same_sizes_and_a_few_rows_have_few_sizes():
    first, again = (search_size(9000, convex, 14, 50, None, seed=3) for _ in range(2))
    np.testing.assert_array_equal(first.sizes, again.sizes)
    assert search_size(7, convex, 5, 100).sizes.tolist() == [7]
    assert search_size(3, convex, 1, 1).sizes.tolist() in ([1], [3], [2])


def test_the_order_in_which_equal_losses_are_met_does_not_matter():
    assert search_size(5000, lambda size: 1.0, 8, 100).best == 100


def test_without_flaml_it_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def no_optuna(name, *rest, **more):
        if name == "optuna":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", no_optuna)
    with pytest.raises(MissingDependency) as caught:
        search_size(5000, convex, 10, 100)
    assert "pip install" in caught.value.hint


# ---------------------------------------------------------------------- the selector


@pytest.fixture(scope="module")
def pool():
    """Answers of a's (rows 0 to 29) and of z's; row 59 is a copy of row 0."""
    pairs = [(f"say {i}", ("a a a a a" if i < 30 else "z z z z z") + f" {i % 7}") for i in range(59)]
    return from_pairs([*pairs, pairs[0]])


def ports(pool, folder, *, search=range(20, 25), test=range(25, 30), seen=(), **more):
    values = np.where(np.arange(60) < 30, 2.0, 1.0) - np.arange(60) / 1000
    values[[4, 33]] = np.nan
    missing = Missing.where(np.isnan(values), "made so")
    return {
        "score": Score(pool.fingerprint, values, missing, "like the a's", True),
        "model": Model(
            pool.fingerprint, Missing.none(60), path=str(folder), name="tiny", weak=True, owned=False,
            seen=pool.contents[list(seen)],
        ),
        "search": Selection(pool.fingerprint, 60, np.array(search, np.int64)),
        "test": None if test is None else Selection(pool.fingerprint, 60, np.array(test, np.int64)),
        **more,
    }  # fmt: skip


def ask(given):
    return Ask(np.flatnonzero(~given["score"].missing.mask))


SMALL = {"low": 4, "points": 3, "trials": 3, "batch_rows": 4, "epochs": 2.0, "learning_rate": 5e-3, "max_tokens": 64}


def test_a_tiny_real_run_stops_before_the_rows_of_the_other_kind(pool, tiny_causal, tmp_path):
    given = ports(pool, tiny_causal)
    made = SizeSearch(**SMALL).select(pool, ask(given), Runtime(keep=tmp_path), **given)
    assert made.info["sizes"] == sorted(made.info["sizes"])
    assert made.info["size"] == len(made) == made.info["sizes"][int(np.argmin(made.info["search losses"]))]
    assert made.info["search loss"] < made.info["search loss before training"]
    assert made.info["test loss"] < made.info["test loss before training"]
    again = SizeSearch(**SMALL).select(pool, ask(given), Runtime(keep=tmp_path), **given)
    assert again.info == made.info


@pytest.fixture
def made_up(monkeypatch):
    """Losses made up from the number of rows, least at 9; the rows of every training are collected."""
    asked: list[np.ndarray] = []

    def after(self, rows):
        asked.append(rows)
        return {"search": abs(len(rows) - 9) + 1.0, "test": abs(len(rows) - 9) + 2.0}

    monkeypatch.setattr(brief.BriefTrainings, "after", after)
    monkeypatch.setattr(brief.BriefTrainings, "before", lambda self: {"search": 50.0, "test": 51.0})
    return asked


def test_rows_kept_apart_are_never_trained_on_nor_picked_and_every_row_says_why(pool, tiny_causal, made_up):
    codes = np.full(60, -1, np.int32)
    codes[[21, 10, 40]] = 0
    duplicates = Labels(pool.fingerprint, codes, ("group",), Missing.none(60))
    given = ports(pool, tiny_causal, search=(0, 21, 22), duplicates=duplicates)
    made = SizeSearch(low=1, points=60, trials=60).select(pool, ask(given), Runtime(), **given)
    out = {0, 59, 21, 10, 40, 22, *range(25, 30)}
    assert made.info["size"] == len(made) == 9
    assert out.isdisjoint(made.order.tolist())
    assert out.isdisjoint(np.concatenate(made_up).tolist())
    assert made.order.tolist() == [1, 2, 3, 5, 6, 7, 8, 9, 11]
    assert all(KEPT_APART in made.why(row) for row in out)
    assert BEYOND in made.why(12)
    assert "(by 1)" in made.why(12)
    assert "not eligible" in made.why(4)
    assert made.info["test loss"] == 2.0
    assert made.info["test losses"] == [abs(size - 9) + 2.0 for size in made.info["sizes"]]


def test_rows_that_the_model_was_pretrained_on_are_not_trained_on(pool, tiny_causal, made_up):
    given = ports(pool, tiny_causal, seen=range(0, 4))
    made = SizeSearch(low=1, points=60, trials=60).select(pool, ask(given), Runtime(), **given)
    assert set(np.concatenate(made_up).tolist()).isdisjoint(range(4))
    assert len(made) == 13  # nine rows that can be trained on, and four before them that cannot


def test_without_test_rows_half_of_the_search_rows_are_taken(pool, tiny_causal, made_up):
    given = ports(pool, tiny_causal, search=range(40, 60), test=None)
    halves = SizeSearch()._held(pool, given["search"], None, None)
    assert sorted(np.concatenate(list(halves.values())).tolist()) == list(range(40, 60))
    assert min(len(rows) for rows in halves.values()) >= 8
    made = SizeSearch(low=1).select(pool, ask(given), Runtime(), **given)
    assert set(made.order.tolist()).isdisjoint(range(40, 60))


def test_a_group_of_duplicates_is_not_cut_in_half(pool):
    codes = np.full(60, -1, np.int32)
    codes[20:40] = np.repeat(np.arange(10), 2)
    duplicates = Labels(pool.fingerprint, codes, tuple("abcdefghij"), Missing.none(60))
    search = Selection(pool.fingerprint, 60, np.arange(10, 40))
    halves = SizeSearch()._held(pool, search, None, duplicates)
    assert sorted(np.concatenate(list(halves.values())).tolist()) == list(range(10, 40))
    assert not set(codes[halves["search"]]) & set(codes[halves["test"]]) - {-1}
    assert min(len(rows) for rows in halves.values()) >= 8
    ungrouped = SizeSearch()._held(pool, search, None, None)
    assert set(codes[ungrouped["search"]]) & set(codes[ungrouped["test"]]) - {-1}


def test_what_cannot_be_searched_is_an_error(pool, tiny_causal):
    def go(**more):
        given = ports(pool, tiny_causal, **more)
        return SizeSearch().select(pool, ask(given), Runtime(), **given)

    with pytest.raises(CurationError, match="test rows are, or equal, search rows"):
        go(search=(0, 1), test=(59,))
    with pytest.raises(CurationError, match="cannot be halved"):
        go(search=(0, 59), test=None)
    with pytest.raises(CurationError, match="no row is left to train on"):
        go(search=range(0, 30), test=range(30, 59))
    with pytest.raises(CurationError, match="no row of the search rows can be measured"):
        go(search=(1, 2), seen=(1, 2))
    with pytest.raises(ValueError, match="is below low"):
        SizeSearch(low=100, high=10)
