"""The map holds the given points, rows and colours, and hostile text stays text."""

import numpy as np
import pytest

from curation.core.artifacts import Labels, Missing, Score
from curation.figures import palette
from curation.figures.map import GREY, LEGEND_ENTRIES, STRETCH, first_view, map_figure, outside_view


def score(values, name="score", higher=True):
    values = np.asarray(values, float)
    return Score("d", values, Missing.where(~np.isfinite(values), "no"), name, higher)


def labels(codes, names):
    return Labels("d", np.asarray(codes, np.int32), tuple(names), Missing.none(len(codes)))


XY = np.array([[0, 0], [1, 2], [np.nan, 1], [3, 1]], np.float32)


def test_points_are_the_given_ones_and_know_their_row():
    trace = map_figure(XY, rows=np.array([10, 11, 12, 13])).data[0]
    assert trace.type == "scattergl"
    assert trace.x.dtype == trace.y.dtype == np.float32
    assert list(trace.x) == [0, 1, 3]
    assert list(trace.y) == [0, 2, 1]
    assert list(trace.customdata) == [10, 11, 13]  # row 12 has no place


def test_score_spans_the_scale_and_missing_is_grey():
    trace = map_figure(XY, color=score([0.0, np.nan, 5.0, 10.0])).data[0]
    assert trace.marker.color[1] == GREY
    assert trace.marker.color[0] == 0
    assert trace.marker.color[2] == 1
    assert (trace.marker.cmin, trace.marker.cmax) == (GREY, 1)


def test_one_outlier_does_not_flatten_the_scale():
    rng = np.random.default_rng(0)
    spread = np.append(rng.uniform(0, 1, 500), 1e6)
    colour = map_figure(rng.normal(size=(501, 2)), color=score(spread)).data[0].marker.color
    assert np.median(colour[:500]) > 0.3


def test_lower_is_better_reverses_the_colours():
    up = map_figure(XY, color=score(range(4))).data[0].marker.colorscale
    down = map_figure(XY, color=score(range(4), higher=False)).data[0].marker.colorscale
    assert up[-1][1] == down[2][1] == palette.LIGHT.sequential[-1]


def test_categories_have_their_colour_legend_and_grey_noise():
    fig = map_figure(XY, color=labels([0, 1, 1, -1], ["math", "<b>code</b>"]))
    value, scale = fig.data[0].marker.color, fig.data[0].marker.colorscale
    assert value[2] == GREY

    def shown(v):
        at = (v - GREY) / (1 - GREY)
        below = [colour for place, colour in scale if place <= at]
        return below[-1]

    assert [shown(v) for v in value[:2]] == list(palette.CATEGORICAL[:2])
    assert [t.name for t in fig.data[1:]] == ["math  1", "&lt;b&gt;code&lt;/b&gt;  1", "no cluster  1"]
    assert [t.marker.color for t in fig.data[1:3]] == list(palette.CATEGORICAL[:2])


def test_legend_names_the_largest_and_counts_the_rest():
    codes = np.repeat(np.arange(20), np.arange(20, 0, -1))
    fig = map_figure(
        np.random.default_rng(0).normal(size=(len(codes), 2)), color=labels(codes, [f"c{i}" for i in range(20)])
    )
    names = [t.name for t in fig.data[1:]]
    assert names[:2] == ["c0  20", "c1  19"]
    assert names[LEGEND_ENTRIES] == f"8 more  {sum(range(1, 9))}"


def test_highlighted_rows_are_drawn_last_and_larger_and_the_rest_is_grey():
    trace = map_figure(XY, color=score(range(4)), selected=np.array([True, False, False, False])).data[0]
    assert list(trace.customdata) == [1, 3, 0]
    assert list(trace.marker.color[:2]) == [GREY, GREY]
    assert trace.marker.color[2] == 0
    assert trace.marker.size[2] > trace.marker.size[0]


def test_hover_text_is_escaped_and_headed_by_the_value():
    hover = ["<i>a</i>", "b $x$", "never placed", "%{y}"]
    text = map_figure(XY, color=score([0.5, np.nan, 0, 1], "<q>"), hover=hover).data[0].text
    assert list(text) == [
        "<b>&lt;q&gt;: 0.5</b><br>&lt;i&gt;a&lt;/i&gt;",
        "<b>&lt;q&gt;: missing</b><br>b &#36;x&#36;",
        "<b>&lt;q&gt;: 1</b><br>%{y}",
    ]
    assert map_figure(XY).data[0].hoverinfo == "skip"


def test_names_on_the_map_are_escaped_and_stand_at_the_middle():
    xy = np.array([[0, 0], [0, 2], [10, 0], [10, 2]], np.float32)
    fig = map_figure(xy, color=labels([0, 0, 1, 1], ["<b>x</b>", "y"]), names_on_map=True)
    assert [(a.x, a.y, a.text) for a in fig.layout.annotations] == [(0, 1, "&lt;b&gt;x&lt;/b&gt;"), (10, 1, "y")]


def test_axes_are_hidden_and_equal_and_zoom_is_kept():
    layout = map_figure(XY, uirevision="a").layout
    assert layout.yaxis.scaleanchor == "x"
    assert layout.xaxis.visible is layout.yaxis.visible is False
    assert layout.uirevision == "a"


@pytest.mark.parametrize("xy", [np.empty((0, 2)), np.full((3, 2), np.nan)])
def test_nothing_to_draw_is_explained(xy):
    fig = map_figure(xy, mode="dark")
    assert not fig.data
    assert "layout" in fig.layout.annotations[0].text


def test_inputs_are_untouched():
    xy, shown, lit = XY.copy(), score(range(4)), np.array([True, False, True, False])
    for array in (xy, shown.values, lit):
        array.flags.writeable = False
    map_figure(xy, color=shown, selected=lit)


def test_a_few_far_points_do_not_shrink_the_others_and_are_counted():
    rng = np.random.default_rng(0)
    xy = rng.uniform(-1, 1, (2000, 2))
    assert outside_view(xy) == 0
    low, high = first_view(xy)
    assert (low <= xy.min(0)).all()
    assert (high >= xy.max(0)).all()
    xy[:3] = 50
    low, high = first_view(xy)
    assert (high - low < 3).all()
    assert outside_view(np.vstack([xy, [[np.nan, np.nan]]])) == 3
    assert map_figure(xy).layout.xaxis.range == (low[0], high[0])


def test_one_point_has_a_view():
    low, high = first_view(np.array([[2.0, 3.0]]))
    assert (low < [2, 3]).all()
    assert (high > [2, 3]).all()


@pytest.mark.parametrize("shape", [(1, 1), (9, 1), (1, 9)])
def test_the_axes_differ_by_no_more_than_said(shape):
    xy = np.random.default_rng(0).uniform(0, 1, (100, 2)) * shape
    assert 1 / STRETCH <= map_figure(xy).layout.yaxis.scaleratio <= STRETCH


def test_names_do_not_cover_each_other():
    xy = np.repeat(np.array([[0.0, 0.0], [0.01, 0.0], [5.0, 5.0]]), [3, 2, 1], axis=0)
    made = labels([0, 0, 0, 1, 1, 2], ["one · two · three", "b", "c"])
    names = [a.text for a in map_figure(xy, color=made, names_on_map=True).layout.annotations]
    assert names == ["one · two", "c"]
