"""The engine against a real server that misbehaves: every row ends with a reply or a reason, and is paid for once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from curation.core.errors import CapReached, CurationError, ModelError
from curation.core.runtime import Runtime
from curation.core.spending import Caps
from curation.models.chat.client import Policy, ask_all
from curation.models.chat.connections import connection_of
from curation.models.chat.store import ReplyStore
from curation.models.chat.types import Request
from tests.loopback.judges import Asked, hashed
from tests.loopback.script import mixed

SECRET = "sk-loopback-4f9a1c77e2d0b6853a"
QUICK = Policy(backoff=0.005, longest=0.02)
NOT_MENDED = {"slow"}  # faults after which a reply comes all the same


def rows(count: int, text: str = "Say how good answer") -> list[Request]:
    return [Request((("system", "You judge."), ("user", f"{text} {number} is.")), 64) for number in range(count)]


def text_of(request: Request) -> str:
    return "\n".join(f"{role}: {text}" for role, text in request.messages)


def expected(request: Request) -> str:
    return hashed(Asked(list(request.messages), text_of(request))).text


@pytest.fixture
def runtime(tmp_path):
    return Runtime(replies=tmp_path / "replies.sqlite")


def failing(stats) -> int:
    return sum(count for name, count in stats["faults"].items() if name not in NOT_MENDED)


# ------------------------------------------------------------------------- many rows


def test_mixed_faults_over_2000_rows(loopback, runtime):
    server = loopback(judge="hashed", latency=0.002, faults=mixed(0.2))
    asked = rows(2000)
    ready = []
    answers = ask_all(
        asked, connection_of("judge"), runtime, policy=QUICK, done=lambda row, answer: ready.append(row)
    )  # fmt: skip
    stats = server.stats(texts=True)

    for request, answer in zip(asked, answers, strict=True):
        if answer.reply is None:
            assert answer.reason
        else:
            assert answer.reply.text == expected(request) and not answer.reason
    answered = sum(answer.reply is not None for answer in answers)
    assert answered >= 1990, "six tries at 20 %: a row in 15,000 fails"
    assert sorted(ready) == list(range(2000)), "every row is reported, none twice"
    assert 0.1 < failing(stats) / stats["calls"] < 0.25, "faults there were"
    assert len(stats["faults"]) == 12

    assert set(stats["replied"].values()) == {1}, "no reply came twice"
    assert stats["calls"] == answered + failing(stats), "every other call is a genuine retry"
    meter = runtime.meter
    assert (meter.calls, meter.answered, meter.in_flight) == (stats["calls"], answered, 0)
    assert meter.retries == stats["calls"] - 2000
    assert sum(meter.failures.values()) == failing(stats)
    with ReplyStore(runtime.replies) as store:
        used = store.usage()[0]
        assert used.replies == answered
        # what broke off or came damaged was counted by the server all the same
        assert used.tokens_in == meter.tokens_in <= stats["tokens_in"]

    again = ask_all(asked, connection_of("judge"), Runtime(replies=runtime.replies), policy=QUICK)
    assert [a.reply for a in again] == [a.reply for a in answers] or answered < 2000
    assert server.stats()["calls"] - stats["calls"] <= (2000 - answered) * QUICK.tries
    assert all(a.stored for a, b in zip(again, answers, strict=True) if b.reply is not None)


def test_a_second_run_makes_no_call(loopback, runtime):
    server = loopback(judge="hashed")
    first = ask_all(rows(300), connection_of("judge"), runtime)
    second_run = Runtime(replies=runtime.replies, caps=Caps(calls=0))
    second = ask_all(rows(300), connection_of("judge"), second_run)
    assert server.stats()["calls"] == 300
    assert [a.reply for a in second] == [a.reply for a in first] and all(a.stored for a in second)
    assert (second_run.meter.calls, second_run.meter.reused, second_run.meter.money) == (0, 300, 0.0)


def test_equal_rows_are_asked_once(loopback, runtime):
    server = loopback(judge="hashed", latency=0.01)
    asked = rows(20) * 10
    answers = ask_all(asked, connection_of("judge"), runtime)
    assert [a.reply.text for a in answers] == [expected(request) for request in asked]
    assert server.stats()["calls"] == 20


def test_a_server_with_little_room_gets_what_it_bears(loopback, runtime):
    server = loopback(judge="hashed", latency=0.02, capacity=8, over="429")
    answers = ask_all(rows(300), connection_of("judge"), runtime, policy=QUICK)
    stats = server.stats()
    assert all(a.reply for a in answers)
    assert stats["faults"]["over capacity"] < 150, "the pace follows the server"
    assert stats["most_replied"] == 1


def test_retry_after_is_kept(loopback, runtime):
    busy = [{"fault": "429", "retry_after": 0.4, "times": 1, "per": "text", "share": 0.1}]
    unavailable = [{"fault": "503", "retry_after": 0.3, "times": 1, "per": "text", "share": 0.1}]
    server = loopback(judge="hashed", latency=0.002, faults=busy + unavailable)
    answers = ask_all(rows(100), connection_of("judge"), runtime, policy=QUICK)
    stats = server.stats()
    assert all(a.reply for a in answers)
    assert stats["faults"]["429"] > 0 and stats["faults"]["503"] > 0
    assert stats["early"] == 0


# ----------------------------------------------------------------------- fault by fault

MENDED = (
    "429", "408", "409", "500", "502", "503", "closed", "cut", "invalid-json", "empty-body", "json-null", "json-list",
    "no-choices", "bad-utf8", "html", "wrong-type", "null",
)  # fmt: skip


@pytest.mark.parametrize("fault", [*MENDED, "never"])
def test_what_passes_is_tried_again(loopback, runtime, fault):
    late = {"timeout": 1.5} if fault == "never" else {}  # busy machines take their time
    server = loopback(judge="hashed", faults=[{"fault": fault, "times": 1}], fields=late)
    asked = rows(6)
    answers = ask_all(asked, connection_of("judge"), runtime, policy=QUICK)
    assert [a.reply and a.reply.text for a in answers] == [expected(request) for request in asked]
    stats = server.stats()
    assert (stats["calls"], stats["faults"][fault], stats["most_replied"]) == (12, 6, 1)
    assert (runtime.meter.retries, sum(runtime.meter.failures.values())) == (6, 6)


@pytest.mark.parametrize("fault", MENDED)
def test_what_stays_is_given_up_with_a_reason_and_not_stored(loopback, runtime, fault):
    server = loopback(judge="hashed", faults=[{"fault": fault, "match": "answer 1"}])
    asked = rows(12)  # 1, 10 and 11 meet the fault
    answers = ask_all(asked, connection_of("judge"), runtime, policy=QUICK)
    bad = [number for number, answer in enumerate(answers) if answer.reply is None]
    assert bad == [1, 10, 11]
    assert len({answers[n].reason for n in bad}) == 1 and 0 < len(answers[1].reason) < 80
    with ReplyStore(runtime.replies) as store:
        assert store.usage()[0].replies == 9

    server.tell(faults=[])
    mended = ask_all(asked, connection_of("judge"), runtime, policy=QUICK)
    assert [a.reply.text for a in mended] == [expected(request) for request in asked]
    assert server.stats()["most_replied"] == 1


@pytest.mark.parametrize("fault", ["context", "filter-400", "400", "422"])
def test_what_is_refused_for_a_row_is_asked_once(loopback, runtime, fault):
    server = loopback(judge="hashed", faults=[{"fault": fault, "match": "answer 1"}])
    answers = ask_all(rows(12), connection_of("judge"), runtime, policy=QUICK)
    assert [n for n, a in enumerate(answers) if a.reply is None] == [1, 10, 11]
    assert answers[1].reason and server.stats()["calls"] == 12


@pytest.mark.parametrize(
    ("fault", "finish", "refused"), [("refusal", "stop", True), ("filter", "content_filter", False)]
)  # fmt: skip
def test_a_refusal_is_a_reply_that_is_kept(loopback, runtime, fault, finish, refused):
    server = loopback(judge="hashed", faults=[{"fault": fault, "match": "answer 1"}])
    for _ in range(2):
        answers = ask_all(rows(12), connection_of("judge"), runtime, policy=QUICK)
        for number in (1, 10, 11):
            reply = answers[number].reply
            assert reply.text == "" and reply.finish == finish and bool(reply.refusal) == refused
    assert server.stats()["calls"] == 12


def test_a_reply_that_was_cut_by_its_length_says_so(loopback, runtime):
    loopback(judge="echo")
    answer = ask_all([Request((("user", "word " * 100),), 10)], connection_of("judge"), runtime)[0]
    assert answer.reply.finish == "length" and 0 < len(answer.reply.text) < 60


@pytest.mark.parametrize("fault", ["401", "403", "404", "quota"])
def test_what_no_request_can_pass_stops_the_run_and_loses_nothing(loopback, runtime, fault):
    server = loopback(judge="hashed", latency=0.005, faults=[{"fault": fault, "calls": 60}])
    asked = rows(200)
    with pytest.raises(ModelError) as caught:
        ask_all(asked, connection_of("judge"), runtime, policy=QUICK)
    assert caught.value.hint
    stats = server.stats()
    assert stats["replies"] == 60 and stats["calls"] <= 60 + 2 * 64
    with ReplyStore(runtime.replies) as store:
        assert store.usage()[0].replies == 60

    server.tell(faults=[])
    answers = ask_all(asked, connection_of("judge"), Runtime(replies=runtime.replies), policy=QUICK)
    assert [a.reply.text for a in answers] == [expected(request) for request in asked]
    assert server.stats()["most_replied"] == 1


def test_a_server_that_goes_down_stops_the_run_and_loses_nothing(loopback, runtime):
    server = loopback(judge="hashed", latency=0.002, faults=[{"fault": "closed", "calls": 100}])
    with pytest.raises(ModelError, match="stopped answering"):
        ask_all(rows(500), connection_of("judge"), runtime, policy=QUICK)
    with ReplyStore(runtime.replies) as store:
        assert store.usage()[0].replies == server.stats()["replies"] == 100


def test_nobody_is_there(loopback, runtime):
    server = loopback()
    server.close()
    with pytest.raises(ModelError, match="no server answers") as caught:
        ask_all(rows(50), connection_of("judge"), runtime, policy=QUICK)
    assert server.host in str(caught.value)


@pytest.mark.parametrize("script", [{"schema": "refuse"}, {"schema": "object"}, {"schema": "ignore"}])
def test_servers_without_schemas_are_asked_without(loopback, runtime, script):
    server = loopback(judge="hashed", **script)
    schema = json.dumps({"type": "object", "properties": {"score": {"type": "integer"}}, "required": ["score"]})
    asked = [Request(r.messages, 64, schema=schema) for r in rows(30)]
    assert all(a.reply for a in ask_all(asked, connection_of("judge"), runtime, policy=QUICK))
    stats = server.stats()
    assert (stats["replies"], stats["most_replied"]) == (30, 1) and stats["calls"] <= 32


@pytest.mark.parametrize(("script", "told"), [("follow", True), ("ignore", False), ("refuse", False)])
def test_log_probabilities_where_the_server_has_them(loopback, runtime, script, told):
    server = loopback(judge="digit", logprobs=script)
    asked = [Request(r.messages, 8, logprobs=5) for r in rows(30)]
    answers = ask_all(asked, connection_of("judge"), runtime, policy=QUICK)
    for answer in answers:
        assert bool(answer.reply.first) == told
        if told:
            best = answer.reply.first[0]
            assert len(best) == 5 and best[0][0] == answer.reply.text
            assert [p for _, p in best] == sorted((p for _, p in best), reverse=True)
    assert server.stats()["replies"] == 30


def test_a_cap_in_calls_is_never_passed(loopback, runtime):
    server = loopback(judge="hashed", latency=0.002, faults=mixed(0.2))
    with pytest.raises(CapReached, match="cap of 150 calls"):
        ask_all(rows(400), connection_of("judge"), Runtime(replies=runtime.replies, caps=Caps(calls=150)), policy=QUICK)
    stats = server.stats()
    assert stats["calls"] == 150
    with ReplyStore(runtime.replies) as store:
        assert store.usage()[0].replies == stats["replies"]


def test_a_cap_in_money_is_never_passed_though_replies_are_long(loopback, runtime):
    server = loopback(judge="echo", latency=0.002, fields={"prices": {"input": 1.0, "output": 10.0}})
    asked = [Request((("user", f"{n} " + "word " * 200),), 100) for n in range(400)]
    capped = Runtime(replies=runtime.replies, caps=Caps(money=0.1))
    with pytest.raises(CapReached):
        ask_all(asked, connection_of("judge"), capped, policy=QUICK)
    stats = server.stats()
    spent = (stats["tokens_in"] * 1.0 + stats["tokens_out"] * 10.0) / 1e6
    assert capped.meter.money == pytest.approx(spent) and 0.08 < spent <= 0.1


# ------------------------------------------------------------------------- the secret


def everything(folder: Path) -> bytes:
    """All that a folder holds: names, files as they are, and compressed tables read."""
    import pyarrow.parquet

    parts = []
    for path in sorted(folder.rglob("*")):
        parts.append(str(path).encode())
        if path.is_file():
            parts.append(path.read_bytes())
        if path.suffix == ".parquet":
            parts.append(repr(pyarrow.parquet.read_table(path).to_pylist()).encode())
    return b"\n".join(parts)


def curate(workspace: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "curation.cli", *words, "--workspace", str(workspace)]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ, timeout=120)


@pytest.fixture
def few(tmp_path, demo_file):
    path = tmp_path / "few.json"
    path.write_text(json.dumps(json.loads(demo_file.read_text("utf-8"))[:40]))
    return path


def test_the_secret_is_nowhere_though_the_server_repeats_it(loopback, tmp_path, few):
    talkative = [
        {"fault": "tells-key", "share": 0.3, "per": "text"},
        {"fault": "tells-key-500", "share": 0.3},
        {"fault": "tells-key-400", "share": 0.1, "per": "text", "calls": 10},
    ]
    server = loopback(judge="hashed", key=SECRET, faults=talkative)
    workspace = tmp_path / "workspace"
    ended = curate(workspace, "score", "scorer/alpagasus", "--dataset", str(few))
    assert ended.returncode == 0, ended.stderr
    stats = server.stats()
    assert stats["unauthorized"] == 0 and stats["replies"] > 20
    assert stats["faults"]["tells-key"] > 5 and stats["faults"]["tells-key-500"] > 5
    found = everything(workspace)
    assert b"[key hidden]" in found, "a reply with the secret in it was stored"
    told = found + (ended.stdout + ended.stderr).encode()
    for secret in (SECRET, SECRET[3:], SECRET[::-1]):
        assert secret.encode() not in told
    assert SECRET.encode() not in (tmp_path / "connections.yaml").read_bytes()


@pytest.mark.parametrize("fault", ["tells-key-401", "tells-key-400", "tells-key-500"])
def test_an_error_that_ends_a_run_does_not_tell_the_secret(loopback, tmp_path, few, fault):
    loopback(judge="hashed", key=SECRET, faults=[{"fault": fault}])
    workspace = tmp_path / "workspace"
    with pytest.raises(CurationError) as caught:
        ask_all(rows(40), connection_of("judge"), Runtime(replies=tmp_path / "one.sqlite"), policy=QUICK)
    chain, error = [], caught.value
    while error is not None:
        chain += [repr(error), str(error), repr(vars(error))]
        error = error.__cause__ or error.__context__
    assert SECRET not in "\n".join(chain)
    if fault == "tells-key-401":
        ended = curate(workspace, "score", "scorer/alpagasus", "--dataset", str(few))
        assert ended.returncode == 2 and "401" in ended.stderr and "Traceback" not in ended.stderr
        assert SECRET.encode() not in everything(workspace) + (ended.stdout + ended.stderr).encode()


def test_a_wrong_secret_is_said_without_it(loopback, runtime, monkeypatch):
    server = loopback(judge="hashed", key=SECRET)
    monkeypatch.setenv("LOOPBACK_KEY", "sk-another-one-0123456789")
    with pytest.raises(ModelError, match="401") as caught:
        ask_all(rows(50), connection_of("judge"), runtime, policy=QUICK)
    assert "sk-" not in str(caught.value)
    assert server.stats()["unauthorized"] <= 2, "the first request goes alone"
