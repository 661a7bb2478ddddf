"""Killed at any moment: nothing that was answered is paid for again, and two processes pay once."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from curation.models.chat.store import ReplyStore
from tests.loopback.script import mixed

ROOT = Path(__file__).resolve().parents[3]
ROWS, CONCURRENCY = 800, 32
ASK = """
import sys
from pathlib import Path
from curation.core.runtime import Runtime
from curation.models.chat.client import Policy, ask_all
from curation.models.chat.connections import connection_of
from curation.models.chat.types import Request

rows = [Request((("user", f"Say how good answer {n} is."),), 64) for n in range(int(sys.argv[2]))]
runtime = Runtime(replies=Path(sys.argv[1]))
answers = ask_all(rows, connection_of("judge"), runtime, policy=Policy(backoff=0.005, longest=0.02))
print(sum(a.reply is not None for a in answers), runtime.meter.calls, runtime.meter.reused)
"""


def ask(replies: Path, rows: int = ROWS) -> subprocess.Popen[str]:
    """Start a process that asks for every row; it prints rows answered, calls made, replies reused."""
    command = [sys.executable, "-c", ASK, str(replies), str(rows)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen[str]) -> tuple[int, int, int]:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    answered, calls, reused = map(int, out.split())
    return answered, calls, reused


def killed_at(process: subprocess.Popen[str], server, calls: int) -> None:
    """Kill a process when the server has been asked so often, or as soon as it has begun where that is past."""
    before = server.stats()["calls"]
    while (now := server.stats()["calls"]) < calls or now == before:
        assert process.poll() is None, "the process ended before it could be killed"
        time.sleep(0.001)
    process.kill()
    process.communicate()


@pytest.mark.parametrize(("seed", "share"), [(0, 0.0), (1, 0.2), (2, 0.1)])
def test_three_kills_cost_no_more_than_what_was_under_way(loopback, tmp_path, seed, share):
    server = loopback(
        judge="hashed", latency=0.01, jitter=0.02, seed=seed, faults=mixed(share), fields={"concurrency": CONCURRENCY}
    )
    replies = tmp_path / "replies.sqlite"
    moments = sorted(random.Random(seed).sample(range(20, ROWS - 300), 3))
    for moment in moments:
        killed_at(ask(replies), server, moment)
    with ReplyStore(replies) as store:
        store.check()
        stored = store.count()
        assert 0 < stored < ROWS, "they were killed amid the work"
    answered, _, reused = ended(ask(replies))
    assert reused == stored, "what was stored by those that were killed was used"

    stats = server.stats(texts=True)
    retries = sum(count for fault, count in stats["faults"].items() if fault != "slow")
    assert stats["calls"] <= ROWS + retries + 3 * CONCURRENCY
    assert stats["peak"] <= CONCURRENCY
    paid_twice = sum(count - 1 for count in stats["replied"].values())
    assert paid_twice <= 3 * CONCURRENCY
    assert stats["texts"] == ROWS and answered >= ROWS - 2
    if share == 0:
        assert answered == ROWS and stats["replies"] == ROWS + paid_twice
        before = stats["calls"]
        assert ended(ask(replies)) == (ROWS, 0, ROWS)
        assert server.stats()["calls"] == before, "a run after the last one asks nothing"


def test_killed_while_another_works_on_the_same_rows(loopback, tmp_path):
    """The survivor takes over what the other one had claimed, at once."""
    server = loopback(judge="hashed", latency=0.01, jitter=0.02, fields={"concurrency": CONCURRENCY})
    replies = tmp_path / "replies.sqlite"
    survivor, victim = ask(replies, 500), ask(replies, 500)
    killed_at(victim, server, 150)
    assert ended(survivor)[0] == 500
    stats = server.stats()
    assert stats["texts"] == 500 and stats["calls"] <= 500 + CONCURRENCY


def test_two_processes_pay_for_each_row_once(loopback, tmp_path):
    server = loopback(judge="hashed", latency=0.005, jitter=0.01, fields={"concurrency": CONCURRENCY})
    replies = tmp_path / "replies.sqlite"
    one, other = ask(replies, 500), ask(replies, 500)
    told = [ended(one), ended(other)]
    stats = server.stats()
    assert [answered for answered, _, _ in told] == [500, 500]
    assert sum(calls for _, calls, _ in told) == stats["calls"] == 500
    assert stats["most_replied"] == 1
