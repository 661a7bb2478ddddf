"""The command line about judges: connections, what asking costs, caps, the judge report."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import curation
from curation.core.errors import CurationError
from curation.core.spending import Caps
from curation.workspace import Workspace
from tests.test_engine import rows

SECRET = "sk-proj-Abcdefgh1234567890abcdefgh"
JUDGE = "inputs: {pool: Dataset}\nsteps:\n  judge: {use: scorer/alpagasus, on: $pool, audit: 0.3}\nresult: $judge\n"
N = 70


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Run commands in a workspace with 70 rows; returns exit code, standard output, errors."""
    from curation.cli.main import main

    monkeypatch.setattr("curation.cli.show.out._width", 160)  # tables are as wide, whatever terminal there is
    monkeypatch.setenv("CURATION_CONNECTIONS", str(tmp_path / "connections.yaml"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "judge.yaml").write_text(JUDGE)
    Workspace.open(tmp_path / ".curation").add_rows(rows(N), "rows")

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["curate", *words])
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def served(here, loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The same, with a server behind the connection "judge" whose prices are known."""
    server = loopback(judge="length", fields={"prices": {"input": 1.0, "output": 2.0, "currency": "EUR"}})
    return here, server


# ------------------------------------------------------------------ connections


def test_connections_are_added_listed_and_removed(here, tmp_path):
    code, out, err = here(
        "connections", "add", "judge", "--address", "http://127.0.0.1:8000/v1", "--model", "m", "--key-variable",
        "MY_KEY", "--input-price", "0.15", "--output-price", "0.6", "--concurrency", "8",
    )  # fmt: skip
    assert code == 0
    assert "MY_KEY is not set" in err
    code, out, _ = here("connections")
    assert "http://127.0.0.1:8000/v1" in out
    assert "0.15 / 0.6 USD" in out
    assert "MY_KEY (not set)" in out
    assert "stand-in" in out
    told = json.loads(here("connections", "--json")[1])
    assert told["connections"][0]["concurrency"] == 8
    assert told["connections"][0]["key_is_set"] is False
    assert (tmp_path / "connections.yaml").stat().st_mode & 0o077 == 0
    assert here("connections", "remove", "judge")[0] == 0
    assert "MY_KEY" not in here("connections")[1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["add", "judge", "--address", "http://127.0.0.1/v1", "--model", "m", "--key-variable", SECRET], "NAME of an"),
        (["add", "judge", "--address", "nowhere", "--model", "m"], "--address"),
        (["add", "judge", "--address", "http://127.0.0.1/v1"], "--model"),
        (
            ["add", "judge", "--address", "http://127.0.0.1/v1", "--model", "m", "--input-price", "1"],
            "price is missing",
        ),
        (["add", "stand-in", "--kind", "stand-in"], "stand-in"),
        (["add", "judge", "--kind", "telepathy", "--model", "m"], "kind"),
        (["test", "nobody"], "no connection 'nobody'"),
        (["remove", "nobody"], "no connection 'nobody'"),
    ],
)
def test_wrong_connections_are_two_lines_and_never_tell_a_key(here, tmp_path, words, said):
    code, out, err = here("connections", *words)
    assert code == 2
    assert len(err.strip().splitlines()) == 2, err
    assert said in err
    assert SECRET not in out + err
    assert not (tmp_path / "connections.yaml").exists()


def test_a_connection_is_not_overwritten_by_accident(here):
    words = ("connections", "add", "judge", "--kind", "stand-in")
    assert here(*words)[0] == 0
    code, _, err = here(*words)
    assert code == 2
    assert "--replace" in err
    assert here(*words, "--replace")[0] == 0


def test_a_connection_is_tested_with_one_request(served, loopback):
    run, server = served
    code, out, _ = run("connections", "test", "judge")
    assert code == 0
    assert "answers" in out
    assert server.stats()["calls"] == 1
    assert json.loads(run("connections", "test", "judge", "--json")[1])["tokens_in"] > 0


def test_what_a_server_calls_its_model_does_not_steer_the_terminal(here, tmp_path, monkeypatch):
    from curation.models.chat import client
    from curation.models.chat.types import Answer, Reply

    evil = Reply("a\x1b[2Jb", model="m\x1b]0;title\x07\x9b2J")
    monkeypatch.setattr(client, "ask_all", lambda *_: [Answer(evil)])
    assert here("connections", "add", "judge", "--address", "http://127.0.0.1:1/v1", "--model", "m")[0] == 0
    code, out, _ = here("connections", "test", "judge")
    assert code == 0 and "answers" in out and "title" in out
    assert not set(out) & {"\x1b", "\x07", "\x9b"}


# ------------------------------------------------------------------ cost


def test_a_dry_run_sends_nothing_and_shows_what_would_be_sent(served):
    run, server = served
    code, out, _ = run("run", "judge.yaml", "--dry-run")
    assert code == 0
    assert server.stats()["calls"] == 0
    assert "limits only" in out
    assert "Question number 0?" in out
    assert f"{N} rows" in out
    told = json.loads(run("run", "judge.yaml", "--dry-run", "--json")[1])
    assert told["asking"]["judge"]["stored"] == 0
    assert told["asking"]["judge"]["example"]["messages"]
    assert told["total"]["currency"] == "EUR"


def test_a_probe_asks_about_thirty_rows_then_a_run_stays_beside_the_estimate(served):
    run, server = served
    code, out, _ = run("run", "judge.yaml", "--probe")
    assert code == 0
    assert "measured on 30 rows" in out
    assert "the probe took" in out
    sent = server.stats()["calls"]
    assert 30 <= sent <= 45
    code, out, err = run("run", "judge.yaml")
    assert code == 0
    assert "judge will send" in err
    assert "Spent" in out
    assert "money, EUR" in out
    assert "replies were stored already" in out
    all_sent = server.stats()["calls"]
    assert run("run", "judge.yaml")[0] == 0
    assert server.stats()["calls"] == all_sent


def test_a_cap_stops_and_a_second_run_goes_on(served):
    run, server = served
    code, _, err = run("run", "judge.yaml", "--max-calls", "20")
    assert code == 2
    assert "the cap of 20 calls is reached" in err
    assert server.stats()["calls"] == 20
    assert run("run", "judge.yaml", "--max-money", "5", "--max-tokens", "2M")[0] == 0
    assert run("score", "alpagasus", "--set", "dimension=helpfulness", "--max-calls", "5")[0] == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--max-calls", "many"], "--max-calls 'many' is no count"),
        (["--max-tokens", "0"], "--max-tokens '0' is no count"),
        (["--max-tokens", "5%"], "is no count"),
        (["--max-money", "0"], "--max-money 0 is no amount"),
        (["--max-money", "nan"], "is no amount"),
    ],
)
def test_caps_that_are_none_are_told(here, words, said):
    code, _, err = here("run", "judge.yaml", *words)
    assert code == 2
    assert said in err


def test_a_cap_on_money_needs_prices(here, loopback):
    server = loopback()
    for more in ([], ["--json"], ["--probe"]):
        code, _, err = here("run", "judge.yaml", "--max-money", "1", *more)
        assert code == 2
        assert "names no prices" in err
    assert server.stats()["calls"] == 0


def test_nothing_to_probe_is_told(here, tmp_path):
    (tmp_path / "plain.yaml").write_text(
        "inputs: {pool: Dataset}\nsteps:\n  a: {use: scorer/length, on: $pool}\nresult: $a\n"
    )
    code, _, err = here("run", "plain.yaml", "--probe")
    assert code == 2
    assert "asks a chat model" in err


def test_hostile_rows_do_not_steer_the_terminal(here, tmp_path):
    rows_ = [{"instruction": "Say \x1b[2J\x1b]0;owned\x07 hi", "output": "[red]fine[/red] \x1b[31m"}] * 2
    (tmp_path / "bad.json").write_text(json.dumps(rows_))
    run_words = ("run", "judge.yaml", "--dataset", "bad.json", "--set", "judge.connection=stand-in", "--dry-run")
    code, out, _ = here(*run_words)
    assert code == 0
    assert "\x1b" not in out
    assert "\x07" not in out
    assert "[red]fine[/red]" in out


# ------------------------------------------------------------------ the report


def test_the_report_of_a_judge(served):
    run, _ = served
    assert run("judge-report")[0] == 2
    assert run("run", "judge.yaml")[0] == 0
    code, out, _ = run("judge-report")
    assert code == 0
    assert "Agreement with itself" in out
    assert "length of the response" in out
    told = json.loads(run("judge-report", "--json")[1])
    assert told["rows"] == N
    assert told["audit"]["again"]["rows"] > 0
    assert told["predictors"][0]["alone"] > 0.9  # this judge counts characters
    assert told["findings"]
    code, _, err = run("judge-report", "nothing")
    assert code == 2


# ------------------------------------------------------------------ Python


def test_python_says_the_same(served, tmp_path):
    _, server = served
    pool = curation.load("rows", workspace=tmp_path / ".curation")
    cost = pool.probe("scorer/alpagasus", audit=0.0)["alpagasus"]
    assert cost.spent["calls"] == server.stats()["calls"] == 30
    with pytest.raises(CurationError, match="cap of 5 calls"):
        pool.score("alpagasus", audit=0.0, caps=Caps(calls=5))
    made = pool.score("alpagasus", audit=0.0, caps=curation.Caps(money=1.0))
    assert server.stats()["calls"] == N
    assert pool.judge_report(made).rows == N
    assert pool.probe("scorer/alpagasus", audit=0.0) == {}


def test_no_secret_is_written_anywhere(here, tmp_path, loopback):
    server = loopback(key=SECRET)
    code, out, err = here("run", "judge.yaml")
    assert code == 0, err
    assert os.environ["LOOPBACK_KEY"] == SECRET
    assert server.stats()["calls"] > 0
    found = [p for p in tmp_path.rglob("*") if p.is_file() and SECRET.encode() in p.read_bytes()]
    assert not found
    assert SECRET not in out + err
