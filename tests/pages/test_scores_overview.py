"""The Scores page beyond one score: all distributions with their cuts, pairs, correlations, groups, health."""

import hashlib
import json

import numpy as np
import pytest

from curation.core.artifacts import Labels, Missing, Score
from curation.ui.score_grid import Cut
from curation.workspace import Workspace

pytestmark = pytest.mark.usefixtures("no_measuring")

ROWS = 80
FACTS = {"parameters": {}, "ports": {}, "within": None, "seconds": 1.0, "use": "scorer/imported"}
RNG = np.random.default_rng(0)
GROUPS = np.arange(ROWS) % 3
HOSTILE = "![x](http://evil.test/p.png) **b**"


def key_of(name, values):
    """What a score is stored under: as in real workspaces, other values have another key."""
    return hashlib.sha256(name.encode() + np.asarray(values, float).tobytes()).hexdigest()[:32]


@pytest.fixture
def planted(tmp_path, demo_file):
    """A function that makes a workspace with the given scores (name → values, better); returns it."""

    def make(scores, labels=False):
        file = tmp_path / "rows.json"
        file.write_text(json.dumps(json.loads(demo_file.read_text())[:ROWS]))
        workspace = Workspace.open(tmp_path / "workspace")
        dataset = workspace.add(file).dataset
        for i, (name, (values, better, *columns)) in enumerate(scores.items()):
            values = np.asarray(values, float)
            missing = Missing.where(np.isnan(values), "planted gap")
            score = Score(dataset.fingerprint, values, missing, name, better, *columns)
            workspace.publish(key_of(name, values), score, {**FACTS, "step": f"s{i}"})
        if labels:
            made = Labels(dataset.fingerprint, GROUPS.astype(np.int32), ("red", HOSTILE, "blue"), Missing.none(ROWS))
            workspace.publish("f" * 32, made, {**FACTS, "use": "labeller/kmeans", "step": "k"})
        return workspace

    return make


@pytest.fixture
def cards(monkeypatch):
    """The cards that the page draws; what is put into `gestures` the user does on the next run."""
    seen = {"cards": [], "gestures": [], "open": None}

    def draw(cards, *, dataset, key, on_cut):
        seen["cards"] = list(cards)
        while seen["gestures"]:
            on_cut(seen["gestures"].pop())
        clicked, seen["open"] = seen["open"], None
        return clicked

    monkeypatch.setattr("curation.ui.score_grid.score_grid", draw)
    return seen


BASE = RNG.normal(size=ROWS)
MANY = {
    "alpha": (BASE, True),
    "beta": (2 * BASE + 5, True),
    "dead": (np.full(ROWS, 1.0), True),
    "gaps": (np.where(np.arange(ROWS) < 20, np.nan, RNG.normal(size=ROWS)), False),
    "group": (GROUPS + RNG.uniform(0, 0.5, ROWS), None),
}
ALPHA, DEAD = (key_of(name, MANY[name][0]) for name in ("alpha", "dead"))


def texts(at):
    kinds = (at.markdown, at.caption, at.text, at.warning, at.info, at.error)
    return " ".join(str(e.value) for kind in kinds for e in kind)


def look(at, question):
    at.session_state["scores.closer"] = question
    at = at.run()
    assert not at.exception
    return at


# ------------------------------------------------------------------ states


def test_one_score_fills_every_question(open_page, planted):
    at = open_page("scores", planted({"only": (RNG.normal(size=ROWS), True)}).root)
    assert not at.exception
    for question in ("two", "all", "groups", "health"):
        at = look(at, question)
    assert "Nothing to beware of" in " ".join(s.value for s in at.success)


def test_a_score_that_no_row_has(open_page, planted, cards):
    at = open_page("scores", planted({"none": (np.full(ROWS, np.nan), True)}).root)
    assert not at.exception
    assert "No row has this score" in texts(at)
    assert len(cards["cards"][0].ordered) == 0
    for question in ("two", "all", "groups"):
        at = look(at, question)
    assert "should not be selected by" in texts(look(at, "health"))


def test_a_score_that_no_row_has_reaches_the_browser(open_page, planted):
    at = open_page("scores", planted({"none": (np.full(ROWS, np.nan), True), **MANY}).root)
    assert not at.exception
    assert not at.error


# ------------------------------------------------------------------ cuts


def test_cuts_are_kept_shown_and_counted_together(open_page, planted, cards):
    at = open_page("scores", planted(MANY).root)
    place = {c.title: (c.key, c.column) for c in cards["cards"]}
    assert [c.title for c in cards["cards"]][-1] == "response length"
    assert {c.title: c.better for c in cards["cards"]}["gaps"] == "lower"
    low, high = float(np.median(MANY["alpha"][0])), 0.5
    cards["gestures"] = [Cut(*place["alpha"], low, None), Cut(*place["gaps"], None, high)]
    at = at.run().run()
    assert not at.exception
    shown = {c.title: (c.low, c.high) for c in cards["cards"]}
    assert shown["alpha"] == (low, None)
    assert shown["gaps"] == (None, high)
    assert shown["beta"] == (None, None)
    kept = int(((MANY["alpha"][0] >= low) & (MANY["gaps"][0] <= high)).sum())
    assert f"**{kept} rows**" in texts(at)
    at = at.button(key="scores.grid.clear").click().run()
    assert all((c.low, c.high) == (None, None) for c in cards["cards"])


def test_a_cut_on_a_length(open_page, planted, cards):
    workspace = planted(MANY)
    at = open_page("scores", workspace.root)
    lengths = workspace.dataset(workspace.datasets()[0].fingerprint).lengths("response")
    cards["gestures"] = [Cut("length", None, None, float(np.median(lengths)))]
    at = at.run().run()
    assert f"**{int((lengths <= np.median(lengths)).sum())} rows**" in texts(at)


def test_the_threshold_of_the_panel_cuts_the_view(open_page, planted, cards):
    at = open_page("scores", planted(MANY).root)
    key = f"score.cut.{ALPHA}.None"
    at = at.number_input(key=f"{key}.exact.above").set_value(0.25).run()
    at = at.button(key=f"score.view.{ALPHA}").click().run()
    assert not at.exception
    assert {c.title: c.low for c in cards["cards"]}["alpha"] == 0.25


def test_columns_are_shown_when_asked_for_and_a_title_opens_them(open_page, planted, cards):
    values = RNG.normal(size=ROWS)
    workspace = planted({"a": (values, True, {"extra_column": values**2, "wide": np.ones((ROWS, 2))})})
    at = open_page("scores", workspace.root)
    assert "a: extra column" not in [c.title for c in cards["cards"]]
    at = at.toggle(key="scores.grid.columns").set_value(True).run()
    assert "a: extra column" in [c.title for c in cards["cards"]]
    cards["open"] = (key_of("a", values), "extra_column")
    at = at.run()
    assert at.selectbox(key=f"score.column.{key_of('a', values)}").value == "extra_column"
    cards["open"] = ("length", None)
    at = at.run()
    assert not at.exception
    assert at.selectbox(key="scores.pair.x").value == "length "


def test_many_columns_are_paged(open_page, planted, cards):
    scores = {f"s{i:02}": (RNG.normal(size=ROWS), True) for i in range(19)}
    at = open_page("scores", planted(scores).root)
    assert not at.exception
    assert len(cards["cards"]) == 16


# ------------------------------------------------------------------ pairs and correlations


def test_a_pair_states_its_rank_correlation_and_rows(open_page, planted):
    at = look(open_page("scores", planted(MANY).root), "two")
    assert at.selectbox(key="scores.pair.x").value.startswith(ALPHA)
    assert "**ρ = 1.00** over **80 rows**" in texts(at)
    at = at.selectbox(key="scores.pair.y").set_value(f"{DEAD} ").run()
    assert "No rank correlation" in texts(at)
    at = at.selectbox(key="scores.pair.y").set_value(f"{ALPHA} ").run()
    assert "two different" in texts(at)


def test_the_strongest_pair_is_listed_and_can_be_plotted(open_page, planted):
    at = look(open_page("scores", planted(MANY).root), "all")
    pairs = next(f.value for f in at.dataframe if list(f.value.columns) == ["ρ", "one", "other", "rows"])
    assert {pairs["one"][0], pairs["other"][0]} == {"alpha", "beta"}
    assert pairs["ρ"][0] == pytest.approx(1)
    assert not pairs[["one", "other"]].isin(["dead"]).any().any(), "a constant correlates with nothing"
    at.session_state["scores.pairs.7"] = {"selection": {"rows": [0], "columns": [], "cells": []}}
    at = at.run()
    at = at.button(key="scores.pairs.plot").click().run()
    assert at.segmented_control(key="scores.closer").value == "two"
    assert "**ρ = 1.00**" in texts(at)


# ------------------------------------------------------------------ groups


def test_groups_show_medians_and_become_a_condition(open_page, planted):
    at = look(open_page("scores", planted(MANY, labels=True).root), "groups")
    table = next(f.value for f in at.dataframe if "median of group" in f.value.columns)
    assert table["group"].tolist() == ["red", HOSTILE, "blue"], "27, 27 and 26 rows"
    for i, median in enumerate(table["median of group"]):
        assert median == np.median(MANY["group"][0][i == GROUPS])
    at = at.selectbox(key="scores.groups.by").set_value("group").run()
    table = next(f for f in at.dataframe if "median of group" in f.value.columns)
    assert table.value["group"].tolist() == ["blue", HOSTILE, "red"]
    at.session_state[table.key] = {"selection": {"rows": [1], "columns": [], "cells": []}}
    at = at.run()
    at = at.button(key="scores.groups.among").click().run()
    assert not at.exception
    assert f"**{(GROUPS == 1).sum()} rows**" in texts(at)
    table = next(f.value for f in at.dataframe if "share in view" in f.value.columns)
    assert dict(zip(table["group"], table["share in view"], strict=True)) == {"blue": 0, HOSTILE: 1, "red": 0}
    assert "![x](" not in texts(at)


def test_rows_without_groups_say_so(open_page, planted):
    at = look(open_page("scores", planted(MANY).root), "groups")
    assert "no groups yet" in texts(at)


# ------------------------------------------------------------------ health and consent


def test_health_tells_what_is_planted(open_page, planted):
    at = look(open_page("scores", planted(MANY).root), "health")
    frame = next(f for f in at.dataframe if "beware" in f.value.columns)
    told = dict(zip(frame.value["score"], frame.value["beware"], strict=True))
    assert told["dead"] == "dead"
    assert told["alpha"] == told["beta"] == "duplicate"
    assert told["gaps"] == "missing"
    assert "One score should not be selected by: dead" in texts(at)
    assert "20 rows (25 %) lack it" in texts(at)
    at.session_state[frame.key] = {"selection": {"rows": [2], "columns": [], "cells": []}}
    at = at.run()
    at = at.button(key="scores.health.open").click().run()
    assert at.selectbox(key="scores.one").value == DEAD


def test_a_dead_score_is_kept_only_with_consent(open_page, planted, started):
    at = open_page("scores", planted(MANY).root)
    key = DEAD
    at = at.selectbox(key="scores.one").set_value(key).run()
    assert "tells rows apart hardly at all: all rows have the value 1" in texts(at)
    assert at.button(key=f"score.keep.{key}").disabled
    at = at.checkbox(key=f"score.consent.{key}.None").check().run()
    at.button(key=f"score.keep.{key}").click().run()
    assert len(started) == 1


def test_a_sound_score_asks_for_no_consent(open_page, planted):
    at = open_page("scores", planted(MANY).root)
    assert not at.checkbox
    assert not at.button(key=f"score.keep.{ALPHA}").disabled


def test_selecting_by_a_dead_score_needs_consent_on_the_select_page(open_page, planted, started):
    at = open_page("select", planted(MANY).root)
    at = at.selectbox(key="select.use").set_value("selector/top-k").run()
    at = at.selectbox(key="select.port.selector/top-k.score").set_value(DEAD).run()
    assert not at.exception
    assert "tells rows apart hardly at all" in texts(at)
    assert "select.run" not in [b.key for b in at.button]
    at = at.checkbox(key="select.consent.selector/top-k").check().run()
    at.button(key="select.run").click().run()
    assert len(started) == 1


def test_the_cut_is_a_pill_that_undo_takes_back_and_a_link_brings_again(open_page, planted, cards):
    workspace = planted(MANY)
    at = open_page("scores", workspace.root)
    cards["gestures"] = [Cut(ALPHA, None, 0.25, None)]
    at = at.run().run()
    link = at.query_params["view"]
    link = link[0] if isinstance(link, list) else link
    at = at.button(key="scores.view.undo").click().run()
    assert {c.title: c.low for c in cards["cards"]}["alpha"] is None
    other = open_page("scores", workspace.root, view=link)
    assert not other.exception
    assert {c.title: c.low for c in cards["cards"]}["alpha"] == 0.25
    assert f"**{int((BASE >= 0.25).sum())} rows**" in texts(other)


def test_a_link_to_a_score_that_is_gone_is_said_and_not_applied(open_page, planted, cards):
    from curation.views import Range, View

    gone = View().add(Range(score="0" * 32, low=1.0)).encode()
    at = open_page("scores", planted(MANY).root, view=gone)
    assert not at.exception
    assert "**80 rows**" not in texts(at)
    assert "Nothing is cut away" in texts(at)
