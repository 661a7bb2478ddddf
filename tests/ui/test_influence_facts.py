"""Numbers of the Influence page, against loops over all rows."""

import numpy as np
import pytest

from curation.ui.influence_facts import picks_in_order, served, shares_of, strongest, subtask_lines


@pytest.fixture(params=range(4))
def rows(request):
    rng = np.random.default_rng(request.param)
    n, count = 60, 5
    values = np.round(rng.normal(size=n), 1)  # ties
    values[rng.choice(n, 6, replace=False)] = np.nan
    targets = rng.integers(-1, 4, n)
    return values, rng.integers(0, count, n), targets, np.round(rng.normal(size=n), 1), [f"s{i}" for i in range(count)]


def test_picks_are_nested_and_leave_out_what_is_missing(rows):
    values = rows[0]
    order = picks_in_order(values)
    assert sorted(order) == np.flatnonzero(np.isfinite(values)).tolist()
    pairs = [(-values[r], r) for r in order]
    assert pairs == sorted(pairs)
    away = np.zeros(len(values), bool)
    away[order[:5]] = True
    assert np.array_equal(picks_in_order(values, away), order[5:])


def test_subtasks_as_a_loop_counts_them(rows):
    values, codes, _, _, names = rows
    chosen = picks_in_order(values)[:20]
    lines = subtask_lines(codes, values, names, chosen)
    assert [line["chosen"] for line in lines] == sorted((line["chosen"] for line in lines), reverse=True)
    for line in lines:
        code = names.index(line["subtask"])
        mine = [r for r in chosen if codes[r] == code]
        every = [r for r in range(len(values)) if codes[r] == code and np.isfinite(values[r])]
        assert line["chosen"] == len(mine)
        assert line["rows it suits best"] == len(every)
        if mine:
            assert line["mean influence"] == pytest.approx(np.mean(values[mine]))
        else:
            assert line["mean influence"] is None
        assert line["their mean"] == pytest.approx(np.mean(values[every]))


def test_served_examples_as_a_loop_finds_them(rows):
    values, _, targets, likeness, _ = rows
    chosen = picks_in_order(values)[:25]
    found = served(targets, likeness, chosen)
    assert set(found.targets) == {t for t in targets[chosen] if t >= 0}
    assert (np.diff(found.counts) <= 0).all()
    for target, count, mean, best in zip(*(v.tolist() for v in vars(found).values()), strict=True):
        mine = sorted((r for r in chosen if targets[r] == target), key=lambda r: (-likeness[r], r))
        assert count == len(mine) and best == mine[0]
        assert mean == pytest.approx(np.mean(likeness[mine]))
        assert strongest(targets, likeness, chosen, target).tolist() == mine


def test_nobody_is_served_by_no_rows():
    found = served(np.array([-1, 0]), np.array([0.5, 0.5]), np.array([0]))
    assert len(found.targets) == len(found.counts) == len(found.best) == 0


def test_shares_beside_a_random_draw():
    codes = np.array([0] * 500 + [1] * 500 + [-1] * 100)
    order = np.arange(1100)
    first = shares_of(codes, ("a", "b"), order, 100)
    assert first.pool.tolist() == [500, 500] and first.chosen.tolist() == [100, 0]
    assert first.far.tolist() == [1, -1]
    mixed = shares_of(codes, ("a", "b"), np.random.default_rng(0).permutation(1100), 100)
    assert mixed.far.tolist() == [0, 0] and 80 < mixed.chosen.sum() <= 100
    everything = shares_of(codes, ("a", "b"), order, 1100)
    assert everything.chosen.tolist() == everything.pool.tolist() and everything.far.tolist() == [0, 0]
