"""What goes to the browser is small and exact; what comes from it is checked."""

import json

import numpy as np
import pytest

from curation.ui.score_grid import Card, Cut, card_facts, read_cut, read_name

KNOWN = {("a", None), ("a", "extra")}
SOUND = {"key": "a", "column": None, "low": 0.5, "high": None}
NAN, INF = float("nan"), float("inf")


def test_a_sound_cut_is_read():
    assert read_cut(SOUND, KNOWN) == Cut("a", None, 0.5, None)
    assert read_cut({"key": "a", "column": "extra", "low": None, "high": None}, KNOWN) == Cut("a", "extra", None, None)
    assert read_cut({**SOUND, "high": 1}, KNOWN) == Cut("a", None, 0.5, 1.0)


@pytest.mark.parametrize(
    "value",
    [
        None, [], "x", {}, {**SOUND, "key": "b"}, {**SOUND, "key": ["a"]}, {**SOUND, "column": 3},
        {**SOUND, "low": NAN}, {**SOUND, "low": INF}, {**SOUND, "low": "0"}, {**SOUND, "low": True},
        {**SOUND, "high": 0.4}, {**SOUND, "column": ["extra"]}, {**SOUND, "low": 10**400},
    ],
)  # fmt: skip
def test_anything_else_is_not_a_cut(value):
    assert read_cut(value, KNOWN) is None


def test_a_clicked_name_has_to_be_known():
    assert read_name({"key": "a", "column": "extra"}, KNOWN) == ("a", "extra")
    for value in (None, "a", {"key": ["a"]}, {"key": "b", "column": None}, {"key": "a", "column": {}}):
        assert read_name(value, KNOWN) is None


def card(ordered, rows=None, **more):
    rows = len(ordered) if rows is None else rows
    return Card("a", None, "x" * 200, "statistical", "#118C87", "higher", rows, ordered, **more)


def test_a_million_rows_are_a_few_kilobytes():
    ordered = np.sort(np.random.default_rng(0).lognormal(size=1_000_000))
    facts = card_facts(card(ordered, low=float(ordered[10]), high=1.5), "million")
    assert len(json.dumps(facts)) < 20_000
    assert facts["low"] == {"value": ordered[10], "rows": 999_990}
    assert facts["high"]["rows"] == (ordered > 1.5).sum()
    assert sum(facts["bars"]) == 1_000_000
    assert len(facts["title"]) < 100


def test_a_bound_between_stops_is_counted_exactly():
    ordered = np.array([1.0, 2, 2, 3])
    facts = card_facts(card(ordered, low=1.5, high=2.0), "few")
    assert (facts["low"]["rows"], facts["high"]["rows"]) == (3, 1)
    none = card_facts(card(ordered), "few")
    assert none["low"] is none["high"] is None


def test_a_score_without_values_has_no_stops():
    facts = card_facts(card(np.empty(0), rows=5, low=1.0), "none")
    assert facts["stops"] == {"values": [], "at_least": [], "over": []}
    assert facts["low"] is None
