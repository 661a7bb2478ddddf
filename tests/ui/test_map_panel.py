"""Regions drawn on the map become one condition of the view."""

import pytest

from curation.core.errors import CurationError
from curation.selectors.region import MAX_SHAPES, Shape
from curation.ui.map_panel import with_region
from curation.views import Region, View, Words

ADD = Shape(points=((0, 0), (1, 0), (1, 1)))
TAKE = Shape(op="subtract", points=((0, 0), (1, 0), (1, 1)))


def test_shapes_gather_and_a_new_one_replaces_them():
    view = View().add(Words(text="river"))
    for _ in range(3):
        view = with_region(view, "m", ADD, "add")
    assert [len(c.shapes) for c in view.conditions if isinstance(c, Region)] == [3]
    view = with_region(view, "m", ADD, "replace")
    assert view.conditions == (Words(text="river"), Region(layout="m", shapes=(ADD,)))


@pytest.mark.parametrize(("shape", "op"), [(ADD, "add"), (TAKE, "subtract")])
def test_too_many_shapes_are_told_in_words(shape, op):
    full = View(conditions=(Region(layout="m", shapes=(ADD,) * MAX_SHAPES),))
    with pytest.raises(CurationError, match=f"at most {MAX_SHAPES} shapes"):
        with_region(full, "m", shape, op)
    assert with_region(full, "m", ADD, "replace").conditions == (Region(layout="m", shapes=(ADD,)),)
