"""Regions drawn on the map become one condition of the view."""

import numpy as np
import pytest

from curation.core.artifacts import Layout, Missing
from curation.core.errors import CurationError
from curation.selectors.region import MAX_SHAPES, Shape
from curation.ui.map_panel import with_region
from curation.views import Region, View, Words

LAYOUT = Layout("f" * 16, np.array([[0, 0], [2, 1], [5, 5]], np.float32), Missing.none(3))
ADD = Shape(points=((0, 0), (1, 0), (1, 1)))
TAKE = Shape(op="subtract", points=((0, 0), (1, 0), (1, 1)))


def test_shapes_gather_and_a_new_one_replaces_them():
    view = View().add(Words(text="river"))
    for _ in range(3):
        view = with_region(view, "m", ADD, "add", LAYOUT)
    assert [len(c.shapes) for c in view.conditions if isinstance(c, Region)] == [3]
    view = with_region(view, "m", ADD, "replace", LAYOUT)
    assert view.conditions == (Words(text="river"), Region(layout="m", shapes=(ADD,)))


def test_what_is_taken_first_is_taken_from_the_whole_map():
    (made,) = with_region(View(), "m", TAKE, "subtract", LAYOUT).conditions
    assert [s.op for s in made.shapes] == ["add", "subtract"]
    assert made.shapes[0].points[0] == (-1.0, -1.0)


@pytest.mark.parametrize(("shape", "op"), [(ADD, "add"), (TAKE, "subtract")])
def test_too_many_shapes_are_told_in_words(shape, op):
    full = View(conditions=(Region(layout="m", shapes=(ADD,) * MAX_SHAPES),))
    with pytest.raises(CurationError, match=f"at most {MAX_SHAPES} shapes"):
        with_region(full, "m", shape, op, LAYOUT)
    assert with_region(full, "m", ADD, "replace", LAYOUT).conditions == (Region(layout="m", shapes=(ADD,)),)
