"""A view as recipe steps keeps the same rows as the view itself."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curation.complete.stored import Parts
from curation.core.errors import CurationError
from curation.core.runtime import Runtime
from curation.engine import run
from curation.recipe import Recipe, plan
from curation.views import (
    Among,
    Decided,
    Like,
    Picked,
    Range,
    Region,
    Rows,
    Shape,
    View,
    Where,
    Words,
    evaluate,
    steps_of,
)
from tests.views.strategies import conditions

BOX = Shape(points=((-3, -3), (3, -3), (3, 3), (-3, 3)))
EACH = (
    Region(layout="map", shapes=(BOX,)),
    Region(layout="map", shapes=(Shape(op="subtract", points=BOX.points),)),
    Range(score="quality", low=-0.5, high=0.5),
    Range(score="quality", column="extra", high=0.1),
    Range(score="length", low=5.0),
    Among(labels="topic", values=("it's", "noise"), keep="others"),
    Among(labels="source", values=("it's.json",)),
    Where(expression="quality_1_10 > 0 AND topic <> 'a' AND record.rating >= 2"),
    Where(expression="len > 10 AND src LIKE 'it%'", names=(("len", "length"), ("src", "source"))),
    Words(text="river -lamp", inside="response", whole=True),
    Words(text="r.{2,5}r", regex=True, case=True),
    Like(features="vectors", rows=(9, 1), top=7),
    Like(features="vectors", rows=(9,), top=500, farthest=True),
    Like(features="vectors", text="$map", top=6),
    Rows(rows="5, 1-3"),
    Picked(selection="plain"),
    Picked(selection="nested", keep="out"),
    Picked(selection="nested", budget=4),
    Picked(selection="nested", budget=0),
    Picked(selection="nested", budget=25, keep="out"),
    Decided(which="keep"),
    Decided(which="drop"),
    Decided(which="noted"),
    Decided(which="none"),
)


def recipe_of(made, view):
    parts = Parts(made.workspace, made.dataset.fingerprint)
    steps = steps_of(view, made.sources, parts.add)
    names = parts.add_steps(steps.steps)
    return parts.recipe(f"${names[steps.result]}", steps.about), parts.bindings


def rows_by_steps(made, view):
    """The rows of the recipe, once it was written down and read again."""
    recipe, bindings = recipe_of(made, view)
    planned = plan(Recipe.read(recipe.yaml()), made.workspace, bindings)
    return run(planned, made.workspace, Runtime()).artifact(recipe.result[1:])


def test_all_kinds_are_tried():
    kinds = {c.kind for c in EACH}
    assert kinds == {"region", "range", "among", "where", "words", "like", "rows", "picked", "decided"}


@pytest.mark.parametrize("condition", EACH, ids=[f"{c.kind}-{i}" for i, c in enumerate(EACH)])
def test_one_condition(made, condition):
    view = View(conditions=(condition,))
    assert np.sort(rows_by_steps(made, view).order).tolist() == np.flatnonzero(evaluate(view, made.sources)).tolist()


def test_a_condition_that_cannot_be_answered_makes_no_steps(made):
    for condition in (Rows(rows="48"), Among(labels="source", values=("two.json",)), Range(score="gone", low=0.0)):
        with pytest.raises(CurationError):
            recipe_of(made, View(conditions=(condition,)))


def test_all_rows(made):
    assert len(rows_by_steps(made, View())) == len(made.dataset)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(conditions, min_size=1, max_size=4))
def test_conditions_together(made, found):
    view = View(conditions=tuple(found))
    picked = rows_by_steps(made, view)
    assert np.sort(picked.order).tolist() == np.flatnonzero(evaluate(view, made.sources)).tolist()
    for row in np.flatnonzero(~picked.mask)[:5].tolist():
        assert picked.why(row).startswith("out: ")
        assert "not picked" not in picked.why(row) or any(c.kind == "picked" for c in found)


def test_what_cannot_be_made_again_is_said(made):
    view = View(conditions=(
        Like(features="vectors", text="a river", top=4), Decided(which="keep"), Picked(selection="nested", budget=12),
        Words(text="seven"),
    ))  # fmt: skip
    notes = recipe_of(made, view)[0].about["notes"]
    assert len(notes) == 3
    assert "the 4 rows nearest to the text “a river”" in notes[0]
    assert "decided by hand up to event 3" in notes[1]
    assert "first 12 picks of k-center" in notes[2]


def test_picks_keep_their_order(made):
    assert rows_by_steps(made, View(conditions=(Picked(selection="nested", budget=25),))).order.tolist() == (
        made.artifact("longer").order[:25].tolist()
    )


def test_names_of_other_steps_are_not_taken(made):
    view = View(conditions=(Range(score="quality", low=0.0), Words(text="river"), Picked(selection="plain")))
    taken = {"quality": "$range", "plain": "$view"}
    steps = steps_of(view, made.sources, taken.__getitem__)
    assert not {"range", "view"} & set(steps.steps)
    last = steps.steps[steps.result]
    assert last["of"][2] == "$view"
    assert steps.steps[last["of"][0][1:]]["score"] == "$range"


def test_a_view_kept_twice_is_a_recipe_still(made):
    parts = Parts(made.workspace, made.dataset.fingerprint)
    for condition in (Words(text="river"), Words(text="lamp")):
        steps = steps_of(View(conditions=(condition, Rows(rows="0-30"))), made.sources, parts.add)
        names = parts.add_steps(steps.steps)
    recipe = parts.recipe(f"${names[steps.result]}")
    planned = plan(recipe, made.workspace, parts.bindings)
    got = run(planned, made.workspace, Runtime()).artifact(recipe.result[1:])
    expected = evaluate(View(conditions=(Words(text="lamp"), Rows(rows="0-30"))), made.sources)
    assert np.sort(got.order).tolist() == np.flatnonzero(expected).tolist()
