"""Figures of the Scores page: what they say is what was given, and a million rows stay small."""

import numpy as np
import pytest

from curation.figures.cartography import cartography_figure
from curation.figures.correlation import correlation_figure
from curation.figures.distribution import distribution_figure
from curation.figures.group_scores import group_scores_figure
from curation.figures.kept_curve import kept_curve_figure
from curation.figures.pair import SAMPLE, axis_range, pair_figure
from curation.figures.rank_correlation import rank_correlation_figure, short_names

RNG = np.random.default_rng(0)
HOSTILE = "<a href='x'>$n$</a>"
MOST_BYTES = 200_000


def traces(fig):
    return {t.name: t for t in fig.data}


# ------------------------------------------------------------------ rank correlations


def test_cells_stand_in_the_given_order_and_names_are_safe():
    rho = np.array([[1, 0.25, np.nan], [0.25, 1, -0.5], [np.nan, -0.5, 1]])
    rows = np.full((3, 3), 1234)
    fig = rank_correlation_figure([HOSTILE, "b", "c"], rho, rows, np.array([2, 0, 1]))
    cells = fig.data[0]
    assert cells.z[1][2] == 0.25
    assert np.isnan(cells.z[0][1])
    assert cells.z[0][2] == -0.5
    assert list(cells.text[1]) == ["", "1", ".25"]
    assert cells.text[0][2] == "−.50"
    assert list(fig.layout.yaxis.ticktext) == ["c", "&lt;a href='x'&gt;&#36;n&#36;&lt;/a&gt;", "b"]
    assert "1,234 rows have both" in cells.customdata[0][2]
    assert "<a" not in fig.to_json()


def test_short_names_stay_different():
    names = ["x" * 50 + "1", "x" * 50 + "2"]
    assert len(set(short_names(names))) == 2


def test_one_score_has_nothing_to_correlate_with():
    fig = rank_correlation_figure(["a"], np.eye(1), np.ones((1, 1), int), np.array([0]))
    assert "Two scores" in fig.layout.annotations[0].text


# ------------------------------------------------------------------ two scores


def test_few_rows_are_points_and_many_a_grid_that_counts_them_all():
    x, y = RNG.normal(size=5000), RNG.lognormal(4, 1.5, 5000)
    x[:100], y[100:250] = np.nan, np.inf
    few = pair_figure(x[:900], y[:900], x_name="a", y_name="b")
    assert len(traces(few)["rows"].x) == 650
    many = pair_figure(x, y, x_name=HOSTILE, y_name="b", box=(0.0, None, None, 9.0))
    assert traces(many)["rows"].customdata.sum() == 4750
    assert "all 4,750 rows counted" in many.layout.xaxis.title.text
    assert "<a" not in many.layout.xaxis.title.text
    assert many.layout.yaxis.type == "log"
    assert (many.layout.shapes[0].x0, many.layout.shapes[0].y1) == (0.0, 9.0)


def test_a_sample_of_points_is_said():
    n = SAMPLE + 10
    fig = pair_figure(RNG.normal(size=n), RNG.normal(size=n), x_name="a", y_name="b", show="points")
    assert len(fig.data[0].x) == SAMPLE
    assert f"{SAMPLE:,} of {n:,} rows drawn" in fig.layout.xaxis.title.text


@pytest.mark.parametrize(
    ("values", "log"),
    [
        (RNG.lognormal(4, 1.5, 3000), True),
        (RNG.uniform(size=3000), False),
        (np.full(5, 3.0), False),
        (np.append(np.full(999, 2.0), 7.0), False),
    ],
)
def test_axes_are_wide_enough_and_never_empty(values, log):
    low, high, is_log = axis_range(values)
    assert is_log is log
    assert low < high
    assert low <= np.median(values) <= high


def test_no_shared_row_is_explained():
    fig = pair_figure(np.array([1.0, np.nan]), np.array([np.nan, 1.0]), x_name="a", y_name="b")
    assert "No row has both" in fig.layout.annotations[0].text


# ------------------------------------------------------------------ groups


def test_groups_show_where_their_medians_stand():
    place, medians = np.array([[0.9, np.nan]]), np.array([[4.25, np.nan]])
    fig = group_scores_figure([HOSTILE], ["a", "b"], place, medians, np.array([[30, 0]]))
    cells = fig.data[0]
    assert cells.z[0][0] == 0.9
    assert cells.text[0][0] == "4.25"
    assert cells.text[0][1] == ""
    assert "median 4.25, 30 rows" in cells.customdata[0][0]
    assert "<a" not in fig.to_json()
    assert "no groups" in group_scores_figure([], ["a"], *[np.empty((0, 1))] * 3).layout.annotations[0].text


# ------------------------------------------------------------------ a million rows


def test_a_million_rows_stay_small():
    n = 1_000_000
    x, y = RNG.lognormal(4, 1, n), RNG.normal(size=n)
    share = RNG.uniform(size=n)
    made = {
        "distribution": distribution_figure(y, cut=0.3),
        "length": correlation_figure(x, y),
        "grid": pair_figure(x, y, x_name="a", y_name="b"),
        "points": pair_figure(x, y, x_name="a", y_name="b", show="points"),
        "cartography": cartography_figure(share, share / 2, correctness=share),
        "kept": kept_curve_figure(np.linspace(0, 1, 101), np.arange(101), chosen=0.5, looked_at=0.6),
        "correlations": rank_correlation_figure(
            [f"a rather long name of a score {i}" for i in range(24)], np.eye(24), np.full((24, 24), n), np.arange(24)
        ),
        "groups": group_scores_figure(
            [f"cluster {i}" for i in range(25)], [f"score {i}" for i in range(22)],
            *[np.full((25, 22), 0.123456789)] * 2, np.full((25, 22), n),
        ),
    }  # fmt: skip
    sizes = {name: len(fig.to_json()) for name, fig in made.items()}
    assert max(sizes.values()) < MOST_BYTES, sizes
