"""Components show errors with their hint, rows as plain text only, and jobs with their actions."""

import json
from dataclasses import asdict

import pytest
from streamlit.testing.v1 import AppTest

from curation import jobs
from curation.core.dataset import Row, from_pairs, in_memory
from curation.jobs import Status
from curation.ui import job_card
from curation.workspace import Workspace

HOSTILE = "![x](http://evil.test/p.png) **b** <img src=x onerror=alert(1)> $x$ :red[r]"


def run(script, **values):
    return AppTest.from_function(script, kwargs=values, default_timeout=20).run()


def everything_markdown_reads(at):
    """What goes through Streamlit's Markdown: text, captions, alerts, labels."""
    labels = [e.label for kind in (at.button, at.metric, at.selectbox, at.expander) for e in kind]
    return [e.value for kind in (at.markdown, at.caption, at.error, at.title) for e in kind] + labels


# ------------------------------------------------------------------ errors, empty states, tiles


def raises(kind, stop):
    import streamlit as st

    from curation.core.errors import CurationError, MissingDependency
    from curation.ui.components import errors_shown

    with errors_shown(stop=stop):
        if kind == "missing":
            raise MissingDependency("openvino", "fast")
        if kind == "bug":
            raise KeyError("x")
        raise CurationError("my_file.json is *empty*", "export it again")
    st.write("went on")


def test_an_error_has_its_message_and_hint():
    at = run(raises, kind="user", stop=False)
    assert not at.exception
    assert at.error[0].value == "**my\\_file.json is \\*empty\\***"
    assert "Export it again" in at.markdown[0].value
    assert at.markdown[-1].value == "went on"


def test_the_install_line_is_code():
    at = run(raises, kind="missing", stop=True)
    assert at.code[0].value == 'pip install "curation[fast]"'
    assert "went on" not in [m.value for m in at.markdown]


def test_a_bug_is_no_user_error():
    at = run(raises, kind="bug", stop=False)
    assert at.exception[0].proto.type == "KeyError"


def small_pieces():
    import streamlit as st

    from curation.selectors.k_center import KCenter
    from curation.ui.components import Tile, empty_state, method_about, page_header, stat_tiles

    page_header("Data", "What is here.", icon=":material/home:")
    stat_tiles([Tile("*rows*", "12", note="3 _more_"), Tile("other", "–")])
    method_about(KCenter)
    st.session_state["clicked"] = empty_state(
        ":material/inbox:", "Nothing here.", action="Go", key="go", hint="so it is"
    )


def test_small_pieces():
    at = run(small_pieces)
    assert not at.exception
    assert at.title[0].value == ":primary[:material/home:] Data"
    assert at.metric[0].label == "\\*rows\\*"
    text = "\n".join(m.value for m in at.markdown)
    assert "Known weakness" in text
    assert "statistical" in text
    assert not at.session_state["clicked"]
    at.button(key="go").click().run()
    assert at.session_state["clicked"]


# ------------------------------------------------------------------ rows


def card(dataset, facts=None, why=None):
    from curation.ui.rows import row_card

    row_card(dataset, 0, facts=facts, why=why)


def test_the_card_shows_hostile_text_as_text_only():
    dataset = from_pairs([(HOSTILE, "# " + HOSTILE)])
    at = run(card, dataset=dataset, facts={"length": 3.0}, why="out: near-duplicate of row 8")
    assert not at.exception
    assert [t.value for t in at.text] == [HOSTILE, "# " + HOSTILE]
    assert not any("evil.test" in part for part in everything_markdown_reads(at))
    assert any("near-duplicate" in part for part in everything_markdown_reads(at))
    assert HOSTILE in json.loads(at.code[-1].value)["instruction"]


def test_tools_calls_images_and_unusual_turns_are_shown():
    messages = [
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": "", "parts": [{"type": "image", "image": "http://evil.test/a.png"}]},
        {"role": "assistant", "content": "", "tool_calls": [{"name": "find", "arguments": {"q": 1}}], "weight": 0},
        {"role": "tool", "content": '{"ok": true}', "name": "find_*"},
        {"role": "assistant", "content": ""},
    ]
    dataset = in_memory([Row(messages, "{}", "a*b.json", 4, "messages", tools=[{"name": "find"}])])
    at = run(card, dataset=dataset)
    assert not at.exception
    codes = [c.value for c in at.code]
    assert any("evil.test" in c for c in codes)
    assert any('"arguments"' in c for c in codes)
    shown = everything_markdown_reads(at)
    assert any("not trained on" in part for part in shown)
    assert any("find\\_\\*" in part for part in shown)
    assert any("a\\*b.json, record 5" in part for part in shown)
    assert "(empty)" in [c.value for c in at.caption]


def test_very_long_text_is_cut_and_said():
    at = run(card, dataset=from_pairs([("x" * 30_000, "y")]))
    assert at.text[0].value.endswith("… and 10,000 more characters")


def table(dataset, rows, columns=None):
    import streamlit as st

    from curation.ui.rows import row_table

    st.session_state["chosen"] = row_table(dataset, rows, key="t", columns=columns, per_page=10)


def test_the_table_shows_one_page_in_the_given_order():
    dataset = from_pairs([(f"p{i}", f"r{i}") for i in range(35)])
    rows = list(range(34, -1, -1))
    at = run(table, dataset=dataset, rows=rows, columns={"length": list(range(35))})
    frame = at.dataframe[0].value
    assert frame["row"].tolist() == rows[:10]
    assert frame["prompt"].tolist()[0] == "p34"
    assert frame["length"].tolist()[:2] == [34, 33]
    assert at.session_state["chosen"] is None
    at.session_state["t.page"] = 4
    at.run()
    assert at.dataframe[0].value["row"].tolist() == rows[30:]


def test_a_clicked_row_is_returned():
    dataset = from_pairs([(f"p{i}", "") for i in range(35)])
    at = run(table, dataset=dataset, rows=[5, 6, 7])
    at.session_state["t.table.0"] = {"selection": {"rows": [], "columns": [], "cells": [(1, "prompt")]}}
    at.run()
    assert at.session_state["chosen"] == 6


def test_an_empty_table_is_no_error():
    at = run(table, dataset=from_pairs([("a", "b")]), rows=[])
    assert not at.exception
    assert len(at.dataframe[0].value) == 0


# ------------------------------------------------------------------ jobs

GUESS = {"use": "scorer/length", "seconds": 10.0, "low": 8.0, "high": 12.0, "reused": False, "basis": "history"}
FACT = {"use": "scorer/length", "kind": "score", "key": "k", "seconds": 9.5, "reused": False, "rows": 100}
FACT |= {"rows_reused": 20, "missing": {"empty": 3}, "peak_mb": 120.0, "note": ""}


def status_of(state, **more):
    facts = {"step": "embed", "step_index": 1, "step_count": 3, "done": 50.0, "total": 100.0, "seconds_left": 4.0}
    guesses = [{**GUESS, "step": s} for s in ("length", "embed", "map")]
    facts |= {"started": 100.0, "updated": 130.0, "estimates": guesses, "steps": [{**FACT, "name": "length"}]}
    return Status("20260101-000000-abcd", "My _run_", state, **(facts | more))


@pytest.mark.parametrize(
    ("change", "left"),
    [
        ({}, 14.0),  # 4 measured + 10 estimated
        ({"seconds_left": None}, 20.0),
        ({"step_index": 2}, 4.0),
        ({"estimates": []}, 4.0),
        ({"step_count": 0}, None),
    ],
)
def test_time_left_is_measured_here_and_estimated_later(change, left):
    assert job_card.seconds_left(status_of("running", **change)) == left


def test_time_left_is_unknown_when_a_later_step_is():
    guesses = [{**GUESS, "step": "a"}, {**GUESS, "step": "b"}, {**GUESS, "step": "c", "basis": "unknown"}]
    assert job_card.seconds_left(status_of("running", estimates=guesses)) is None
    assert job_card.seconds_left(status_of("done")) is None


def stored(tmp_path, status):
    workspace = Workspace.open(tmp_path / "ws")
    folder = workspace.root / "jobs" / status.id
    folder.mkdir()
    (folder / "status.json").write_text(json.dumps(asdict(status)))
    (folder / "recipe.yaml").write_text("steps: {}\n")
    (folder / "log.txt").write_text("hello\n")
    return workspace


def show_card(workspace, status):
    from curation.ui.job_card import job_card

    job_card(workspace, status)


@pytest.mark.parametrize(
    ("state", "buttons"),
    [
        ("running", ["Cancel"]),
        ("queued", ["Cancel"]),
        ("done", ["Forget"]),
        ("failed", ["Resume", "Forget"]),
        ("cancelled", ["Resume", "Forget"]),
        ("lost", ["Resume", "Forget"]),
    ],
)
def test_each_state_offers_what_can_be_done(tmp_path, state, buttons):
    status = status_of(state, message="broke *here*" if state == "failed" else "", hint="mend it")
    at = run(show_card, workspace=stored(tmp_path, status), status=status)
    assert not at.exception
    assert [b.label for b in at.button] == buttons
    assert any("My \\_run\\_" in m.value for m in at.markdown)
    assert at.code[0].value == "hello"
    frame = at.dataframe[0].value
    assert frame["actual"].tolist() == ["9.5 s", "", ""]
    assert frame["estimate"].tolist() == ["10 s"] * 3
    assert frame["note"].tolist()[0] == "3 rows: empty"
    if state == "failed":
        assert at.error[0].value == "broke \\*here\\*"


def test_cancel_leaves_the_file_that_asks_for_it(tmp_path):
    status = status_of("running")
    workspace = stored(tmp_path, status)
    at = run(show_card, workspace=workspace, status=status)
    at.button(key=f"job.{status.id}.Cancel").click().run()
    assert (workspace.root / "jobs" / status.id / "cancel").exists()


def test_forget_removes_an_ended_job(tmp_path):
    status = status_of("done")
    workspace = stored(tmp_path, status)
    run(show_card, workspace=workspace, status=status).button(key=f"job.{status.id}.Forget").click().run()
    assert jobs.listing(workspace) == []


def estimates(rows):
    from curation.estimates import Estimate
    from curation.ui.job_card import estimate_table

    estimate_table([Estimate(**r) for r in rows])


def test_estimates_are_summed_in_one_sentence():
    one = {**GUESS, "step": "a", "memory": 2e9, "disk": 1e6, "rows": 50}
    at = run(estimates, rows=[one, {**one, "step": "b"}, {**one, "step": "c", "reused": True}])
    assert "**16 s to 24 s**, most likely 20 s; 2.0 GB of memory, 2.0 MB on disk" in at.markdown[0].value
    assert at.dataframe[0].value["time"].tolist() == ["10 s", "10 s", "stored"]


def test_nothing_to_compute_is_said():
    at = run(estimates, rows=[{**GUESS, "step": "a", "memory": 1.0, "disk": 1.0, "rows": 1, "reused": True}])
    assert "nothing has to be computed" in at.success[0].value
