"""`curate replies`: what is stored can be counted, checked, exported and forgotten."""

from __future__ import annotations

import json
import sqlite3

import pytest
from typer.testing import CliRunner

from curation.cli.main import app
from curation.core.errors import CurationError
from curation.models.chat.store import ReplyStore
from curation.models.chat.types import Reply, Request
from curation.workspace import Workspace


@pytest.fixture
def workspace(tmp_path):
    root = Workspace.open(tmp_path / "workspace").root
    with ReplyStore(root / "replies.sqlite") as store:
        for number in range(5):
            who = {"endpoint": "http://127.0.0.1:1/v1", "model": "large" if number else "small"}
            asked = Request((("user", str(number)),))
            store.put(asked.key(who), Reply(f"<b>{number}</b>", tokens_in=10, tokens_out=2), asked, who)
    return root


def curate(workspace, *words, **said):
    result = CliRunner().invoke(app, ["replies", *words, "--workspace", str(workspace)], **said)
    if isinstance(result.exception, CurationError):
        raise result.exception
    return result


def test_they_are_counted_by_model(workspace):
    told = json.loads(curate(workspace, "--json").stdout)
    assert told["count"] == 5 and told["bytes"] > 0
    assert [(u["model"], u["replies"], u["tokens_in"]) for u in told["replies"]] == [("large", 4, 40), ("small", 1, 10)]
    shown = curate(workspace).stdout
    assert "large" in shown and "5 replies" in shown


def test_a_workspace_without_replies_gets_no_file(tmp_path):
    assert "no replies" in curate(tmp_path / "empty").stdout
    assert json.loads(curate(tmp_path / "empty", "--json").stdout)["count"] == 0
    assert not (tmp_path / "empty" / "replies.sqlite").exists()


@pytest.mark.parametrize(
    "words",
    [[], ["--all", "--model", "large"]],
)
def test_forget_wants_to_be_told_what(workspace, words):
    with pytest.raises(CurationError, match="which replies"):
        curate(workspace, "forget", "--yes", *words)


def test_forget_does_nothing_without_consent(workspace):
    with pytest.raises(CurationError, match="4 replies would be removed") as caught:
        curate(workspace, "forget", "--model", "large")
    assert "--yes" in caught.value.hint
    assert json.loads(curate(workspace, "--json").stdout)["count"] == 5


def test_forget_by_model_age_and_all(workspace):
    assert "4 replies removed" in curate(workspace, "forget", "--model", "large", "--yes").stdout
    with pytest.raises(CurationError, match="no stored reply") as caught:
        curate(workspace, "forget", "--model", "large", "--yes")
    assert "small" in caught.value.hint
    with pytest.raises(CurationError, match="no stored reply"):
        curate(workspace, "forget", "--older-than", "1", "--yes")
    assert json.loads(curate(workspace, "forget", "--all", "--yes", "--json").stdout) == {"forgotten": 1}
    assert "no replies" in curate(workspace).stdout


def test_check_and_export(workspace, tmp_path):
    assert "5 replies, all sound" in curate(workspace, "check").stdout
    file = tmp_path / "replies.jsonl"
    curate(workspace, "export", str(file))
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert sorted(line["reply"]["text"] for line in lines) == [f"<b>{n}</b>" for n in range(5)]
    with pytest.raises(CurationError, match="exists already"):
        curate(workspace, "export", str(file))


def test_damage_is_told(workspace):
    with sqlite3.connect(workspace / "replies.sqlite") as db:
        db.execute("UPDATE replies SET reply = x'00' WHERE model = 'small'")
    db.close()
    with pytest.raises(CurationError, match="damaged"):
        curate(workspace, "check")


def test_words_before_the_command_count_too(workspace):
    result = CliRunner().invoke(app, ["replies", "--workspace", str(workspace), "check"])
    assert "5 replies" in result.stdout
