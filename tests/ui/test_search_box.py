"""The search box on a page of its own: what it hands over, once, and what it says when a search is wrong."""

from __future__ import annotations

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from curation import query_encoder
from curation.core.errors import CurationError
from curation.views import Like, Where, Words
from curation.workspace import Workspace
from tests.pages.conftest import made_workspace  # noqa: F401 - a fixture


def page() -> None:
    import streamlit as st

    from curation.ui import session
    from curation.ui.search_box import search_box

    workspace = session.workspace()
    dataset = workspace.dataset(workspace.datasets()[0].fingerprint)
    found = search_box(workspace, dataset, key="box")
    st.session_state.setdefault("seen", []).append(found)


@pytest.fixture
def asked(monkeypatch):
    """Texts that the page wants encoded, and vectors that it warms up; no process starts."""
    said: list[str] = []
    warmed: list[str] = []

    def embed(workspace, key, text):
        if text == "broken":
            raise CurationError("the process broke down", "search by words meanwhile")
        said.append(text)
        return np.ones(8, np.float32)

    monkeypatch.setattr(query_encoder, "embed", embed)
    monkeypatch.setattr(query_encoder, "warm", lambda workspace, key: warmed.append(key))
    return said, warmed


@pytest.fixture
def box(monkeypatch, made_workspace, asked):  # noqa: F811
    monkeypatch.setenv("CURATION_WORKSPACE", str(made_workspace))
    at = AppTest.from_function(page, default_timeout=60).run()
    assert not at.exception
    return at


def search(at: AppTest, text: str, mode: str = "words") -> AppTest:
    if at.segmented_control(key="box.mode").value != mode:
        at.segmented_control(key="box.mode").set_value(mode).run()
    at.text_input(key=f"box.text.{mode}").set_value(text)
    at.button(key=f"box.go.{mode}").click().run()
    assert not at.exception
    return at


def last(at: AppTest):
    return at.session_state["seen"][-1]


def said(at: AppTest) -> str:
    return " ".join(e.value for kind in (at.markdown, at.caption, at.code) for e in kind)


def test_a_search_is_handed_over_once_and_the_box_is_empty_again(box):
    assert last(box) is None
    at = search(box, 'river "salt lake"')
    assert last(at) == Words(text='river "salt lake"')
    assert at.text_input(key="box.text.words").value == ""
    at.run()
    assert last(at) is None


def test_settings_of_words(box):
    box.selectbox(key="box.inside").set_value("response")
    box.checkbox(key="box.whole").set_value(True)
    assert last(search(box, "lake")) == Words(text="lake", inside="response", whole=True)


def test_an_empty_search_is_none(box):
    assert last(search(box, "   ")) is None
    assert "error" not in said(box)


def test_what_is_not_understood_stays_in_the_box_and_is_told_until_the_next_search(box):
    box.checkbox(key="box.regex").set_value(True)
    at = search(box, "(")
    assert last(at) is None
    assert at.text_input(key="box.text.words").value == "("
    assert ":red[" in said(at)
    at = search(at, "a+")
    assert last(at) == Words(text="a+", regex=True)
    assert ":red[" not in said(at)


def test_meaning_warms_the_encoder_and_compares_by_vectors_of_an_encoder(box, asked, made_workspace):  # noqa: F811
    texts, warmed = asked
    assert not warmed
    at = search(box, "questions about cooking", "meaning")
    key = next(i.key for i in Workspace.open(made_workspace).results() if i.use == "encoder/sentence")
    assert warmed
    assert set(warmed) == {key}
    assert texts == ["questions about cooking"]
    assert last(at) == Like(features=key, text="questions about cooking", top=100)
    at.number_input(key="box.top").set_value(5)
    at.checkbox(key="box.farthest").set_value(True)
    assert last(search(at, "row 7", "meaning")) == Like(features=key, rows=(7,), top=5, farthest=True)
    assert len(texts) == 1


def test_an_encoder_that_breaks_down_is_told(box):
    at = search(box, "broken", "meaning")
    assert last(at) is None
    assert "The process broke down" in said(at)
    assert "search by words meanwhile".capitalize() in said(at)


def test_without_vectors_it_says_where_they_come_from(monkeypatch, few_rows_workspace, asked):
    monkeypatch.setenv("CURATION_WORKSPACE", str(few_rows_workspace))
    at = AppTest.from_function(page, default_timeout=60).run()
    at.segmented_control(key="box.mode").set_value("meaning").run()
    assert not at.exception
    assert "Draw the map by meaning" in said(at)
    assert at.text_input(key="box.text.meaning").disabled


@pytest.fixture
def few_rows_workspace(tmp_path, demo_file):
    workspace = Workspace.open(tmp_path / "ws")
    workspace.add(demo_file, name="demo")
    return workspace.root


def test_a_filter_is_bound_to_the_results_of_now(box, made_workspace):  # noqa: F811
    at = search(box, "compression_ratio_both > 0.2 AND turns = 2", "filter")
    found = last(at)
    assert isinstance(found, Where)
    assert dict(found.names).keys() == {"compression_ratio_both"}


def test_a_wrong_filter_shows_its_place(box):
    at = search(box, "row > 2 AND nonsense = 1", "filter")
    assert last(at) is None
    assert "row > 2 AND nonsense = 1\n            ^" in [c.value for c in at.code]
    assert "nonsense" in said(at)


def test_hostile_text_is_shown_as_text(box):
    at = search(box, "<b>x</b> = '![a](http://evil.test)'", "filter")
    assert last(at) is None
    shown = " ".join(m.value for m in at.markdown)
    assert "![a](" not in shown
    assert "<b>" not in shown.replace("\\<b\\>", "")


def test_columns_are_listed(box):
    box.segmented_control(key="box.mode").set_value("filter").run()
    names = list(box.dataframe[0].value["name"])
    assert {"compression_ratio_both", "prompt", "row", "turns"} <= set(names)


def test_recent_searches_search_again(box):
    at = search(search(box, "lake"), "river")
    at.run()
    assert last(at) is None
    at.button(key="box.recent.1").click().run()
    assert last(at) == Words(text="lake")
    at.run()
    assert last(at) is None
    labels = [b.label for b in at.button if b.key and b.key.startswith("box.recent")]
    assert labels == ["river", "lake"]
