"""The store of replies: what was put is there, once, for every process, whatever ends how."""

from __future__ import annotations

import asyncio
import json
import math
import multiprocessing
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.core.errors import CurationError
from curation.models.chat.store import ReplyStore
from curation.models.chat.types import Reply, Request

WHO = {"endpoint": "http://127.0.0.1:1/v1", "model": "judge-1"}
spawn = multiprocessing.get_context("spawn")


def request(number: int, text: str = "row") -> Request:
    return Request((("system", "You judge."), ("user", f"{text} {number}")))


def key(number: int, who=WHO) -> bytes:
    return request(number).key(who)


def put(store: ReplyStore, number: int, text: str = "4.5", who=WHO) -> None:
    store.put(key(number, who), Reply(text, tokens_in=10, tokens_out=2), request(number), who)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "replies.sqlite"


@pytest.fixture(params=["file", "memory"])
def store(request, path):
    with ReplyStore(path if request.param == "file" else None) as made:
        yield made


# ------------------------------------------------------------------------ replies


def test_what_was_put_comes_back_and_nothing_else(store):
    put(store, 1)
    found = store.get([key(1), key(2)])
    assert found == {key(1): Reply("4.5", tokens_in=10, tokens_out=2)}
    assert store.has([key(1), key(2)]) == {key(1)}
    assert store.get([]) == {}


texts = st.text(st.characters(), max_size=60)  # lone surrogates, NUL and all
numbers = st.floats(allow_nan=False)
alternatives = st.lists(st.tuples(texts, numbers), max_size=3).map(tuple)


@given(
    st.builds(
        Reply, text=texts, finish=texts, tokens_in=st.integers(0, 2**40), tokens_out=st.integers(0, 9),
        first=st.lists(alternatives, max_size=3).map(tuple), refusal=texts, model=texts, seconds=st.floats(0, 1e6),
    )
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_every_reply_survives_as_it_was(reply):
    with ReplyStore(None) as store:
        store.put(b"k" * 16, reply, request(0), WHO)
        assert store.get([b"k" * 16]) == {b"k" * 16: reply}


def test_infinite_log_probabilities_survive(store):
    reply = Reply("5", first=((("5", 0.0), ("4", -math.inf)),))
    store.put(key(0), reply, request(0), WHO)
    assert store.get([key(0)])[key(0)] == reply


def test_the_first_reply_stands(store):
    put(store, 1, "first")
    put(store, 1, "second")
    assert store.get([key(1)])[key(1)].text == "first"
    assert store.usage()[0].replies == 1


def test_many_keys_at_once(store):
    for number in range(2500):
        put(store, number, str(number))
    found = store.get([key(n) for n in range(-10, 2600)])
    assert len(found) == 2500
    assert all(found[key(n)].text == str(n) for n in range(2500))


def test_a_reply_outlives_the_process_at_once(path):
    code = f"""
import os, sys
sys.path.insert(0, {str(Path.cwd())!r})
from pathlib import Path
from curation.models.chat.store import ReplyStore
from curation.models.chat.types import Reply, Request
store = ReplyStore(Path({str(path)!r}))
for number in range(300):
    asked = Request((("user", str(number)),))
    store.put(asked.key({WHO!r}), Reply(str(number)), asked, {WHO!r})
    print(number, flush=True)
os.kill(os.getpid(), {int(signal.SIGKILL)})
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    said = [int(line) for line in ended.stdout.split()]
    assert ended.returncode == -signal.SIGKILL and said == list(range(300))
    with ReplyStore(path) as store:
        store.check()
        asked = [Request((("user", str(number)),)).key(WHO) for number in said]
        assert [store.get([k])[k].text for k in asked] == [str(n) for n in said]


def test_no_request_is_in_the_file_and_only_its_owner_may_read_it(path):
    with ReplyStore(path) as store:
        asked = Request((("user", "my private row"),), pretend="made up")
        store.claim(asked.key(WHO))
        store.put(asked.key(WHO), Reply("fine"), asked, WHO)
        files = list(path.parent.glob("replies.sqlite*"))
        assert len(files) == 3  # -wal and -shm too
        for file in files:
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
            assert b"private" not in file.read_bytes() and b"made up" not in file.read_bytes()
        assert store.usage()[0].characters == len("my private row")
    assert [p.name for p in path.parent.iterdir()] == ["replies.sqlite"]


# ------------------------------------------------------------------------- claims


def test_one_claim_at_a_time(store):
    assert store.claim(key(1)) and not store.claim(key(1))
    assert store.held(key(1)) and not store.held(key(2))
    store.release(key(1))
    assert not store.held(key(1)) and store.claim(key(1))
    put(store, 1)
    assert not store.held(key(1))
    assert not store.claim(key(1)), "it is stored: nothing is left to ask"


def test_a_store_cannot_release_the_claim_of_another(path):
    with ReplyStore(path) as one, ReplyStore(path) as two:
        assert one.claim(key(1))
        two.release(key(1))
        assert not two.claim(key(1))
        one.release(key(1))
        assert two.claim(key(1))


def test_claims_end_with_their_store(path):
    with ReplyStore(path) as one:
        with ReplyStore(path) as two:
            assert two.claim(key(1)) and two.claim(key(2))
        assert one.claim(key(1))
        dropped = ReplyStore(path)
        assert dropped.claim(key(3)) and not one.claim(key(3))
        del dropped  # never closed: nobody is going to use its claim
        assert one.claim(key(3))


def test_claims_of_a_killed_process_are_free_at_once(path):
    code = f"""
import sys, time
sys.path.insert(0, {str(Path.cwd())!r})
from pathlib import Path
from curation.models.chat.store import ReplyStore
assert ReplyStore(Path({str(path)!r})).claim({key(1)!r})
print("mine", flush=True)
time.sleep(60)
"""
    with ReplyStore(path) as store, subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"mine\n"
        assert store.held(key(1)) and not store.claim(key(1))
        other.kill()
        other.wait()
        assert not store.held(key(1)) and store.claim(key(1))


def test_a_process_number_used_again_is_another_process(path):
    with ReplyStore(path) as store:
        assert store.claim(key(1))
    with ReplyStore(path) as store:
        with sqlite3.connect(path) as db:
            import platform

            db.execute(
                "INSERT INTO claims VALUES (?, ?, ?, ?, ?, ?)", (key(1), platform.node(), os.getppid(), 1.0, 5, 0.0)
            )
        assert store.claim(key(1)), "the parent of this process did not begin in 1970"


def test_a_claim_from_where_processes_cannot_be_seen_ends_with_time(path):
    with ReplyStore(path) as store, sqlite3.connect(path) as db:
        claim = "INSERT OR REPLACE INTO claims VALUES (?, 'another container', 7, 1.0, 5, ?)"
        db.execute(claim, (key(1), time.time() - 60))
        db.commit()
        assert not store.claim(key(1))
        db.execute(claim, (key(1), time.time() - 3600))
        db.commit()
        assert store.claim(key(1))


def test_whoever_waits_gets_the_reply(path):
    with ReplyStore(path) as store:
        assert store.claim(key(1))

        async def both():
            waiting = asyncio.create_task(store.wait(key(1), every=0.001))
            await asyncio.sleep(0.01)
            assert not waiting.done()
            put(store, 1, "paid once")
            return await waiting

        assert asyncio.run(both()).text == "paid once"


def test_whoever_waits_learns_that_the_other_gave_up(store):
    assert store.claim(key(1))

    async def both():
        waiting = asyncio.create_task(store.wait(key(1), every=0.001))
        await asyncio.sleep(0.01)
        store.release(key(1))
        return await waiting

    assert asyncio.run(both()) is None
    assert store.claim(key(1))


def _ask_all(path, rows, gate, told):
    """A process that asks for every row once, as the engine does; tells how many it paid for."""
    paid = []

    async def one(store, number):
        while not store.get([key(number)]):
            if store.claim(key(number)):
                await asyncio.sleep(0.001)
                paid.append(number)
                put(store, number, f"by {os.getpid()}")
            else:
                await store.wait(key(number), every=0.001)

    async def all_rows(store):
        await asyncio.gather(*(one(store, number) for number in range(rows)))

    with ReplyStore(path) as store:
        gate.wait()
        asyncio.run(all_rows(store))
        told.put(paid)


def test_processes_pay_for_a_request_once(path):
    """Also that four processes that make the file at the same moment end up with one."""
    gate, told = spawn.Barrier(4), spawn.Queue()
    working = [spawn.Process(target=_ask_all, args=(path, 200, gate, told)) for _ in range(4)]
    for process in working:
        process.start()
    paid = [told.get(timeout=240) for _ in working]
    for process in working:
        process.join()
    assert sorted(number for some in paid for number in some) == list(range(200))
    assert [p.name for p in path.parent.iterdir()] == ["replies.sqlite"]


def test_threads_share_a_store(store):
    won = []

    def work():
        for number in range(100):
            if store.claim(key(number)):
                put(store, number)
                won.append(number)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == list(range(100))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_opens_the_file_itself(path):
    with ReplyStore(path) as store:
        put(store, 1)
        assert store.claim(key(3))
        child = os.fork()
        if child == 0:
            try:
                put(store, 2)
                fine = set(store.get([key(1), key(2)])) == {key(1), key(2)} and not store.claim(key(3))
                os._exit(0 if fine else 1)
            finally:
                os._exit(2)
        assert os.waitpid(child, 0)[1] == 0
        put(store, 3)
        assert store.has([key(n) for n in range(5)]) == {key(1), key(2), key(3)}
        store.check()


# -------------------------------------------------------------------- usage, forget


def test_usage_by_endpoint_and_model(store):
    other = {"endpoint": "local", "model": "small"}
    for number in range(3):
        put(store, number)
    put(store, 7, "a longer reply", other)
    first, second = store.usage()
    assert (first.model, first.replies, first.tokens_in, first.tokens_out) == ("judge-1", 3, 30, 6)
    assert (second.endpoint, second.model, second.replies) == ("local", "small", 1)
    assert first.characters == 3 * len("You judge.row 0") and first.oldest <= first.newest <= time.time()
    assert second.bytes > first.bytes / 3 > 0


def test_forget_removes_what_is_said_and_nothing_else(store):
    other = {"endpoint": "local", "model": "small"}
    put(store, 1)
    put(store, 2, who=other)
    now = time.time()
    assert store.count(before=now - 5) == store.forget(before=now - 5) == 0
    assert store.count(model="small") == store.forget(model="small") == 1
    assert store.forget(endpoint="local") == 0
    assert store.has([key(1), key(2, other)]) == {key(1)}
    assert store.forget(model="judge-1", before=now + 5) == 1
    assert store.usage() == [] and store.claim(key(1))


def test_forgotten_text_is_gone_from_the_disk(path):
    with ReplyStore(path) as store:
        for number in range(200):
            put(store, number, "a telling reply " * 20)
        size = store.size()
        assert store.forget() == 200
        assert store.size() < size / 2
        for file in path.parent.iterdir():
            assert b"telling" not in file.read_bytes()


def test_forget_while_another_reads(path):
    with ReplyStore(path) as store, sqlite3.connect(path, isolation_level=None) as reader:
        put(store, 1)
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM replies").fetchall()
        assert store.forget() == 1
        assert store.get([key(1)]) == {}
        reader.execute("COMMIT")


def test_export_tells_everything(store):
    put(store, 1, "one \ud800")
    put(store, 2, "two")
    lines = list(store.export())
    assert [line["reply"]["text"] for line in lines] == ["one \ud800", "two"]
    assert lines[0]["key"] == key(1).hex() and lines[0]["model"] == "judge-1"
    json.dumps(lines)


# ---------------------------------------------------------------------- damage


def filled(path, count=400):
    with ReplyStore(path) as store:
        for number in range(count):
            put(store, number, f"reply {number} " * 10)


def test_a_newer_file_is_not_touched(path):
    filled(path, 1)
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    before = path.read_bytes()
    with pytest.raises(CurationError, match="newer version") as caught:
        ReplyStore(path)
    assert str(path) in str(caught.value) and path.read_bytes() == before


def test_another_database_is_not_touched(path):
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE mine (x)")
    db.close()
    with pytest.raises(CurationError, match="is no file of stored replies"):
        ReplyStore(path)


@pytest.mark.parametrize(
    "content", [b"", b"not a database at all, but long enough to be read as one" * 100, b"\0" * 8192]
)
def test_what_is_no_database_is_named(path, content):
    path.write_bytes(content)
    with pytest.raises(CurationError) as caught:
        ReplyStore(path)
    assert str(path) in str(caught.value) and caught.value.hint
    assert path.read_bytes() == content


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_named(path, share):
    filled(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(CurationError, match="damaged") as caught, ReplyStore(path) as store:
        store.get([key(n) for n in range(400)])
    assert str(path) in str(caught.value)


def test_one_changed_byte_of_a_reply_is_found(path):
    filled(path)
    data = path.read_bytes()
    assert data.count(b"reply 7 reply 7 ") > 0
    path.write_bytes(data.replace(b"reply 7 reply 7 ", b"reply 8 reply 7 ", 1))
    with ReplyStore(path) as store:
        assert store.get([key(6)])
        with pytest.raises(CurationError, match="a reply is not what was written"):
            store.get([key(7)])
        with pytest.raises(CurationError, match="damaged"):
            store.check()


def test_random_damage_is_an_error_or_harmless(path):
    """Whatever byte is changed: every reply that is given out is the one that was put."""
    import random

    filled(path, 60)
    data = path.read_bytes()
    draw = random.Random(0)
    told = 0
    for _ in range(400):
        broken = bytearray(data)
        at = draw.randrange(len(data))
        broken[at : at + 20] = draw.randbytes(len(broken[at : at + 20]))
        path.write_bytes(bytes(broken))
        try:
            with ReplyStore(path) as store:
                found = store.get([key(n) for n in range(60)])
                assert all(found[key(n)].text == f"reply {n} " * 10 for n in range(60) if key(n) in found)
                if len(found) < 60:
                    store.check()
                    raise AssertionError(f"{60 - len(found)} replies are gone and nothing is said (byte {at})")
        except CurationError as error:
            assert str(path) in str(error)
            told += 1
    assert told > 100


def test_a_file_taken_away_is_noticed_and_a_new_one_is_used(path):
    with ReplyStore(path) as store:
        put(store, 1)
        for file in path.parent.iterdir():
            file.unlink()
        with pytest.raises(CurationError, match="cannot be read any more"):
            put(store, 2)
        filled(path, 3)
        assert store.has([key(n) for n in range(5)]) == {key(0), key(1), key(2)}


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(CurationError) as caught:
        ReplyStore(tmp_path / "none" / "replies.sqlite")
    assert "none" in str(caught.value)


def test_a_file_held_by_another_program(path, monkeypatch):
    monkeypatch.setattr("curation.models.chat._store_file.BUSY_SECONDS", 0.05)
    filled(path, 1)
    with ReplyStore(path) as store, sqlite3.connect(path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        assert store.get([key(0)]), "reading goes on"
        with pytest.raises(CurationError, match="another program has held"):
            put(store, 5)
        other.execute("ROLLBACK")
        put(store, 5)
