"""What each condition keeps, against a loop over rows; the memory of answers; exact cuts; results that are gone."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.core.artifacts import Missing, Score
from curation.core.errors import CurationError
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
    describe,
    evaluate,
    exact_bounds,
    holds,
    likeness,
    where,
)
from curation.views import evaluate as evaluate_module  # the function; the module is below
from tests.views.conftest import N
from tests.views.strategies import conditions


def kept(made, *conditions):
    return np.flatnonzero(evaluate(View(conditions=conditions), made.sources)).tolist()


def naive(made, test):
    return [row for row in range(N) if test(row)]


def test_no_condition_keeps_all_rows(made):
    assert kept(made) == list(range(N))


@settings(max_examples=40, deadline=None)
@given(st.lists(conditions, max_size=4))
def test_all_conditions_hold_together(made, found):
    expected = set(range(N))
    for condition in found:
        expected &= set(np.flatnonzero(holds(condition, made.sources)).tolist())
    assert kept(made, *found) == sorted(expected)


def test_a_range_holds_both_ends(made):
    quality = made.artifact("quality")
    low, high = np.sort(quality.values[~np.isnan(quality.values)])[[8, 20]]
    expected = naive(made, lambda r: low <= quality.values[r] <= high)
    assert len(expected) == 13
    assert kept(made, Range(score="quality", low=low, high=high)) == expected
    extra = quality.columns["extra"]
    expected = naive(made, lambda r: not np.isnan(quality.values[r]) and extra[r] >= 0.1)
    assert kept(made, Range(score="quality", column="extra", low=0.1)) == expected
    letters = [len(made.dataset.column("response")[r].as_py()) for r in range(N)]
    assert kept(made, Range(score="length", high=20.0)) == naive(made, lambda r: letters[r] <= 20)


@pytest.mark.parametrize("keep", ["among", "others"])
def test_labels_and_sources(made, keep):
    topic = made.artifact("topic")

    def label(row):
        return None if topic.missing.mask[row] else "noise" if topic.codes[row] < 0 else topic.names[topic.codes[row]]

    for values in (("a",), ("it's", "noise")):
        expected = naive(made, lambda r: label(r) is not None and (label(r) in values) == (keep == "among"))  # noqa: B023
        assert kept(made, Among(labels="topic", values=values, keep=keep)) == expected
    expected = naive(made, lambda r: (r % 2 == 1) == (keep == "among"))
    assert kept(made, Among(labels="source", values=("it's.json",), keep=keep)) == expected


def test_regions_rows_and_words(made):
    xy = made.artifact("map").xy
    box = Shape(points=((-2, -2), (3, -2), (3, 3), (-2, 3)))
    assert kept(made, Region(layout="map", shapes=(box,))) == naive(
        made, lambda r: bool((xy[r] > [-2, -2]).all() and (xy[r] < [3, 3]).all())
    )
    assert kept(made, Rows(rows="3, 1-2, 47")) == [1, 2, 3, 47]
    texts = made.dataset.texts()
    assert kept(made, Words(text="RIVER -слово")) == naive(
        made, lambda r: "river" in texts[r] and "слово" not in texts[r]
    )
    assert kept(made, Words(text="^Say \\d:", regex=True, inside="prompt")) == list(range(10))


@pytest.mark.parametrize("farthest", [False, True])
def test_likeness_is_the_mean_cosine(made, farthest):
    values = made.artifact("vectors").values.astype(np.float64)
    units = values / np.linalg.norm(values, axis=1, keepdims=True)
    mean = (units @ units[[0, 9]].T).mean(axis=1)
    order = np.argsort(mean if farthest else -mean, kind="stable")
    order = order[~np.isnan(mean[order])]
    asked = Like(features="vectors", rows=(0, 9), top=7, farthest=farthest)
    assert kept(made, asked) == sorted(order[:7].tolist())
    np.testing.assert_allclose(likeness(asked, made.sources), mean, atol=1e-6)
    text = Like(features="vectors", text="river", top=5, farthest=farthest)
    query = made.embed("river", "vectors")
    cosine = units @ (query / np.linalg.norm(query))
    best = np.argsort(cosine if farthest else -cosine, kind="stable")
    assert kept(made, text) == sorted(best[~np.isnan(cosine[best])][:5].tolist())


def test_picks_and_decisions(made):
    short, long = made.artifact("nested").order, made.artifact("longer").order
    assert kept(made, Picked(selection="nested")) == sorted(short.tolist())
    assert kept(made, Picked(selection="nested", budget=4)) == sorted(long[:4].tolist())
    assert kept(made, Picked(selection="nested", budget=25)) == sorted(long[:25].tolist())
    assert kept(made, Picked(selection="nested", budget=0)) == []
    assert kept(made, Picked(selection="nested", keep="out")) == sorted(set(range(N)) - set(short.tolist()))
    assert kept(made, Decided(which="keep")) == [6, 7, 8]
    assert kept(made, Decided(which="drop")) == [4, 5]
    assert kept(made, Decided(which="noted")) == [9]
    assert kept(made, Decided(which="none")) == [r for r in range(N) if r not in (4, 5, 6, 7, 8)]


def test_filters_name_scores_and_labels(made):
    quality = made.artifact("quality")
    expected = naive(made, lambda r: quality.values[r] > 0)
    assert kept(made, where("quality_1_10 > 0", made.sources)) == expected
    bound = where("topic = 'a' AND row > 3", made.sources)
    assert bound.names == (("topic", "topic"),)
    assert kept(made, bound) == kept(made, Among(labels="topic", values=("a",)), Rows(rows=f"4-{N - 1}"))
    assert kept(made, Where(expression="x > 0", names=(("x", "quality"),))) == expected
    assert kept(made, Where(expression="n > 20", names=(("n", "length"),))) == kept(
        made, Range(score="length", low=20.5)
    )
    with pytest.raises(CurationError, match="no column 'quality_10'") as error:
        where("quality_10 > 0", made.sources)
    assert "quality_1_10" in error.value.hint


# ---------------------------------------------------------------------- what cannot be answered


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        (Range(score="nosuch", low=0.0), "nosuch"),
        (Range(score="topic", low=0.0), "no score"),
        (Range(score="quality", column="nosuch", low=0.0), "no column 'nosuch'"),
        (Among(labels="nosuch", values=("a",)), "nosuch"),
        (Among(labels="topic", values=("c",)), "no label is named 'c'"),
        (Region(layout="nosuch", shapes=(Shape(points=((0, 0), (1, 0), (0, 1))),)), "nosuch"),
        (Like(features="nosuch", rows=(0,)), "nosuch"),
        (Like(features="vectors", rows=(3,)), "row 3 has no vector: made so"),
        (Like(features="vectors", rows=(99,)), "no row 99"),
        (Picked(selection="nosuch"), "nosuch"),
        (Picked(selection="plain", budget=3), "smaller budget"),
        (Picked(selection="nested", budget=31), "known for 30 rows"),
        (Rows(rows="48"), "no row 48"),
        (Words(text="("), None),
        (Words(text="(", regex=True), "not understood"),
        (Words(text="-"), None),
        (Where(expression="sum(row) > 1"), "not allowed"),
        (Where(expression="x > 1", names=(("x", "nosuch"),)), "nosuch"),
    ],
)
def test_a_condition_that_cannot_be_answered_is_named(made, condition, said):
    if said is None:
        assert isinstance(kept(made, condition), list)
        return
    with pytest.raises(CurationError, match=re.escape(said)):
        evaluate(View(conditions=(condition,)), made.sources)


def test_a_result_that_is_removed_is_told_even_when_the_answer_was_known(fresh):
    asked = Range(score="quality", low=0.0)
    holds(asked, fresh.sources)
    folder = fresh.workspace.root / "results" / "quality"
    folder.rename(folder.with_name("away"))
    for ask in (holds, describe):
        with pytest.raises(CurationError, match="quality.*no longer"):
            ask(asked, fresh.sources)


def test_a_result_of_another_dataset_is_refused(fresh):
    other = Score("0" * 32, np.zeros(N), Missing.none(N), "other")
    fresh.workspace.publish("other", other, {"use": "scorer/column", "step": "other"})
    with pytest.raises(CurationError, match="no score of this dataset"):
        holds(Range(score="other", low=0.0), fresh.sources)


# ---------------------------------------------------------------------- the memory of answers


def test_answers_are_remembered_and_read_only(fresh):
    asked = Like(features="vectors", text="river", top=5)
    first = holds(asked, fresh.sources)
    assert holds(asked, fresh.sources) is first
    holds(asked.model_copy(update={"top": 9}), fresh.sources)
    assert fresh.asked == 1  # another cut of the same likeness
    for found in (first, evaluate(View(conditions=(asked,)), fresh.sources), likeness(asked, fresh.sources)):
        with pytest.raises(ValueError, match="read-only"):
            found[0] = True


def test_a_new_decision_is_seen(fresh):
    assert not holds(Decided(), fresh.sources).any()
    fresh.workspace.decisions(fresh.dataset).keep([5])
    assert np.flatnonzero(holds(Decided(), fresh.sources)).tolist() == [5]


def test_old_answers_go_when_there_are_too_many(fresh, monkeypatch):
    import sys

    module = sys.modules[evaluate_module.__module__]
    monkeypatch.setattr(module, "REMEMBERED", 3 * N)
    first = holds(Rows(rows="0"), fresh.sources)
    for i in range(1, 6):
        holds(Rows(rows=str(i)), fresh.sources)
    assert sum(a.nbytes for a in module._answers.values()) <= 3 * N
    again = holds(Rows(rows="0"), fresh.sources)
    assert again is not first
    np.testing.assert_array_equal(again, first)


# ---------------------------------------------------------------------- cuts made in the browser

wide = st.floats(allow_nan=True, allow_infinity=False, width=64) | st.floats(-1, 1)


@settings(max_examples=400, deadline=None)
@given(st.lists(wide, min_size=1, max_size=30), st.data())
def test_a_cut_of_the_browser_keeps_the_same_rows(values, data):
    values = np.array(values)
    with np.errstate(over="ignore"):
        small = values.astype(np.float32)
    finite = small[np.isfinite(small)].tolist()
    cuts = st.sampled_from(finite) if finite else st.floats(-9, 9, width=32)
    low = data.draw(st.none() | cuts | st.floats(-9, 9, width=32))
    high = data.draw(st.none() | cuts | st.floats(-9, 9, width=32))
    exact_low, exact_high = exact_bounds(values, low, high)
    assert (exact_low is None, exact_high is None) == (low is None, high is None)
    mask = ~np.isnan(values)
    expected = mask.copy()
    if low is not None:
        mask &= values >= exact_low
        expected &= small >= np.float32(low)
        assert np.float32(exact_low) == np.float32(low)
    if high is not None:
        mask &= values <= exact_high
        expected &= small <= np.float32(high)
        assert np.float32(exact_high) == np.float32(high)
    np.testing.assert_array_equal(mask, expected)


def test_a_short_number_is_taken_where_it_is_exact():
    assert exact_bounds(np.array([0.1, 0.25, 0.9]), float(np.float32(0.3)), None) == (0.3, None)
    assert exact_bounds(np.array([0.3]), float(np.float32(0.3)), None) == (0.3, None)
    assert exact_bounds(np.array([0.5]), None, None) == (None, None)


# ---------------------------------------------------------------------- in words


def test_conditions_in_words(made):
    box = Shape(points=((0, 0), (1, 0), (0, 1)))
    for condition, said in (
        (Region(layout="map", shapes=(box, box)), "drawn on the map: 2 shapes"),
        (Range(score="quality", low=0.5), "Quality (1–10) ≥ 0.5"),
        (Range(score="quality", column="extra", low=0.5, high=0.75), "0.5 ≤ Quality (1–10), extra ≤ 0.75"),
        (Range(score="length", high=20.0), "response length (characters) ≤ 20"),
        (Among(labels="topic", values=tuple("abcd")), "Clusters of the map is a, b, c and 1 more"),
        (Among(labels="source", values=("it's.json",), keep="others"), "source is not it's.json"),
        (Where(expression="row > 3"), "row > 3"),
        (Words(text="river", inside="prompt", whole=True), "river as whole words in the prompt"),
        (Words(text="r.*", regex=True, case=True), "pattern r.* with these capitals"),
        (Like(features="vectors", rows=(1, 2, 4, 5), top=9, farthest=True), "least like rows 1, 2, 4 …, 9 rows"),
        (Like(features="vectors", text="a", top=9), "like “a”, 9 rows"),
        (Rows(rows="1-3"), "rows 1-3"),
        (Picked(selection="nested", budget=3), "in k-center, 3 rows"),
        (Picked(selection="plain", keep="out"), "not in Random, 15 rows"),
        (Decided(which="none"), "not decided"),
    ):
        assert describe(condition, made.sources).lower() == said.lower()


@settings(max_examples=50, deadline=None)
@given(conditions)
def test_every_condition_has_words(made, condition):
    assert describe(condition, made.sources)


def test_a_log_that_was_put_back_is_not_answered_from_memory(fresh):
    log = fresh.workspace.decisions(fresh.dataset)
    log.keep([1])
    assert kept(fresh, Decided(which="keep")) == [1]
    log.path.unlink()
    log.keep([2])  # as many events as before
    assert kept(fresh, Decided(which="keep")) == [2]
    assert kept(fresh, Decided(which="none")) == [row for row in range(N) if row != 2]
