"""The command line, as a user types it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


def curate(*words: str, cwd: Path, ok: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "curation.cli", *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert not ok or done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def home(tmp_path_factory, request):
    folder = tmp_path_factory.mktemp("cli")
    records = [
        {"instruction": f"Question {i}?", "input": "", "output": f"Answer {i} " * (1 + i % 9)} for i in range(80)
    ]
    (folder / "mine.json").write_text(json.dumps(records))
    curate("add", "mine.json", "--name", "mine", cwd=folder)
    return folder


@pytest.fixture
def here(home, monkeypatch, capsys):
    """`curate` in this process: exit code and standard error. Seconds faster where many commands are tried."""
    from curation.cli import main

    monkeypatch.chdir(home)

    def curate_here(*words: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["curate", *words])
        with pytest.raises(SystemExit) as left:
            main()
        return int(left.value.code or 0), capsys.readouterr().err

    return curate_here


def test_an_error_leaves_the_process_with_code_2(home):
    done = curate("jobs", "nothing", cwd=home, ok=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: there is no job 'nothing'")


def test_add_prints_one_object(home):
    made = json.loads(curate("add", "mine.json", "--name", "second", "--json", cwd=home).stdout)
    assert (made["dataset"], made["rows"], made["rejected"]) == ("second", 80, 0)


def test_run_then_export(home):
    (home / "r.yaml").write_text(
        "inputs: {pool: Dataset}\n"
        "steps:\n"
        "  length: {use: scorer/length, on: $pool, unit: characters}\n"
        "  top: {use: selector/top-k, score: $length, keep: highest, budget: 5}\n"
        "result: $top\n"
    )
    words = ("run", "r.yaml", "--dataset", "mine", "--set", "top.budget=7", "--json")
    first = json.loads(curate(*words, cwd=home).stdout)
    assert first["selected"] == 7
    assert {s["name"] for s in first["steps"]} == {"length", "top"}
    assert all(k in first["steps"][0] for k in ("name", "seconds", "reused"))
    second = json.loads(curate(*words, cwd=home).stdout)
    assert all(s["reused"] for s in second["steps"])
    made = json.loads(
        curate("export", first["result"], "--format", "alpaca", "--output", "out.json", "--json", cwd=home).stdout
    )
    assert made["rows"] == 7
    written = json.loads((home / "out.json").read_text())
    assert len(written) == 7
    assert all(r["output"].startswith("Answer") for r in written)
    again = curate("export", first["result"], "--format", "alpaca", "--output", "out.json", cwd=home, ok=False)
    assert again.returncode == 2
    assert "overwrite" in again.stderr


def test_run_adds_a_file_named_as_dataset(home, tmp_path):
    done = curate("select", "random", "--budget", "3", "--dataset", "mine.json", "--json", cwd=home)
    assert json.loads(done.stdout)["selected"] == 3


def test_methods_list_has_the_promised_fields(home):
    listed = json.loads(curate("methods", "--json", cwd=home).stdout)
    assert {"family", "name", "class", "source"} <= set(listed[0])
    assert {"selector/k-center", "modn", "scorer/length"} <= {m["name"] for m in listed}


def test_score_and_dry_run(home):
    scored = json.loads(curate("score", "length", "--dataset", "mine", "--json", cwd=home).stdout)
    assert scored["quantiles"]["100"] >= scored["quantiles"]["0"]
    dry = json.loads(curate("run", "r.yaml", "--dataset", "mine", "--dry-run", "--json", cwd=home).stdout)
    assert {e["step"] for e in dry["estimates"]} == {"length", "top"}


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("add", "nothing.json"), "nothing.json"),
        (("run", "nothing"), "neither a preset nor a recipe file"),
        (("run", "modn", "--dataset", "mine", "--set", "pick.budget=0"), "budget"),
        (("select", "k-centre", "--dataset", "mine"), "k-center"),
        (("export", "nothing", "--output", "x.json"), "no job"),
        (("methods", "nothing"), "no family"),
        (("jobs", "nothing"), "no job"),
        (("jobs", "--cancel"), "which job"),
        (("export", "../datasets", "--output", "x.json"), "no job '../datasets'"),
        (("run", "modn", "--dataset", ""), "--dataset is empty"),
        (("run", "modn", "--dataset", "mine", "--set", "pick.budget=[1"), "not valid YAML"),
        (("run", "modn", "--dataset", "mine", "--device", "gpu"), "no device"),
        (("score", "labeller/language", "--dataset", "mine"), "makes labels, not a score"),
        (("add", ""), "no file was named"),
        (("add", "mine.json", "--mapping", "nothing.yaml"), "nothing.yaml"),
        (("add", "mine.json", "--mapping", "mine.json"), "mine.json"),
        (("app", "nothing.json"), "no such file"),
        (("prune", "--workspace", "mine.json"), "is a file"),
    ],
)
def test_user_errors_are_two_lines_and_exit_code_2(here, words, text):
    code, said = here(*words)
    assert code == 2
    assert text in said
    lines = said.strip().splitlines()
    assert lines[0].startswith("error: ")
    assert len(lines) <= 2


def test_help_is_readable(home):
    text = curate("--help", cwd=home).stdout
    for command in ("app", "demo", "add", "run", "methods", "select", "score", "coverage", "export", "jobs", "prune"):
        assert command in text


def test_jobs_and_prune(home):
    listed = json.loads(curate("jobs", "--json", cwd=home).stdout)
    assert all(j["state"] == "done" for j in listed)
    assert json.loads(curate("prune", "--dry-run", "--json", cwd=home).stdout)["bytes"] >= 0


@pytest.mark.parametrize("words", [("run", "modn", "--bogus"), ("bogus",), ("app", "--port", "99999"), ("add",)])
def test_wrong_usage_is_exit_code_2_without_a_traceback(here, words):
    code, said = here(*words)
    assert code == 2
    assert "--help" in said


def test_every_command_takes_a_workspace_and_explains_itself():
    from typer.testing import CliRunner

    from curation.cli import app

    for command in app.registered_commands:
        name = command.name or command.callback.__name__
        text = CliRunner().invoke(app, [name, "--help"], env={"COLUMNS": "200"}).output
        assert "--workspace" in text, name
