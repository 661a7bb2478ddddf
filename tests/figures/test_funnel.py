import numpy as np

from curation.figures.funnel import funnel_figure


def test_every_bar_is_what_is_left_and_what_its_stage_took():
    figure = funnel_figure(["all rows", "after <b>exact</b>", "after near"], np.array([100, 80, 75]))
    left, taken = figure.data
    assert list(left.x) == [100, 80, 75]
    assert list(taken.x) == [0, 20, 5]
    assert list(taken.text) == ["", "−20", "−5"]
    assert "<b>" not in str(figure.layout.yaxis.ticktext)
