"""What methods that ask share: whom they mean is in their key, and a model in this process computes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from curation.core.runtime import Runtime
from curation.models.chat.connections import Connection, save_connection
from curation.scorers.alpagasus import AlpaGasus
from curation.scorers.evol_score import EvolScore
from curation.scorers.length import Length


@pytest.fixture
def local(tiny_causal: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a local model that the connection "judge" names."""
    folder = tmp_path / "model"
    shutil.copytree(tiny_causal, folder)
    monkeypatch.setenv("CURATION_CONNECTIONS", str(tmp_path / "connections.yaml"))
    save_connection(Connection(name="judge", kind="local", model=str(folder)))
    return folder


def test_a_local_model_takes_the_turn_and_a_server_does_not(local: Path) -> None:
    assert not AlpaGasus().resolve(Runtime()).waits()
    assert AlpaGasus(connection="stand-in").resolve(Runtime()).waits()
    assert not Length().waits()


def test_checkpoints_of_deita_compute_here() -> None:
    assert not EvolScore(by="checkpoint", connection="stand-in").waits() and EvolScore(connection="stand-in").waits()


def test_other_weights_in_the_same_folder_are_another_model(local: Path) -> None:
    before = AlpaGasus().resolve(Runtime()).key_parameters()
    assert before == AlpaGasus().resolve(Runtime()).key_parameters() and "connection" not in before
    config = json.loads((local / "config.json").read_text())
    (local / "config.json").write_text(json.dumps({**config, "rope_theta": 20_000.0}))
    after = AlpaGasus().resolve(Runtime()).key_parameters()
    assert {name for name in after if after[name] != before[name]} == {"revision"}
