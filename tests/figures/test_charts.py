"""Bars, curves and cells hold the counts and values that were given."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from curation.figures.correlation import POINTS, correlation_figure, spearman
from curation.figures.coverage import coverage_figure, knee
from curation.figures.distribution import bin_edges, distribution_figure, kept_mask
from curation.figures.geometry import inside_box, inside_polygon, inside_selection
from curation.figures.order import order_figure
from curation.figures.shares import SHOWN, shares_figure

RNG = np.random.default_rng(0)
HOSTILE = "<a href='x'>$n$</a>"
SAFE = "&lt;a href='x'&gt;&#36;n&#36;&lt;/a&gt;"


def traces(fig):
    return {t.name: t for t in fig.data}


# ------------------------------------------------------------------ distribution


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.one_of(st.floats(-1e6, 1e6), st.just(float("nan")), st.integers(-9, 9).map(float)), min_size=1),
    st.floats(-1e6, 1e6),
    st.sampled_from(["above", "below"]),
)
def test_bars_count_every_row_on_its_side_of_the_cut(values, cut, keep):
    values = np.array(values)
    fig = distribution_figure(values, cut=cut, keep=keep)
    kept = kept_mask(values, cut, keep).sum()
    if np.isfinite(values).any():
        assert traces(fig)["kept"].y.sum() == kept
        assert traces(fig)["dropped"].y.sum() == np.isfinite(values).sum() - kept


def test_rows_at_the_cut_are_kept_and_missing_ones_never():
    values = np.array([1.0, 2.0, 3.0, np.nan])
    assert kept_mask(values, 2.0, "above").tolist() == [False, True, True, False]
    assert kept_mask(values, 2.0, "below").tolist() == [True, True, False, False]
    assert "1 rows have no score" in distribution_figure(values).layout.xaxis.title.text


def test_whole_numbers_get_bars_of_their_own():
    edges, below, above = bin_edges(np.array([0.0, 1, 1, 3]))
    assert edges.tolist() == [-0.5, 0.5, 1.5, 2.5, 3.5]
    assert (below, above) == (0, 0)
    assert distribution_figure(np.array([0.0, 1, 1, 3])).data[0].y.tolist() == [1, 2, 0, 1]


def test_a_long_tail_is_gathered_in_the_last_bar_and_said():
    values = np.append(RNG.uniform(0, 1, 1000), [500.0, 900.0])
    fig = distribution_figure(values, name=HOSTILE)
    assert fig.data[0].y.sum() == 1002
    assert fig.data[0].x.max() < 2
    assert "2 rows beyond the axis" in fig.layout.xaxis.title.text
    assert fig.layout.xaxis.title.text.startswith(SAFE)


@pytest.mark.parametrize(("values", "says"), [([], "no rows"), ([np.nan, np.nan], "lacks this score")])
def test_empty_distribution_is_explained(values, says):
    fig = distribution_figure(np.array(values))
    assert not fig.data
    assert says in fig.layout.annotations[0].text


def test_one_value_is_one_bar():
    assert distribution_figure(np.full(7, 0.25)).data[0].y.tolist() == [7]


# ------------------------------------------------------------------ coverage


def test_curve_and_band_are_the_given_values():
    budgets, values = np.array([10, 20, 30]), np.array([0.5, 0.7, 0.8])
    random = np.array([[0.2, 0.3, 0.5], [0.4, 0.5, 0.6], [0.3, 0.4, 0.7]])
    fig = coverage_figure(budgets, values, random=random, name=HOSTILE, lower_is_better=True, budget=20)
    by_name = traces(fig)
    assert by_name["this selection"].y.tolist() == values.tolist()
    assert by_name[None].y.tolist() == random.min(0).tolist()
    assert by_name["random, 3 seeds"].y.tolist() == random.max(0).tolist()
    assert by_name["random, mean"].y.tolist() == pytest.approx(random.mean(0))
    assert fig.layout.yaxis.title.text == f"{SAFE} (lower is better)"
    assert fig.layout.shapes[0].x0 == 20


def test_knee_of_a_broken_line_is_its_corner():
    budgets = np.arange(1, 101)
    rising = np.minimum(budgets, 30) + 0.05 * np.maximum(budgets - 30, 0)
    assert knee(budgets, rising) == 29
    assert knee(budgets, -rising) == 29
    assert "knee at 30 rows" in traces(coverage_figure(budgets, rising))


def test_a_straight_or_flat_line_has_no_knee():
    assert knee(np.arange(10), np.arange(10.0)) is None
    assert knee(np.arange(10), np.ones(10)) is None
    assert knee(np.arange(2), np.array([0.0, 1.0])) is None


def test_empty_coverage_is_explained():
    assert "No coverage yet" in coverage_figure(np.empty(0), np.empty(0)).layout.annotations[0].text


# ------------------------------------------------------------------ correlation


@pytest.mark.parametrize("seed", range(4))
def test_spearman_equals_scipy_with_ties_and_gaps(seed):
    rng = np.random.default_rng(seed)
    a = rng.integers(0, 9, 60).astype(float)
    b = a + rng.normal(size=60).round(1)
    a[3], b[7] = np.nan, np.inf
    both = np.isfinite(a) & np.isfinite(b)
    assert spearman(a, b) == pytest.approx(stats.spearmanr(a[both], b[both]).statistic)


def test_spearman_of_a_constant_is_unknown_not_zero():
    assert np.isnan(spearman(np.ones(5), np.arange(5.0)))
    fig = correlation_figure(np.ones(5), np.arange(5.0))
    assert "no rank correlation" in fig.layout.annotations[0].text


def test_few_rows_are_points_and_many_are_cells_with_exact_counts():
    x, y = RNG.uniform(1, 900, 300), RNG.normal(size=300)
    few = traces(correlation_figure(x, y, score_name=HOSTILE))
    assert few["rows"].y == pytest.approx(y, rel=1e-5)
    n = POINTS + 500
    x, y = RNG.lognormal(3, 1, n), RNG.normal(size=n)
    fig = correlation_figure(x, y, score_name=HOSTILE)
    assert traces(fig)["rows"].customdata.sum() == n
    assert fig.layout.yaxis.title.text == SAFE
    assert f"{spearman(x, y):.2f}" in fig.layout.annotations[0].text


def test_cells_count_rows_when_the_lengths_hardly_vary():
    n = POINTS + 10
    fig = correlation_figure(np.full(n, 7.0), np.arange(n, dtype=float))
    assert traces(fig)["rows"].customdata.sum() == n


def test_too_few_pairs_are_explained():
    fig = correlation_figure(np.array([1.0, np.nan]), np.array([np.nan, 2.0]))
    assert "Fewer than two rows" in fig.layout.annotations[0].text


# ------------------------------------------------------------------ shares


def test_shares_are_parts_of_their_own_total():
    fig = shares_figure(["a", HOSTILE], np.array([30, 70]), np.array([5, 5]))
    by_name = traces(fig)
    assert by_name["pool"].x.tolist() == [0.7, 0.3]
    assert by_name["selection"].x.tolist() == [0.5, 0.5]
    assert by_name["pool"].customdata.tolist() == [70, 30]
    assert list(fig.layout.yaxis.ticktext) == [SAFE, "a"]


def test_many_groups_are_lumped_without_losing_rows():
    before = np.arange(1, 41)
    fig = shares_figure([f"g{i}" for i in range(40)], before, before)
    assert fig.data[0].customdata.sum() == before.sum()
    assert len(fig.data[0].x) == SHOWN + 1
    assert fig.layout.yaxis.ticktext[-1] == "25 more"


def test_equal_short_names_stay_two_bars():
    names = ["x" * 50 + "1", "x" * 50 + "2"]
    assert len(set(shares_figure(names, np.array([2, 1])).data[0].y)) == 2


def test_no_groups_are_explained():
    assert "no groups" in shares_figure([], np.empty(0)).layout.annotations[0].text


# ------------------------------------------------------------------ order


def test_gains_keep_their_order_and_split_at_the_budget():
    gains = np.array([np.inf, 3.0, 2.0, 1.0])
    by_name = traces(order_figure(gains, budget=3, rows=np.array([9, 8, 7, 6]), name=HOSTILE))
    assert np.isnan(by_name["picked"].y[0])
    assert by_name["picked"].y[1:].tolist() == [3, 2]
    assert by_name["beyond the budget"].x.tolist() == [4]
    assert by_name["picked"].customdata.tolist() == [9, 8, 7]


def test_long_orders_are_thinned_but_keep_both_ends():
    trace = order_figure(np.arange(50_000.0)).data[0]
    assert len(trace.x) <= 4_000
    assert (trace.x[0], trace.x[-1]) == (1, 50_000)


@pytest.mark.parametrize(("gains", "says"), [([], "No rows are picked"), ([np.nan], "no gain")])
def test_no_gains_are_explained(gains, says):
    assert says in order_figure(np.array(gains)).layout.annotations[0].text


# ------------------------------------------------------------------ geometry


def inside_naive(x, y, px, py):
    odd, j = False, len(x) - 1
    for i in range(len(x)):
        if (y[i] > py) != (y[j] > py) and px < (x[j] - x[i]) * (py - y[i]) / (y[j] - y[i]) + x[i]:
            odd = not odd
        j = i
    return odd


@pytest.mark.parametrize("seed", range(3))
def test_polygon_equals_the_loop(seed):
    rng = np.random.default_rng(seed)
    xy, x, y = rng.uniform(-1, 1, (200, 2)), rng.uniform(-1, 1, 9), rng.uniform(-1, 1, 9)
    xy[5] = np.nan
    expected = [inside_naive(x, y, *point) if np.isfinite(point).all() else False for point in xy]
    assert inside_polygon(xy, list(x), list(y)).tolist() == expected


def test_a_square_is_its_box_and_a_line_encloses_nothing():
    xy = np.array([[0.5, 0.5], [2, 2], [np.nan, 0.5]])
    assert inside_polygon(xy, [0, 1, 1, 0], [0, 0, 1, 1]).tolist() == [True, False, False]
    assert inside_box(xy, [1, 0], [0, 1]).tolist() == [True, False, False]
    assert not inside_polygon(xy, [0, 1], [0, 1]).any()


def test_several_shapes_are_joined():
    xy = np.array([[0.5, 0.5], [5, 5], [9, 9]])
    selection = {"box": [{"x": [4, 6], "y": [4, 6]}], "lasso": [{"x": [0, 1, 1, 0], "y": [0, 0, 1, 1]}]}
    assert inside_selection(xy, selection).tolist() == [True, True, False]
    assert not inside_selection(xy, {}).any()
