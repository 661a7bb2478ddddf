"""Figures of a comparison hold the numbers they were given, and show hostile names letter by letter."""

import numpy as np
import pytest

from curation.figures import arms, palette
from curation.figures.agreement import agreement_figure
from curation.figures.arm_coverage import arm_coverage_figure
from curation.figures.arm_shares import SHOWN as GROUPS
from curation.figures.arm_shares import arm_shares_figure
from curation.figures.arm_spread import REACH, arm_spread_figure
from curation.figures.changes import SHOWN as CHANGES
from curation.figures.changes import changes_figure
from curation.figures.overlap import ABOVE, ALIKE, BELOW, overlap_figure
from curation.figures.patterns import SHOWN as COMBINATIONS
from curation.figures.patterns import patterns_figure
from curation.figures.raster import map_raster

HOSTILE = "<a href='x'>$n$</a>"
SAFE = "&lt;a href='x'&gt;&#36;n&#36;&lt;/a&gt;"


def written(fig) -> str:
    return fig.to_json().replace("\\u003c", "<").replace("\\u003e", ">").replace("\\u0026", "&")


def traces(fig):
    return {t.name: t for t in fig.data if t.name}


# ------------------------------------------------------------------ looks


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_six_arms_differ_in_letter_colour_symbol_and_dash(mode):
    looks = arms.arm_looks(["same"] * 6, mode)
    for field in ("letter", "label", "colour", "symbol", "dash"):
        assert len({getattr(look, field) for look in looks}) == 6
    assert arms.random_look(3, mode).colour not in {look.colour for look in looks}


def test_names_are_safe_and_letters_never_end():
    assert arms.arm_look(1, HOSTILE, "light").label == f"B · {SAFE}"
    assert [arms.letter(i) for i in (0, 25, 26)] == ["A", "Z", "27"]
    assert arms.faint("#ff0080", 0.5) == "rgba(255, 0, 128, 0.5)"


# ------------------------------------------------------------------ overlap


def overlap(shared, low, high, draws=0, names=("one", HOSTILE, "r0", "r1"), sizes=(10, 10, 10, 10)):
    shared = np.array(shared)
    expected = np.full(shared.shape, 2.0)
    a = len(shared)
    return overlap_figure(
        names[:a], np.array(sizes[:a]), shared, expected, np.full((a, a), low), np.full((a, a), high), draws=draws
    )


def test_overlap_is_rows_in_common_of_rows_in_either():
    fig = overlap([[10, 5], [5, 10]], 0, 4)
    heat = fig.data[0]
    assert heat.z.tolist() == [[pytest.approx(5 / 15)]]
    assert "5 rows in both, 33%" in heat.customdata[0][0]
    assert "more than chance" in heat.customdata[0][0]
    assert list(fig.layout.xaxis.ticktext) == ["A"]
    assert list(fig.layout.yaxis.ticktext) == ["A · one", f"B · {SAFE}"]
    assert fig.layout.annotations[0].text.startswith(f"<b>33%</b> {ABOVE}<br>")
    assert f"chance {2 / 18:.0%}" in fig.layout.annotations[0].text


@pytest.mark.parametrize(("low", "high", "sign"), [(0, 4, ABOVE), (6, 9, BELOW), (5, 5, ALIKE)])
def test_overlap_says_how_it_stands_to_chance(low, high, sign):
    assert sign in overlap([[10, 5], [5, 10]], low, high).layout.annotations[0].text


def test_random_draws_are_one_line_with_their_mean():
    shared = [[10, 6, 1, 3], [6, 10, 2, 2], [1, 2, 10, 0], [3, 2, 0, 10]]
    fig = overlap(shared, 0, 4, draws=2)
    z = fig.data[0].z
    assert z.shape == (2, 2)
    assert z[1].tolist() == [pytest.approx(2 / 18), pytest.approx(2 / 18)]
    assert np.isnan(z[0, 1])
    assert fig.layout.yaxis.ticktext[2] == "random, 2 draws"


def test_one_arm_has_nothing_to_overlap_with():
    assert "Choose two" in overlap([[10]], 0, 0).layout.annotations[0].text


def test_empty_arms_have_no_share():
    fig = overlap([[0, 0], [0, 0]], 0, 0, sizes=(0, 0))
    assert np.isnan(fig.data[0].z).all()
    assert "–" in fig.layout.annotations[0].text


# ------------------------------------------------------------------ patterns


def test_a_bar_and_its_dots_per_combination():
    fig = patterns_figure(["one", "two", HOSTILE], [(0,), (0, 2), (1,)], np.array([3, 9, 5]), np.array([1.0, 2, 3]))
    bars = fig.data[0]
    assert bars.y.tolist() == [9, 5, 3]
    assert [c[0] for c in bars.customdata] == ["A and C", "B", "A"]
    assert traces(fig)["if the picks were random"].y.tolist() == [2.0, 3.0, 1.0]
    dots = [t for t in fig.data if t.yaxis == "y2" and t.mode == "markers"]
    grid = palette.colours("light").grid
    assert [[c != grid for c in t.marker.color] for t in dots] == [
        [True, False, True], [False, True, False], [True, False, False],
    ]  # fmt: skip
    assert fig.layout.yaxis2.ticktext[2] == f"C · {SAFE}"


def test_rare_combinations_are_counted_not_drawn():
    count = COMBINATIONS + 4
    members = [(i % 6, (i + 1) % 6) for i in range(count)]
    fig = patterns_figure(list("abcdef"), members, np.arange(count, 0, -1), np.ones(count), others=7)
    assert len(fig.data[0].x) == COMBINATIONS
    assert f"{4 + 3 + 2 + 1 + 7} rows in other combinations" in fig.layout.xaxis.title.text


def test_no_rows_have_no_combinations():
    assert "No row" in patterns_figure(["a"], [], np.empty(0), np.empty(0)).layout.annotations[0].text


# ------------------------------------------------------------------ spread


def spread(**more):
    edges = np.array([0.0, 1.0, 3.0])
    given = {
        "title": HOSTILE, "medians": np.array([0.5, np.nan]), "pool_median": 0.7, "random": np.array([[1, 1], [3, 1]]),
        "notes": [HOSTILE, ""],
    }  # fmt: skip
    return arm_spread_figure(["one", "two"], edges, np.array([[4, 0], [2, 2]]), np.array([5, 5]), **{**given, **more})


def test_steps_are_densities_and_hover_tells_counts():
    fig = spread()
    shown = [t for t in fig.data if t.mode == "markers" and t.hovertemplate and t.customdata is not None]
    assert [[c[1] for c in t.customdata] for t in shown] == [[4, 0], [2, 2], [4, 2]]
    first = np.asarray(shown[0].y) - 2
    assert first.tolist() == [pytest.approx(REACH), 0.0]
    second = np.asarray(shown[1].y) - 1
    assert second.tolist() == [pytest.approx(REACH * 0.5), pytest.approx(REACH * 0.25)], "a bin twice as wide"
    assert len(fig.layout.yaxis.ticktext) == 3
    assert fig.layout.xaxis.title.text.startswith(SAFE)
    assert fig.layout.yaxis.ticktext[0].endswith(f">{SAFE}</span>")


def test_a_median_beyond_the_axis_stands_at_its_end_and_says_its_value():
    ticks = [t for t in spread(medians=np.array([99.0, 1.0])).data if "median" in (t.hovertemplate or "")]
    assert ticks[0].x == (3.0,)
    assert "median 99" in ticks[0].hovertemplate


def test_log_bins_are_drawn_on_a_log_axis():
    fig = arm_spread_figure(
        ["a"], np.array([1.0, 10, 100]), np.array([[1, 1]]), np.array([1, 1]), title="n", medians=np.array([10.0]),
        logarithmic=True,
    )  # fmt: skip
    assert fig.layout.xaxis.type == "log"
    assert list(fig.layout.xaxis.range) == [0.0, 2.0]


def test_an_arm_without_the_number_says_so_and_a_pool_without_it_is_explained():
    fig = arm_spread_figure(
        ["a"], np.array([0.0, 1]), np.array([[0]]), np.array([3]), title="n", medians=np.array([np.nan])
    )
    assert "no row has it" in fig.layout.yaxis.ticktext[0]
    empty = arm_spread_figure(["a"], np.empty(0), np.empty((1, 0)), np.empty(0), title="n", medians=np.empty(0))
    assert "No row has" in empty.layout.annotations[0].text


# ------------------------------------------------------------------ shares


def shares(labels=2, arms_=2):
    pool = np.full(labels, 1 / labels)
    share = np.tile(pool, (arms_, 1))
    share[0, 0] = 0.9
    return arm_shares_figure(
        ["one", HOSTILE][:arms_], [HOSTILE, *map(str, range(1, labels))], pool, share,
        counts=np.full((arms_, labels), 5), low=np.full((arms_, labels), 0.0 if labels > 9 else 0.4),
        high=np.full((arms_, labels), 0.6),
    )  # fmt: skip


def test_symbols_are_filled_outside_chance_and_hollow_inside():
    by_name = traces(shares())
    assert by_name["A · one"].x.tolist() == [0.9, 0.5]
    assert list(by_name["A · one"].marker.symbol) == ["circle", "circle-open"]
    assert [c[1] for c in by_name["A · one"].customdata] == ["outside chance", "no different from chance"]
    assert by_name[f"B · {SAFE}"].customdata[0][0] == 5
    assert by_name["chance"].base.tolist() == [0.4, 0.4]
    assert by_name["chance"].x.tolist() == pytest.approx([0.2, 0.2])
    assert shares().layout.yaxis.ticktext[0] == SAFE


def test_the_largest_groups_are_shown_and_others_named():
    fig = shares(labels=GROUPS + 3)
    assert len(fig.layout.yaxis.ticktext) == GROUPS
    assert "3 smaller groups" in fig.layout.xaxis.title.text
    assert fig.layout.yaxis.ticktext[0] == SAFE, "the group an arm is full of stays"


def test_no_groups_are_explained():
    empty = np.empty((1, 0))
    fig = arm_shares_figure(["a"], [], np.empty(0), empty, counts=empty, low=empty, high=empty)
    assert "no groups" in fig.layout.annotations[0].text


# ------------------------------------------------------------------ coverage


def test_curves_points_and_band_are_the_given_values():
    fig = arm_coverage_figure(
        ["one", "two", HOSTILE], [0, 2], [np.array([1, 5]), np.array([1, 5])], [np.array([9.0, 4]), np.array([8.0, 3])],
        ordered=[True, False], title=HOSTILE, random_budgets=np.array([1, 5]),
        random=np.array([[9.0, 6], [7, 4], [8, 5]]), lower_is_better=True,
    )  # fmt: skip
    by_name = traces(fig)
    assert by_name["A · one"].y.tolist() == [9.0, 4.0]
    assert by_name[f"C · {SAFE} (one size)"].x.tolist() == [5]
    assert by_name["low"].y.tolist() == [7.0, 4.0]
    assert by_name["random, 3 draws"].y.tolist() == [9.0, 6.0]
    assert by_name["random, mean"].y.tolist() == [8.0, 5.0]
    assert fig.layout.yaxis.title.text == f"{SAFE} (lower is better)"
    colours = {by_name["A · one"].line.color, by_name[f"C · {SAFE} (one size)"].line.color}
    assert colours == {palette.category_colour(0, "light"), palette.category_colour(2, "light")}


def test_what_was_not_measured_leaves_no_line():
    fig = arm_coverage_figure(["a"], [0], [np.array([1, 2])], [np.full(2, np.nan)], ordered=[True], title="t")
    assert not fig.data
    assert "not been measured" in arm_coverage_figure([], [], [], [], ordered=[], title="t").layout.annotations[0].text


# ------------------------------------------------------------------ agreement, changes


def test_agreement_marks_the_chosen_number():
    fig = agreement_figure(np.array([9, 4, 1]), np.array([8.0, 2, 0.1]), chosen=2)
    assert fig.data[0].y.tolist() == [9, 4, 1]
    main = palette.colours("light").main
    assert [c == main for c in fig.data[0].marker.color] == [False, True, False]
    assert "Choose" in agreement_figure(np.empty(0), np.empty(0)).layout.annotations[0].text


def test_changes_go_right_and_left_and_the_largest_come_first():
    fig = changes_figure(["calm", HOSTILE, "still"], np.array([1, 6, 0]), np.array([2, 5, 0]), np.array([3, 4, 9]))
    by_name = traces(fig)
    assert by_name["added"].x.tolist() == [6, 1]
    assert by_name["removed"].x.tolist() == [-5, -2]
    assert by_name["removed"].customdata.tolist() == [[5, 4], [2, 3]]
    assert list(fig.layout.yaxis.ticktext) == [SAFE, "calm"]


def test_many_changes_are_cut_and_none_are_explained():
    n = CHANGES + 2
    fig = changes_figure(list(map(str, range(n))), np.arange(1, n + 1), np.zeros(n), np.zeros(n))
    assert len(fig.data[0].y) == CHANGES
    assert f"of {n} that change most" in fig.layout.xaxis.title.text
    assert "same rows" in changes_figure(["a"], np.zeros(1), np.zeros(1), np.ones(1)).layout.annotations[0].text


# ------------------------------------------------------------------ raster


def test_lit_rows_are_pixels_of_their_colour_at_their_place():
    xy = np.array([[0.0, 0], [1, 0], [0, 1], [1, 1], [np.nan, 0]])
    picture = map_raster(xy, np.array([False, False, False, True, True]), colour="#FF0000", width=80, height=60)
    assert picture.shape == (60, 80, 3)
    assert picture.dtype == np.uint8
    red = np.argwhere((picture[..., 0] > 200) & (picture[..., 1] < 120))
    assert len(red)
    assert (red[:, 0] < 30).all(), "up is up"
    assert (red[:, 1] > 40).all()


def test_more_rows_on_a_pixel_make_it_stronger_and_any_number_fits():
    rng = np.random.default_rng(0)
    xy = rng.normal(size=(50_000, 2)).astype(np.float32)
    picture = map_raster(xy, np.zeros(50_000, bool), colour="#FF0000", mode="dark").astype(int)
    background = np.array([int(palette.DARK.background[i : i + 2], 16) for i in (1, 3, 5)])
    away = np.abs(picture - background).sum(2)
    middle = away[140:220, 190:290].mean()
    assert middle > away[:40].mean()


def test_without_places_the_picture_is_empty():
    picture = map_raster(np.full((3, 2), np.nan), np.ones(3, bool), colour="#FF0000", width=10, height=10)
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) == 1
    assert map_raster(np.empty((0, 2)), np.empty(0, bool), colour="#FF0000", width=10, height=10).shape == (10, 10, 3)


# ------------------------------------------------------------------ all


def test_no_figure_lets_markup_through():
    for fig in (
        overlap([[10, 5], [5, 10]], 0, 4),
        spread(),
        shares(),
        patterns_figure([HOSTILE], [(0,)], np.array([1]), np.array([1.0])),
        changes_figure([HOSTILE], np.ones(1), np.zeros(1), np.zeros(1)),
    ):
        assert "<a href" not in written(fig)
