"""The helper process: one for all threads, gone with whoever started it, and started again when it breaks down."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from curation.core.errors import CurationError
from curation.query_encoder import asking, embed, encode_here, warm
from curation.query_encoder.asking import Helper
from tests.query_encoder.conftest import TEXTS

WAIT_S = 60


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch):
    """No helper and no vector of other tests; those of this one end with it."""
    monkeypatch.setattr(asking, "_helpers", type(asking._helpers)())
    monkeypatch.setattr(asking, "_vectors", type(asking._vectors)())
    yield
    for helper in asking._helpers.values():
        helper.close()


@pytest.fixture(scope="module")
def running():
    """The registry with a helper that tests share, since loading takes seconds; none of them ends it."""
    yield
    for helper in asking._helpers.values():
        helper.close()
    asking._helpers.clear()
    asking._vectors.clear()


def only_helper() -> Helper:
    (found,) = asking._helpers.values()
    return found


def gone(pid: int) -> bool:
    """Whether a process ends within the time that tests wait; a dead child that nobody fetched counts as ended."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


def scripted(tmp_path: Path, body: str) -> Helper:
    """A helper whose process runs `body` instead of the encoder."""
    script = tmp_path / "helper.py"
    head = "import json, os, sys, time\ndef say(**o): print(json.dumps(o), flush=True)\n"
    script.write_text(head + textwrap.dedent(body))
    return Helper(str(tmp_path), [sys.executable, str(script)])


# ------------------------------------------------------------------ the real one


def test_vectors_equal_those_made_in_this_process_and_torch_stays_there(made, running):
    found = [embed(made.workspace, made.keys[step], TEXTS[3]) for step in ("embed", "fewer", "embed")]
    np.testing.assert_allclose(found[0], encode_here(made.workspace, made.keys["embed"], TEXTS[3:4])[0], atol=1e-6)
    np.testing.assert_allclose(found[1], encode_here(made.workspace, made.keys["fewer"], TEXTS[3:4])[0], atol=1e-6)
    assert found[2] is found[0]  # asked once
    assert not found[0].flags.writeable
    assert only_helper().pid not in (None, os.getpid())


def test_many_threads_share_one_process(made, running):
    key = made.keys["embed"]
    texts = [*TEXTS, "smörgås 日本語\n\u2028", "rain \ud800"]  # also half of a character pair
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda text: embed(made.workspace, key, text), texts))
    np.testing.assert_allclose(np.stack(found), encode_here(made.workspace, key, texts), atol=1e-5)
    assert len(asking._helpers) == 1


def test_what_the_helper_refuses_is_told_and_it_goes_on(made, running):
    embed(made.workspace, made.keys["embed"], "rain")
    helper, pid = only_helper(), only_helper().pid
    with pytest.raises(CurationError, match="vocabulary"):
        helper.ask({"key": made.keys["words"], "text": "rain"})
    assert len(embed(made.workspace, made.keys["embed"], "song")) == 24
    assert helper.pid == pid


def test_a_killed_helper_is_started_again(made, registry):
    embed(made.workspace, made.keys["embed"], "rain")
    first = only_helper().pid
    os.kill(first, signal.SIGKILL)
    assert len(embed(made.workspace, made.keys["embed"], "song")) == 24
    assert only_helper().pid not in (None, first)
    assert gone(first)


def test_warming_starts_it_and_waits_for_nothing(made, registry):
    warm(made.workspace, made.keys["embed"])
    pid = only_helper().pid
    assert pid is not None
    warm(made.workspace, made.keys["embed"])
    assert only_helper().pid == pid
    embed(made.workspace, made.keys["embed"], "rain")
    assert only_helper().pid == pid


def test_warming_never_fails(made, registry):
    warm(made.workspace, made.keys["words"])
    warm(made.workspace, "nothing")
    assert not asking._helpers


def test_it_ends_with_the_process_that_started_it(made):
    code = """
import sys
from curation.query_encoder import asking, embed
from curation.workspace import Workspace
embed(Workspace.open(sys.argv[1]), sys.argv[2], "rain")
print(next(iter(asking._helpers.values())).pid, "torch" in sys.modules, flush=True)
sys.stdin.readline()
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(made.workspace.root), made.keys["embed"]],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert parent.stdout is not None
    pid, torch_there = parent.stdout.readline().split()
    assert torch_there == "False"
    assert Path(f"/proc/{pid}").exists()
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert gone(int(pid))


def test_it_ends_when_nobody_asks(made):
    command = [sys.executable, "-m", "curation.query_encoder", str(made.workspace.root), "0.2"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.wait(WAIT_S) == 0
    process.stdin.close()
    process.stdout.close()


def test_only_answers_are_written_to_stdout(made):
    command = [sys.executable, "-m", "curation.query_encoder", str(made.workspace.root)]
    asked = [{"id": 1, "key": made.keys["embed"]}, {"id": 2, "key": made.keys["embed"], "text": "rain"}]
    asked += [{"id": 3, "key": "nothing", "text": "rain"}]
    text = "".join(json.dumps(a) + "\n" for a in asked)
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=WAIT_S, check=True)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [a["id"] for a in answers] == [1, 2, 3]
    assert set(answers[0]) == {"id"}
    assert set(answers[2]) == {"id", "error", "hint"}


def test_a_folder_that_is_no_workspace_is_told(tmp_path):
    (tmp_path / "workspace.json").write_text('{"schema": 99}')
    with pytest.raises(CurationError, match="schema 99"):
        Helper(str(tmp_path)).ask({"key": "x", "text": "y"})


def test_the_network_asked_least_lately_goes(made, registry, tmp_path):
    made_up = [Helper(str(tmp_path), [sys.executable, "-c", "import sys; sys.stdin.read()"]) for _ in range(2)]
    for i, helper in enumerate(made_up):
        helper.warm({"key": "x"})
        asking._helpers[(str(i), None)] = helper
    pids = [helper.pid for helper in made_up]
    embed(made.workspace, made.keys["embed"], "rain")
    assert len(asking._helpers) == asking.MOST_HELPERS
    assert gone(pids[0])
    assert made_up[1].pid == pids[1]


# ------------------------------------------------------------------ what can go wrong


def test_breaking_down_twice_is_an_error_with_its_last_words(tmp_path):
    helper = scripted(
        tmp_path,
        """
        open("starts", "a").write("x")
        sys.stdin.readline()
        print("Traceback", file=sys.stderr)
        print("MemoryError: no room", file=sys.stderr)
        sys.exit(1)
        """,
    )
    with pytest.raises(CurationError, match="broke down.*MemoryError: no room"):
        helper.ask({"key": "x", "text": "y"})
    assert (tmp_path / "starts").read_text() == "xx"
    assert helper.pid is None


def test_breaking_down_once_is_not_noticed(tmp_path):
    helper = scripted(
        tmp_path,
        """
        first = not os.path.exists("starts")
        open("starts", "a").write("x")
        request = json.loads(sys.stdin.readline())
        if first:
            sys.exit(1)
        say(id=request["id"], vector="ok")
        sys.stdin.read()
        """,
    )
    assert helper.ask({"text": "y"})["vector"] == "ok"
    assert (tmp_path / "starts").read_text() == "xx"
    helper.close()


def test_no_answer_in_time_is_an_error_and_the_next_question_starts_anew(tmp_path, monkeypatch):
    helper = scripted(
        tmp_path,
        """
        first = not os.path.exists("starts")
        open("starts", "a").write("x")
        for line in sys.stdin:
            if first:
                time.sleep(600)
            say(id=json.loads(line)["id"], vector="ok")
        """,
    )
    monkeypatch.setattr(asking, "START_S", 1.0)
    with pytest.raises(CurationError, match="does not answer"):
        helper.ask({"text": "y"})
    assert helper.pid is None
    monkeypatch.setattr(asking, "START_S", float(WAIT_S))
    assert helper.ask({"text": "y"})["vector"] == "ok"
    helper.close()


def test_an_answer_in_pieces_and_answers_to_warming_are_sorted_out(tmp_path):
    helper = scripted(
        tmp_path,
        """
        for line in sys.stdin:
            request = json.loads(line)
            text = json.dumps({"id": request["id"], "vector": request.get("text", "") * 50_000}) + "\\n"
            for begin in range(0, len(text), 30_000):
                sys.stdout.write(text[begin:begin + 30_000])
                sys.stdout.flush()
        """,
    )
    helper.warm({"key": "x"})
    assert helper.ask({"text": "ab"})["vector"] == "ab" * 50_000
    assert helper.ask({"text": "c"})["vector"] == "c" * 50_000
    helper.close()


def test_closing_while_it_is_asked_does_not_wait(tmp_path):
    helper = scripted(
        tmp_path,
        """
        request = json.loads(sys.stdin.readline())
        open("asked", "w").close()
        while not os.path.exists("go"):
            time.sleep(0.02)
        say(id=request["id"], vector="ok")
        sys.stdin.read()
        """,
    )
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(helper.ask, {"text": "y"})
        while not (tmp_path / "asked").exists():
            time.sleep(0.02)
        helper.close()
        (tmp_path / "go").touch()
        assert answer.result(WAIT_S)["vector"] == "ok"
    helper.close()


def test_no_program_to_start_is_told(tmp_path):
    with pytest.raises(CurationError, match="no process can be started"):
        Helper(str(tmp_path), [str(tmp_path / "nothing")]).ask({"text": "y"})
