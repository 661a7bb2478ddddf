"""The map's Python side: bytes that the browser reads back to the same numbers, and messages that are checked."""

import json
import math

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from curation.ui.point_map import BudgetCut, Cut
from curation.ui.point_map.events import MAX_CORNERS, events_of
from curation.ui.point_map.feeds import (
    MAGIC,
    NEVER,
    pack_codes,
    pack_mask,
    pack_numbers,
    pack_points,
    pack_ranks,
)
from curation.ui.point_map.scripts import HERE, PARTS, script, style

SQUARE = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]


def unpacked(data, dtype):
    """As feeder.js reads it."""
    assert data[:4] == MAGIC
    start = 8 + int.from_bytes(data[4:8], "little")
    assert start % 8 == 0
    return json.loads(data[8:start]), np.frombuffer(data[start:], dtype)


# ------------------------------------------------------------------ bytes


def test_points_keep_their_float32_places_and_say_what_is_seen_first():
    xy = np.random.default_rng(0).normal(size=(500, 2))
    xy[3] = np.nan
    xy[4] = [np.inf, 0]
    xy[5] = [900, 900]
    head, values = unpacked(pack_points("a", xy), np.float32)
    assert np.array_equal(values.reshape(-1, 2), xy.astype(np.float32), equal_nan=True)
    assert (head["n"], head["placed"]) == (500, 498)
    low, high = head["view"]
    inside = ((values.reshape(-1, 2) >= low) & (values.reshape(-1, 2) <= high)).all(1)
    assert head["outside"] == 498 - inside.sum() >= 1
    assert high[0] < 10 < head["whole"][1][0] == 900


@pytest.mark.parametrize("n", [0, 1])
def test_no_point_and_one_point_have_a_view(n):
    head, _ = unpacked(pack_points("a", np.zeros((n, 2))), np.float32)
    assert head["placed"] == n
    assert head["view"][0][0] < head["view"][1][0]


def test_points_that_lie_nowhere_have_a_view():
    head, _ = unpacked(pack_points("a", np.full((3, 2), np.nan)), np.float32)
    assert head["placed"] == 0
    assert np.isfinite(head["view"]).all()


def test_a_number_too_large_for_float32_has_no_place():
    head, values = unpacked(pack_points("a", np.array([[1e300, 0.0], [1.0, 2.0]])), np.float32)
    assert head["placed"] == 1
    assert math.isinf(values[0])


def test_numbers_say_their_span_and_how_many_are_known():
    values = np.array([3.0, np.nan, 1.0, 2.0, np.inf])
    head, back = unpacked(pack_numbers("s", values), np.float32)
    assert np.array_equal(back, values.astype(np.float32), equal_nan=True)
    assert (head["known"], head["least"], head["greatest"], head["whole"]) == (3, 1.0, 3.0, True)
    assert not unpacked(pack_numbers("s", np.array([0.5])), np.float32)[0]["whole"]


def test_numbers_that_are_all_missing_have_no_span():
    head, _ = unpacked(pack_numbers("s", np.full(4, np.nan)), np.float32)
    assert head["known"] == 0
    assert "least" not in head


def test_codes_below_zero_are_none():
    head, codes = unpacked(pack_codes("c", np.array([2, -1, 0, -7])), np.int32)
    assert codes.tolist() == [2, -1, 0, -1]
    assert head["most"] == 2
    assert unpacked(pack_codes("c", np.array([-1])), np.int32)[0]["most"] == -1


def test_ranks_are_places_in_the_order():
    head, ranks = unpacked(pack_ranks("r", np.array([4, 0, 2]), 5), np.int32)
    assert ranks.tolist() == [1, NEVER, 2, NEVER, 0]
    assert head["most"] == 3


@pytest.mark.parametrize("order", [[0, 0], [5], [-1]])
def test_an_order_names_rows_that_exist_once(order):
    with pytest.raises(ValueError, match="order names"):
        pack_ranks("r", np.array(order), 5)


def test_a_mask_has_one_bit_for_each_row():
    mask = np.random.default_rng(1).random(1003) < 0.3
    head, bits = unpacked(pack_mask("m", mask), np.uint8)
    assert len(bits) == 126
    assert np.array_equal(np.unpackbits(bits, count=1003, bitorder="little").astype(bool), mask)
    assert head["count"] == mask.sum()


def test_arrays_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"\[n, 2\]"):
        pack_points("a", np.zeros((3, 3)))
    for pack in (pack_numbers, pack_codes, pack_mask):
        with pytest.raises(ValueError, match="one value for each row"):
            pack("a", np.zeros((3, 2)))


# ------------------------------------------------------------------ messages


def read(message, seen=0):
    return events_of([message], seen, 10, [Cut("s", "quality")], BudgetCut("r", 6, 3))


def test_each_gesture_is_read():
    region = read({"serial": 4, "region": {"op": "add", "points": SQUARE}}).region
    assert (region.op, region.points, region.serial) == ("add", tuple(map(tuple, SQUARE)), 4)
    cut = read({"serial": 5, "cut": {"column": "s", "low": 0.1, "high": None}}).cut
    assert (cut.low, cut.high) == (float(np.float32(0.1)), None)
    assert read({"serial": 6, "budget": {"value": 4}}).budget.value == 4
    assert read({"serial": 7, "clicked": {"row": 9}}).clicked.row == 9


def test_a_gesture_comes_once():
    message = {"serial": 4, "clicked": {"row": 1}}
    assert read(message, seen=3)
    assert not read(message, seen=4)


@pytest.mark.parametrize(
    "message",
    [
        None,
        "clicked",
        {"serial": "1", "clicked": {"row": 1}},
        {"serial": math.nan, "clicked": {"row": 1}},
        {"serial": 10**400, "clicked": {"row": 1}},
        {"serial": 1, "clicked": {"row": 10**400}},
        {"serial": 1, "cut": {"column": "s", "low": 2, "high": 1}},
        {"serial": 1, "cut": {"column": ["s"], "low": 1, "high": 2}},
        {"serial": 1, "region": {"op": ["add"], "points": SQUARE}},
        {"serial": 1, "clicked": {"row": 10}},
        {"serial": 1, "clicked": {"row": -1}},
        {"serial": 1, "clicked": {"row": 1.5}},
        {"serial": 1, "clicked": {"row": True}},
        {"serial": 1, "clicked": [1]},
        {"serial": 1, "cut": {"column": "other", "low": 1, "high": 2}},
        {"serial": 1, "cut": {"column": "s", "low": "1", "high": 2}},
        {"serial": 1, "cut": {"column": "s", "low": math.inf, "high": 2}},
        {"serial": 1, "budget": {"value": None}},
        {"serial": 1, "region": {"op": "drop table", "points": SQUARE}},
        {"serial": 1, "region": {"op": "add", "points": SQUARE[:2]}},
        {"serial": 1, "region": {"op": "add", "points": SQUARE * MAX_CORNERS}},
        {"serial": 1, "region": {"op": "add", "points": [*SQUARE, [math.nan, 0]]}},
        {"serial": 1, "region": {"op": "add", "points": [*SQUARE, [0]]}},
        {"serial": 1, "region": {"op": "add", "points": [*SQUARE, 5]}},
        {"serial": 1, "region": {"op": "add", "points": "0,0"}},
    ],
)
def test_what_does_not_fit_is_left_out(message):
    assert not read(message)


def test_a_budget_stays_within_the_order():
    assert read({"serial": 1, "budget": {"value": 99}}).budget.value == 6
    assert read({"serial": 1, "budget": {"value": -5}}).budget.value == 0


def test_a_map_without_budget_takes_none():
    assert not events_of([{"serial": 1, "budget": {"value": 4}}], 0, 10, [], None)


# ------------------------------------------------------------------ on a page


def page(names=(), n=6):
    import numpy as np
    import streamlit as st

    from curation.ui.point_map import (
        BudgetCut,
        Categories,
        Cut,
        Hovered,
        PlaceName,
        Shape,
        feed_codes,
        feed_mask,
        feed_numbers,
        feed_points,
        feed_ranks,
        hover_text,
        point_map,
    )

    points = feed_points("p", np.zeros((n, 2)))
    score = feed_numbers("s", np.arange(float(n)))
    assert feed_numbers("s", np.arange(float(n))) == score  # for the colour as well
    events = point_map(
        key="map",
        points=points,
        n=n,
        mode="dark",
        colour=Categories(feed_codes("c", np.zeros(n, int)), ["a"], ["#112233"], "#445566"),
        names=[PlaceName(0, 0, text, weight) for text, weight in names],
        lit=feed_mask("m", np.ones(n, bool)),
        cuts=[Cut(score, "quality", 1.0, None, better=True)],
        budget=BudgetCut(feed_ranks("r", np.arange(n), n), n, 2),
        shapes=[Shape("add", [(0, 0), (1, 0), (1, 1)])],
        open_row=2,
    )
    hover_text(lambda row: Hovered(f"row {row} <b>", {"score": "1"}), key="map", n=n)
    st.text(repr(events))


def run(**values):
    return AppTest.from_function(page, kwargs=values, default_timeout=20).run()


def shown(at):
    """The last message of the map, the hover answer and the feeders, by component."""
    protos = [e.proto for e in at.main if type(e).__name__ == "UnknownElement"]
    return {p.component_name: p for p in protos}


def test_the_map_mounts_with_everything_on_it():
    at = run(names=[("small", 1), ("large\nname", 9)])
    assert not at.exception
    found = shown(at)
    assert {"curation_point_map", "curation_point_engine", "curation_point_feeder", "curation_point_hover"} <= set(
        found
    )
    data = json.loads(found["curation_point_map"].json)
    assert [name[2] for name in data["names"]] == ["large name", "small"]
    assert data["cuts"] == [{"column": "s", "label": "quality", "better": True, "low": 1.0, "high": None}]
    assert (data["mode"], data["open_row"], data["seen"], data["budget"]["value"]) == ("dark", 2, 0, 2)
    assert len(found["curation_point_map"].js_content) < 5_000  # it travels with every answer


def test_a_map_without_rows_mounts():
    assert not run(n=0).exception


def test_a_gesture_reaches_the_page_once():
    at = run()
    at.session_state["map.inbox"] = [{"serial": 12, "clicked": {"row": 3}}]
    at.run()
    assert "Clicked(row=3, serial=12)" in at.text[0].value
    assert json.loads(shown(at)["curation_point_map"].json)["seen"] == 12
    at.run()
    assert "Clicked" not in at.text[0].value


def test_a_wrong_gesture_is_taken_and_dropped():
    at = run()
    at.session_state["map.inbox"] = [{"serial": 12, "clicked": {"row": 300}}]
    at.run()
    assert "Clicked" not in at.text[0].value
    assert json.loads(shown(at)["curation_point_map"].json)["seen"] == 12


@pytest.mark.parametrize("asked", [None, "3", -1, 6, 1.5, True, math.nan, math.inf])
def test_a_strange_question_has_no_answer(asked):
    at = run()
    at.session_state["map.asked"] = asked
    at.run()
    assert not at.exception
    assert json.loads(shown(at)["curation_point_hover"].json)["answer"] is None


def test_the_text_of_a_row_is_cut_to_one_line():
    at = run()
    at.session_state["map.asked"] = 4
    at.run()
    answer = json.loads(shown(at)["curation_point_hover"].json)["answer"]
    assert answer == {"row": 4, "title": "row 4", "text": "row 4 <b>", "facts": [["score", "1"]]}


# ------------------------------------------------------------------ the browser's files


def test_every_script_belongs_to_a_component_and_reads_no_html():
    assert {f"{part}.js" for parts in PARTS.values() for part in parts} == {p.name for p in HERE.glob("*.js")}
    for name in PARTS:
        text = script(name)
        assert text.count("export default") == 1
        assert "innerHTML" not in text
        assert "eval(" not in text
        assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
        assert "https://" not in text
    assert ".pm-root" in style()
