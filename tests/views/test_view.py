"""Views as text for an address: round trips, hostile text, the history of a page."""

import base64
import json
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from curation.core.errors import CurationError
from curation.views import Among, History, Like, Picked, Range, Region, Rows, Shape, View, Where, Words
from curation.views.view import MAX_CODE, MAX_CONDITIONS
from tests.views.strategies import conditions


def packed(value, version="1", raw=False):
    data = value if raw else json.dumps(value).encode()
    return version + base64.urlsafe_b64encode(zlib.compress(data)).decode().rstrip("=")


@settings(max_examples=200, deadline=None)
@given(st.lists(conditions, max_size=5))
def test_a_view_comes_back_from_its_text(found):
    view = View()
    for condition in found:
        view = view.add(condition)
    code = view.encode()
    assert View.decode(code) == view
    assert View.decode(code).encode() == code
    assert set(code) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def test_all_rows_are_the_empty_text():
    assert View().encode() == ""
    assert View.decode("") == View()
    assert not View()
    assert len(View(conditions=(Rows(rows="1"),))) == 1


def test_a_lasso_of_200_corners_fits_into_an_address():
    points = tuple((round(i * 0.731 % 7, 6), round(i * 1.377 % 5, 6)) for i in range(200))
    assert len(View(conditions=(Region(layout="k" * 32, shapes=(Shape(points=points),)),)).encode()) < 4_000


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60) | st.text("abcXYZ019-_", max_size=80).map("1".__add__))
def test_hostile_text_gives_an_error_in_words(text):
    try:
        View.decode(text)
    except CurationError as error:
        assert error.message
        assert error.hint


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.sampled_from(["kind", "layout", "shapes", "points", "score", "low", "rows"]), inner)
        ),
    )
)
def test_hostile_data_gives_an_error_in_words(value):
    try:
        made = View.decode(packed(value))
    except CurationError as error:
        assert len(str(error)) < 500
    else:
        assert value == []
        assert made == View()


RANGE = {"kind": "range", "score": "k", "low": 1.0}


@pytest.mark.parametrize(
    "value",
    [
        {}, "x", None, [None], [[]], [{"kind": "nosuch"}], [{**RANGE, "low": "1"}], [{**RANGE, "low": True}],
        [{**RANGE, "more": 1}], [{"kind": "range", "score": "k"}], [{**RANGE, "high": 0.5}],
        [{**RANGE, "score": "../../etc"}], [{**RANGE, "score": "k" * 65}], [{**RANGE, "score": "a\n"}],
        [RANGE] * (MAX_CONDITIONS + 1), [{"kind": "rows", "rows": "0-999999999999"}], [{"kind": "rows", "rows": "x"}],
        [{"kind": "region", "layout": "k", "shapes": [{"points": [[0, 0]] * 2_001}]}],
        [{"kind": "region", "layout": "k", "shapes": [{"points": [[0, 0]] * 3}] * 65}],
        [{"kind": "region", "layout": "k", "shapes": [{"points": [[0, 0, 0]] * 3}]}],
        [{"kind": "among", "labels": "k", "values": ["v"] * 2_001}], [{"kind": "where", "expression": "x" * 2_001}],
        [{"kind": "like", "features": "k", "rows": [-1]}], [{"kind": "like", "features": "k", "rows": [1, 1]}],
        [{"kind": "like", "features": "k"}], [{"kind": "like", "features": "k", "rows": [1], "text": "x"}],
        [{"kind": "like", "features": "k", "rows": [1.0]}], [{"kind": "picked", "selection": "k", "budget": -1}],
        [{"kind": "decided", "which": "all"}], [{"kind": "words", "text": ""}], [{"kind": ["range"]}],
    ],
)  # fmt: skip
def test_wrong_data_is_refused(value):
    with pytest.raises(CurationError, match="not understood"):
        View.decode(packed(value))


@pytest.mark.parametrize(
    "data",
    [
        b"", b"[", b"\xff", b"[" * 100_000, b'[{"kind":"range","score":"k","low":NaN}]',
        b'[{"kind":"range","score":"k","low":1e999}]', b'[{"kind":"range","score":"k","low":Infinity}]',
        b'[{"kind":"words","text":"\\ud800"}]', b"[" + b"9" * 5_000 + b"]", b'[{"kind":"rows","rows":"1"}] x',
    ],
)  # fmt: skip
def test_wrong_json_is_refused(data):
    with pytest.raises(CurationError, match="not understood"):
        View.decode(packed(data, raw=True))


def test_text_that_is_damaged_cut_or_too_large_is_refused():
    code = View(conditions=(Words(text="river"), Rows(rows="1-9"))).encode()
    for wrong, said in (
        (code[:-4], "cut off|damaged"), (code[:9], "cut off|damaged"), ("2" + code[1:], "another version"),
        (code + "AAAA", "cut off|damaged"), ("1" + "é", "letters that"), (code + "%20", "letters that"),
        ("1" + "A" * MAX_CODE, "letters"), (packed(b" " * 2_000_000 + b"[]", raw=True), "too large"),
        (code.replace(code[5], "A" if code[5] != "A" else "B"), "damaged|cut off|understood"),
    ):  # fmt: skip
        with pytest.raises(CurationError, match=said):
            View.decode(wrong)


def test_add_without_and_replace_make_new_views():
    a, b, c = Rows(rows="1"), Words(text="x"), Range(score="k", low=1.0)
    view = View().add(a).add(b)
    assert view.add(a) == view
    assert view.without(0).conditions == (b,)
    assert view.without(7) == view
    assert view.replace(0, c).conditions == (c, b)
    assert view.conditions == (a, b)
    with pytest.raises(ValidationError):
        view.conditions = ()
    full = View(conditions=tuple(Rows(rows=str(i)) for i in range(MAX_CONDITIONS)))
    with pytest.raises(CurationError, match="at most"):
        full.add(Rows(rows="99999"))


def test_conditions_can_be_keys_of_a_dictionary():
    for condition in (
        Among(labels="k", values=("a",)), Like(features="k", rows=(1,)), Picked(selection="k"), Where(expression="a"),
        Region(layout="k", shapes=(Shape(points=((0, 0), (1, 0), (0, 1))),)),
    ):  # fmt: skip
        assert {condition: 1}[condition.model_copy()] == 1


# ---------------------------------------------------------------------- history


def test_undo_and_redo_walk_through_the_views():
    history = History()
    first, second = View(conditions=(Rows(rows="1"),)), View(conditions=(Rows(rows="2"),))
    assert (history.undo_label, history.redo_label) == (None, None)
    assert history.undo() == View()
    history.push(first, "one")
    history.push(first, "the same")
    history.push(second, "two")
    assert history.undo_label == "two"
    assert history.undo() == first
    assert (history.undo_label, history.redo_label) == ("one", "two")
    assert history.redo() == second
    history.undo()
    history.push(View(), "all rows")
    assert history.redo_label is None
    assert history.redo() == View()
    assert history.undo() == first


@given(st.lists(st.sampled_from(["push", "undo", "redo"]), max_size=40))
def test_the_history_is_that_of_a_list(acts):
    history, views, at = History(most=1000), [View()], 0
    for number, act in enumerate(acts):
        if act == "push":
            made = View(conditions=(Rows(rows=str(number)),))
            views, at = [*views[: at + 1], made], at + 1
            history.push(made, str(number))
        elif act == "undo":
            at = max(0, at - 1)
            history.undo()
        else:
            at = min(len(views) - 1, at + 1)
            history.redo()
        assert history.now == views[at]
        assert (history.undo_label is None) == (at == 0)
        assert (history.redo_label is None) == (at == len(views) - 1)


def test_the_history_is_bounded():
    history = History(most=3)
    for i in range(9):
        history.push(View(conditions=(Rows(rows=str(i)),)), str(i))
    for _ in range(9):
        history.undo()
    assert history.now.conditions == (Rows(rows="5"),)
