"""The row panel: places in scores, decisions by click, stepping, neighbours, notes; and actions on many rows."""

import json
import re
import shutil

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from curation.core.artifacts import Missing, Score
from curation.ui import row_facts
from curation.workspace import Workspace
from tests.pages.conftest import made_workspace  # noqa: F401 - a fixture

ROWS = (5, 9, 2, 7)


def page():
    """A page with a panel and a bar, as an app file of its own."""
    import numpy as np
    import streamlit as st

    from curation.ui import session
    from curation.ui.deciding import decide_bar, decision_pills
    from curation.ui.row_panel import row_panel

    workspace = session.workspace()
    dataset = workspace.dataset("made")
    asked = st.session_state.setdefault("asked", 9)
    pills = decision_pills(workspace, dataset, key="p")
    decide_bar(workspace, dataset, np.arange(20), key="many", also=(pills,))
    st.session_state["shown"] = row_panel(
        workspace, dataset, asked, key="one", words=("the",), rows=(5, 9, 2, 7), also=(pills,),
        on_open=lambda row: st.session_state.update(opened=row),
    )  # fmt: skip


@pytest.fixture
def workspace(made_workspace, tmp_path, monkeypatch):  # noqa: F811
    shutil.copytree(made_workspace, tmp_path / "copy")
    monkeypatch.setenv("CURATION_WORKSPACE", str(tmp_path / "copy"))
    return Workspace.open(tmp_path / "copy")


@pytest.fixture
def log(workspace):
    return workspace.decisions(workspace.dataset("made"))


@pytest.fixture
def at(workspace):
    opened = AppTest.from_function(page, default_timeout=60).run()
    assert not opened.exception
    return opened


def click(at, key):
    at.button(key=key).click().run()
    assert not at.exception


def title(at):
    return next(m.value for m in at.markdown if m.value.startswith("**Row "))


def shown(at):
    """What the conversation component got."""
    found = next(c for c in at.get("bidi_component") if c.proto.component_name == "curation.conversation")
    return json.loads(json.loads(found.proto.json)["json"])


def scores_of(at):
    found = next(c for c in at.get("bidi_component") if c.proto.component_name == "curation.place_bars")
    return {name: line for name, *line in json.loads(found.proto.json)["rows"]}


def badges(at):
    return " ".join(m.value for m in at.markdown if "-badge[" in m.value)


# ------------------------------------------------------------------ on the page


def test_all_that_is_known_is_there(at, workspace):
    assert title(at) == "**Row 9**"
    dataset = workspace.dataset("made")
    assert shown(at)["messages"][0]["letters"] == len(dataset.messages(9)[0]["content"])
    scores = scores_of(at)
    assert {name.split()[0] for name in scores} >= {"length", "compression"}
    assert all(re.fullmatch(r"\d+ of 60", rank) and 0 < percentile < 100 for _, rank, percentile, _ in scores.values())
    selections = next(m.value for m in at.markdown if "pick " in m.value or "stands for it" in m.value)
    assert selections.count(":material/") == 1
    assert any(b.key.startswith("one.nearest.") for b in at.button)
    assert any("Cluster" in m.value or "cluster" in m.value for m in at.markdown)


def test_a_decision_goes_to_the_log_and_on_to_the_next_row_in_view(at, log):
    click(at, "one.drop")
    assert log.state().dropped.tolist() == [9]
    assert title(at) == "**Row 2**"
    assert at.session_state["opened"] == 2
    click(at, "one.keep")
    click(at, "one.keep")
    click(at, "one.keep")
    assert title(at) == "**Row 7**"  # the last one stays
    assert log.state().kept.tolist() == [2, 7]
    assert at.button(key="one.step1").disabled
    assert "2 kept" in badges(at)
    assert "1 dropped" in badges(at)


def test_the_toggle_lets_the_row_stay(at, log):
    at.toggle(key="one.onward").set_value(False).run()
    click(at, "one.drop")
    assert title(at) == "**Row 9**"
    click(at, "one.clear")
    assert log.state().of(9) == ""


def test_undo_and_redo_go_to_the_row_they_are_about(at, log):
    click(at, "one.drop")
    click(at, "one.undo")
    assert title(at) == "**Row 9**"
    assert not len(log.state().dropped)
    assert at.button(key="one.undo").disabled
    click(at, "one.redo")
    assert log.state().dropped.tolist() == [9]


def test_an_undo_that_came_too_late_is_an_error_in_words(at, log):
    click(at, "one.drop")
    log.keep([40])  # in another window
    click(at, "one.undo")
    assert "meanwhile: keep row 40" in at.error[0].value
    assert log.state().dropped.tolist() == [9]
    click(at, "one.undo")
    assert not at.error
    assert log.state().kept.tolist() == []


def test_stepping_and_neighbours_and_the_way_back(at):
    click(at, "one.step-1")
    assert title(at) == "**Row 5**"
    assert at.button(key="one.step-1").disabled
    other = next(b for b in at.button if b.key.startswith("one.nearest."))
    row = int(other.key.rpartition(".")[2])
    click(at, other.key)
    assert title(at) == f"**Row {row:,}**"
    click(at, "one.back")
    assert title(at) == "**Row 5**"
    assert "one.back" not in [b.key for b in at.button]
    click(at, "one.step1")
    assert title(at) == "**Row 9**"


def test_the_page_opens_another_row(at):
    click(at, "one.step1")
    at.session_state["asked"] = 30
    at.run()
    assert title(at) == "**Row 30**"
    assert at.session_state["shown"] == 30


def test_a_note_is_written_shown_and_removed(at, log):
    click(at, "one.note")
    field = at.text_area[0]
    field.set_value("odd: <b>*x*</b>\u202e").run()
    assert log.state().notes == {9: "odd: <b>*x*</b>\u202e"}
    assert not at.text_area
    assert [t.value for t in at.text] == ["odd: <b>*x*</b>\\u202e"]
    click(at, "one.note")
    at.text_area[0].set_value("").run()
    assert log.state().notes == {}
    click(at, "one.note")
    click(at, "one.note")
    assert not at.text_area


def test_many_rows_at_once_are_one_event_with_its_undo(at, log):
    log.keep([3, 4])
    at.run()
    click(at, "many.drop")
    assert len(log.state().dropped) == 20
    assert any("Dropped 20 rows. 2 of them had been kept by hand." in m.value for m in at.markdown)
    click(at, "many.outcome.undo")
    assert log.state().kept.tolist() == [3, 4]
    assert log.state().version == 3
    click(at, "many.clear")
    assert not len(log.state().kept)


def test_a_damaged_log_is_said_and_the_page_lives(at, log):
    log.keep([1])
    log.path.write_bytes(b"nonsense\n" + log.path.read_bytes())
    at.run()
    assert not at.exception
    assert "line 1, is damaged" in at.error[0].value


# ------------------------------------------------------------------ facts


def place_naive(values, row, lowest_first):
    finite = [v for v in values if np.isfinite(v)]
    better = [v for v in finite if (v < values[row] if lowest_first else v > values[row])]
    equal = [v for v in finite if v == values[row]]
    worse = len(finite) - len(better) - len(equal)
    return len(better) + 1, len(finite), 100 * (worse + len(equal) / 2) / len(finite)


@pytest.mark.parametrize("better", [True, False, None])
def test_rank_and_percentile_are_those_of_the_loop(better):
    rng = np.random.default_rng(0)
    values = rng.integers(0, 6, 40).astype(float)
    values[[3, 8]] = np.nan
    score = Score("d", values, Missing.where(np.isnan(values), "gone"), "s", better)
    ordered = np.sort(values[np.isfinite(values)])
    for row in range(40):
        place = row_facts.place_of("s", score, ordered, row)
        if row in (3, 8):
            assert (place.rank, place.of, place.missing) == (0, 38, "gone")
        else:
            rank, of, percentile = place_naive(values, row, better is False)
            assert (place.rank, place.of) == (rank, of)
            assert place.percentile == pytest.approx(percentile)


def test_texts_that_came_with_a_score_are_explanations(monkeypatch):
    columns = {"reason": np.array(["because", None, " "], object), "tokens": np.arange(3.0)}
    score = Score("d", np.arange(3.0), Missing.none(3), "judge", True, columns)

    class Stored:
        name = "Judge"

    Stored.score = score
    monkeypatch.setattr(row_facts.pool, "scores", lambda fingerprint: [Stored])

    class Dataset:
        fingerprint = "d"

    assert row_facts.explanations(Dataset, 0) == [("Judge · reason", "because")]
    assert row_facts.explanations(Dataset, 1) == row_facts.explanations(Dataset, 2) == []
