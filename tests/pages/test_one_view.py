"""One view on every page: what the address, another dataset, another page and the browser's way back make of it."""

import json

import numpy as np
import pytest

from curation.views import Range, Region, Shape, View, Words, WorkspaceSources, evaluate
from curation.views.conditions import LENGTH
from curation.workspace import Workspace

pytestmark = pytest.mark.usefixtures("no_measuring")


def opened(root):
    workspace = Workspace.open(root)
    return workspace, workspace.dataset(workspace.datasets()[0].fingerprint)


def history(at, dataset):
    return at.session_state[f"view.{dataset.fingerprint}"]


def texts(at):
    return " ".join(str(e.value) for kind in (at.markdown, at.caption, at.text, at.info) for e in kind)


def a_region(workspace):
    layout = next(r for r in workspace.results() if r.kind == "layout")
    points = ((-3.0, 6.0), (3.0, 6.0), (3.0, 12.0), (-3.0, 12.0))
    return Region(layout=layout.key, shapes=(Shape(op="add", points=points),))


def test_the_data_page_shows_the_rows_of_the_view_and_can_show_all(open_page, made_workspace):
    workspace, dataset = opened(made_workspace)
    cut = float(np.median(dataset.lengths("response")))
    view = View(conditions=(Range(score=LENGTH, column=None, low=cut, high=None), a_region(workspace)))
    rows = np.flatnonzero(evaluate(view, WorkspaceSources(workspace, dataset)))
    assert 0 < len(rows) < len(dataset)
    at = open_page("data", made_workspace, view=view.encode())
    assert not at.exception
    assert at.dataframe[0].value["row"].tolist() == rows[:25].tolist()
    assert at.segmented_control(key="data.seen.tab").value == "Selected"
    at.segmented_control(key="data.seen.tab").set_value("Filtered").run()
    filtered = np.flatnonzero(dataset.lengths("response") >= cut)
    assert at.dataframe[0].value["row"].tolist() == filtered[:25].tolist()
    at.segmented_control(key="data.seen.tab").set_value("All").run()
    assert at.dataframe[0].value["row"].tolist() == list(range(25))
    at.button(key="data.seen.clear").click().run()
    assert not history(at, dataset).now
    at.button(key="data.seen.undo").click().run()
    assert history(at, dataset).now == view


def test_without_a_view_the_data_page_has_no_bar(open_page, made_workspace):
    at = open_page("data", made_workspace)
    assert not at.exception
    assert "data.seen.undo" not in [b.key for b in at.button]


def test_a_view_belongs_to_its_dataset(open_page, made_workspace, tmp_path):
    workspace = Workspace.open(tmp_path / "two")
    for name in ("one", "two"):
        rows = [{"instruction": f"{name} {i}", "output": "river" if i % 2 else "lake"} for i in range(20)]
        (tmp_path / f"{name}.json").write_text(json.dumps(rows))
        workspace.add(tmp_path / f"{name}.json", name=name)
    datasets = {d.name: workspace.dataset(d.fingerprint) for d in workspace.datasets()}
    view = View(conditions=(Words(text="river"),))
    at = open_page("data", workspace.root, view=view.encode(), dataset="one")
    assert len(at.dataframe[0].value) == 10
    at.selectbox(key="session.dataset").set_value("two").run()
    assert not at.exception
    assert not history(at, datasets["two"]).now, "the view in the address was the other dataset's"
    assert len(at.dataframe[0].value) == 20
    at.selectbox(key="session.dataset").set_value("one").run()
    assert history(at, datasets["one"]).now == view
    assert len(at.dataframe[0].value) == 10


def test_the_browsers_way_back_is_a_step_that_can_be_undone(open_page, made_workspace, monkeypatch):
    from curation.ui import view_state

    _, dataset = opened(made_workspace)
    first, second = View(conditions=(Words(text="the"),)), View(conditions=(Words(text="a"),))
    at = open_page("map", made_workspace, view=first.encode())
    at.session_state["map.search.again"] = Words(text="a")
    at.run()
    both = history(at, dataset).now
    assert both.conditions == (*first.conditions, *second.conditions)

    at.query_params["view"] = first.encode()
    at.run()
    assert history(at, dataset).now == both, "the browser did not know the new address yet"

    monkeypatch.setattr(view_state, "ON_THE_WAY_S", 0.0)
    at.query_params["view"] = first.encode()
    at.run()
    assert history(at, dataset).now == first
    del at.query_params["view"]
    at.run()
    assert not history(at, dataset).now
    at.button(key="view.undo").click().run()
    assert history(at, dataset).now == first


def test_the_tab_of_selected_rows_says_how_to_select_where_none_are(open_page, made_workspace):
    at = open_page("map", made_workspace)
    at.segmented_control(key="map.rows.tab").set_value("Selected").run()
    assert not at.exception
    assert "Draw around points" in texts(at)


def test_page_and_row_are_as_they_were_after_another_page(open_page, made_workspace):
    workspace, dataset = opened(made_workspace)
    view = View(conditions=(Words(text="the"), a_region(workspace)))
    at = open_page("map", made_workspace, view=view.encode())
    at.segmented_control(key="map.rows.tab").set_value("Filtered").run()
    at.switch_page("pages/scores.py").run()
    at.switch_page("pages/map.py").run()
    assert not at.exception
    assert history(at, dataset).now == view
    assert at.segmented_control(key="map.rows.tab").value == "Filtered"


def test_a_region_that_is_drawn_shows_its_rows_instead_of_an_open_row(open_page, made_workspace):
    _, dataset = opened(made_workspace)
    at = open_page("map", made_workspace)
    at.session_state["map.inbox"] = [{"serial": 1, "clicked": {"row": 5}}]
    at.run()
    assert "**Row 5**" in texts(at)
    at.session_state["map.inbox"] = [
        {"serial": 2, "region": {"op": "replace", "points": [[-3, 6], [3, 6], [3, 12], [-3, 12]]}}
    ]
    at.run()
    assert not at.exception
    assert "**Row 5**" not in texts(at)
    assert at.segmented_control(key="map.rows.tab").value == "Selected"


def test_a_view_with_as_many_conditions_as_there_can_be_says_so(open_page, made_workspace):
    _, dataset = opened(made_workspace)
    full = View(conditions=tuple(Words(text=f"{'a' * (i + 1)}") for i in range(50)))
    at = open_page("map", made_workspace, view=full.encode())
    at.session_state["map.inbox"] = [
        {"serial": 1, "region": {"op": "replace", "points": [[-3, 6], [3, 6], [3, 12], [-3, 12]]}}
    ]
    at.run()
    assert not at.exception
    assert any("at most 50 conditions" in e.value for e in at.error)
    assert history(at, dataset).now == full
