"""What the address and the environment mean."""

from curation.ui.session import path_of
from curation.workspace import Workspace


def test_relative_paths_start_where_the_app_was_called(tmp_path, monkeypatch):
    (tmp_path / "mine.json").write_text("[]")
    monkeypatch.setenv("CURATION_FOLDER", str(tmp_path))
    assert path_of(" mine.json ") == str(tmp_path / "mine.json")
    assert path_of(str(tmp_path / "mine.json")) == str(tmp_path / "mine.json")
    assert path_of("owner/name") == "owner/name"  # a hub id


def test_the_dataset_named_at_the_start_is_opened(tmp_path, monkeypatch, demo_file):
    from pathlib import Path

    from streamlit.testing.v1 import AppTest

    workspace = Workspace.open(tmp_path / "workspace")
    first = workspace.add(demo_file, name="first").dataset
    (tmp_path / "other.json").write_text('[{"instruction": "a", "output": "b"}]')
    workspace.add(tmp_path / "other.json", name="newest")
    monkeypatch.setenv("CURATION_WORKSPACE", str(workspace.root))
    monkeypatch.setenv("CURATION_OPEN", f"?dataset={first.fingerprint}")
    app = Path(__file__).resolve().parents[2] / "app.py"
    at = AppTest.from_file(str(app), default_timeout=60).run()
    assert not at.exception
    assert at.selectbox(key="session.dataset").value == "first"
    at.selectbox(key="session.dataset").set_value("newest").run()
    assert at.query_params["dataset"] == "newest"
    assert at.metric[0].value == "1"
