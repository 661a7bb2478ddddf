"""The engine over a backend in this process; tests/models/chat/test_faults.py runs it over HTTP."""

import asyncio
import threading
import time

import pytest

from curation.core.errors import CapReached, CurationError, JobCancelled, ModelError
from curation.core.runtime import Runtime
from curation.core.spending import Caps, Meter, Prices
from curation.models.chat import conversation
from curation.models.chat.backend import Failed, tokens_at_most
from curation.models.chat.client import Policy, ask_all, ask_until, converse, given_up
from curation.models.chat.connections import Connection, stand_in
from curation.models.chat.store import ReplyStore
from curation.models.chat.types import Answer, Reply, Request, Unparsed, spoken

QUICK = Policy(backoff=0.002, longest=0.01)


class Fake:
    """Answers "re: TEXT" after a moment, or does what `act` says.

    Args:
        act: (text, how often it was sent before) → a Reply, something to raise, or None for the usual.
    """

    def __init__(self, act=None, limit=8, seconds=0.001):
        self.act, self.limit, self.seconds = act or (lambda text, seen: None), limit, seconds
        self.given_up = ("log-probabilities",)
        self.sent, self.seen, self.now, self.most, self.closed = [], {}, 0, 0, 0

    async def send(self, request):
        text = request.messages[-1][1]
        seen = self.seen[text] = self.seen.get(text, -1) + 1
        self.sent.append(text)
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await asyncio.sleep(self.seconds)
            done = self.act(text, seen)
        finally:
            self.now -= 1
        if isinstance(done, Exception):
            raise done
        return done or Reply(f"re: {text}", tokens_in=10, tokens_out=2)

    async def close(self):
        self.closed += 1


@pytest.fixture
def fake(monkeypatch):
    def make(*args, **kwargs):
        backend = Fake(*args, **kwargs)
        monkeypatch.setattr(conversation, "open_backend", lambda connection, runtime: backend)
        return backend

    return make


def server(**fields):
    return Connection(**{"name": "judge", "address": "http://127.0.0.1:1/v1", "model": "m", **fields})


def asked(count, **fields):
    return [Request((("user", f"row {n:04}"),), **{"max_tokens": 5, **fields}) for n in range(count)]


def texts(answers):
    return [a.reply.text if a.reply else a.reason for a in answers]


EXPECTED = [f"re: row {n:04}" for n in range(2000)]


# ---------------------------------------------------------------------- order and bounds


def test_results_keep_the_order_of_the_rows_and_low_rows_go_first(fake):
    backend = fake()
    ready = []
    answers = ask_all(asked(200), server(), Runtime(), done=lambda row, answer: ready.append((row, answer)))
    assert texts(answers) == EXPECTED[:200]
    assert sorted(row for row, _ in ready) == list(range(200)) and dict(ready)[7] == answers[7]
    places = {text: place for place, text in enumerate(backend.sent)}
    assert max(abs(places[f"row {n:04}"] - n) for n in range(200)) <= backend.limit
    assert 4 <= backend.most <= backend.limit and backend.closed == 1


def test_no_rows_at_all(fake):
    backend = fake()
    assert ask_all([], server(), Runtime()) == []
    assert backend.sent == [] and backend.closed == 1


def test_only_some_rows_are_alive(fake):
    fake(limit=4)
    alive, most = [0], [0]

    async def talk(row, say):
        alive[0] += 1
        most[0] = max(most[0], alive[0])
        await say(asked(1, sample=row)[0])
        alive[0] -= 1
        return row

    assert converse(300, talk, server(), Runtime()) == list(range(300))
    assert most[0] <= 2 * 4 + 16


def test_a_row_may_ask_several_times_and_at_once(fake):
    fake()

    async def talk(row, say):
        first = await say(Request((("user", f"a{row}"),)))
        both = await asyncio.gather(*(say(Request((("user", f"{first.reply.text}{i}"),))) for i in range(2)))
        return [a.reply.text for a in both]

    assert converse(30, talk, server(), Runtime())[3] == ["re: re: a30", "re: re: a31"]


def test_it_runs_inside_a_running_loop_in_another_thread(fake):
    fake()
    threads = set()

    async def page():
        runtime = Runtime(progress=lambda *_: threads.add(threading.get_ident()))
        return ask_all(asked(5), server(), runtime)

    assert texts(asyncio.run(page())) == EXPECTED[:5]
    assert threading.get_ident() not in threads


# ------------------------------------------------------------------------------ the store


def test_a_stored_reply_is_not_asked_again_by_any_run(fake, tmp_path):
    backend = fake()
    first, second = (Runtime(replies=tmp_path / "r.sqlite") for _ in range(2))
    a, b = ask_all(asked(50), server(), first), ask_all(asked(60), server(), second)
    assert texts(a) == texts(b)[:50] and len(backend.sent) == 60
    assert not any(x.stored for x in a) and [x.stored for x in b] == [True] * 50 + [False] * 10
    assert (first.meter.calls, first.meter.reused, second.meter.calls, second.meter.reused) == (50, 0, 10, 50)
    ask_all(asked(60, sample=1), server(), second)
    ask_all(asked(60), server(model="other"), second)
    assert len(backend.sent) == 180, "another sample and another model are other questions"


def test_without_a_file_replies_are_kept_for_the_run(fake):
    backend = fake()
    runtime = Runtime()
    for _ in range(2):
        ask_all(asked(10), server(), runtime)
    assert len(backend.sent) == 10
    ask_all(asked(10), server(), Runtime())
    assert len(backend.sent) == 20


def test_equal_requests_go_out_once_and_share_what_comes(fake):
    backend = fake(lambda text, seen: Failed("server error 500") if text == "row 0001" else None, seconds=0.01)
    runtime = Runtime()
    answers = ask_all(asked(3) * 5, server(), runtime, policy=QUICK)
    assert texts(answers) == [EXPECTED[0], "server error 500 after 6 tries", EXPECTED[2]] * 5
    assert len(backend.sent) <= 2 + 6 * 5
    assert sum(a.stored for a in answers) == 8 and runtime.meter.reused == 8


def test_a_row_that_goes_away_leaves_the_question_to_the_next(fake):
    backend = fake(seconds=0.05)

    async def talk(row, say):
        try:
            async with asyncio.timeout(0.01 if row == 0 else 5):
                return (await say(asked(1)[0])).reply.text
        except TimeoutError:
            return "late"

    assert converse(3, talk, server(), Runtime()) == ["late", EXPECTED[0], EXPECTED[0]]
    assert backend.now == 0 and len(backend.sent) == 2


def test_another_process_that_asks_is_waited_for(fake, tmp_path):
    backend = fake()
    request, where = asked(1)[0], tmp_path / "r.sqlite"
    key = request.key(server().identity())
    other = ReplyStore(where)
    assert other.claim(key)

    def answer():
        other.put(key, Reply("theirs"), request, server().identity())

    timer = threading.Timer(0.3, answer)
    timer.start()
    answers = ask_all(asked(3), server(), Runtime(replies=where))
    assert texts(answers) == ["theirs", EXPECTED[1], EXPECTED[2]] and answers[0].stored
    assert backend.sent == ["row 0001", "row 0002"]


def test_another_process_that_gives_up_leaves_the_question(fake, tmp_path):
    fake()
    where = tmp_path / "r.sqlite"
    key = asked(1)[0].key(server().identity())
    other = ReplyStore(where)
    assert other.claim(key)
    timer = threading.Timer(0.2, lambda: other.release(key))
    timer.start()
    assert texts(ask_all(asked(1), server(), Runtime(replies=where))) == EXPECTED[:1]


def test_the_stand_in_answers_what_methods_pretend_and_never_an_older_pretence(tmp_path):
    for words in ("4", "5"):
        runtime = Runtime(replies=tmp_path / "r.sqlite", caps=Caps(money=0.0))
        answers = ask_all(asked(20, pretend=words), stand_in(), runtime)
        assert texts(answers) == [words] * 20
        assert (runtime.meter.calls, runtime.meter.money) == (20, 0.0)
    assert all(a.stored for a in ask_all(asked(20, pretend="4"), stand_in(), Runtime(replies=tmp_path / "r.sqlite")))


# ------------------------------------------------------------------------------- failures


def test_what_passes_is_sent_again(fake):
    backend = fake(lambda text, seen: Failed("timeout") if seen < 3 else None)
    runtime = Runtime()
    assert texts(ask_all(asked(20), server(), runtime, policy=QUICK)) == EXPECTED[:20]
    assert len(backend.sent) == 80
    assert (runtime.meter.calls, runtime.meter.answered, runtime.meter.retries) == (80, 20, 60)
    assert dict(runtime.meter.failures) == {"timeout": 60}


def test_what_stays_ends_with_a_reason_after_six_tries(fake, tmp_path):
    bad = {"row 0003", "row 0005"}
    backend = fake(lambda text, seen: Failed("server error 500") if text in bad else None)
    answers = ask_all(asked(10), server(), Runtime(replies=tmp_path / "r.sqlite"), policy=QUICK)
    assert [a.reason for a in answers if not a.reply] == ["server error 500 after 6 tries"] * 2
    assert backend.seen["row 0003"] == 5
    with ReplyStore(tmp_path / "r.sqlite") as store:
        assert store.usage()[0].replies == 8


def test_what_is_refused_for_a_row_is_sent_once(fake):
    backend = fake(lambda text, seen: Failed("too long", again=False) if text == "row 0002" else None)
    assert texts(ask_all(asked(4), server(), Runtime()))[2] == "too long"
    assert len(backend.sent) == 4


def test_what_no_request_passes_ends_the_run_with_one_request_on_the_way(fake):
    backend = fake(lambda text, seen: ModelError("the key is wrong", "mend it"))
    with pytest.raises(ModelError, match="the key is wrong"):
        ask_all(asked(50), server(), Runtime())
    assert len(backend.sent) == 1 and backend.closed == 1


def test_a_server_that_refuses_everything_ends_the_run(fake):
    backend = fake(lambda text, seen: Failed("refused (400)", again=False, detail="the server says: no such field"))
    with pytest.raises(ModelError, match="no such field"):
        ask_all(asked(50), server(), Runtime())
    assert len(backend.sent) == 5


def test_a_server_that_goes_down_ends_the_run_and_what_came_is_stored(fake, tmp_path):
    backend = fake(lambda text, seen: Failed("broken connection") if len(backend.sent) > 60 else None)
    with pytest.raises(ModelError, match="stopped answering"):
        ask_all(asked(500), server(), Runtime(replies=tmp_path / "r.sqlite"), policy=QUICK)
    assert len(backend.sent) < 400
    with ReplyStore(tmp_path / "r.sqlite") as store:
        assert store.usage()[0].replies >= 50


def test_a_server_that_never_answers_is_given_up_soon(fake):
    backend = fake(lambda text, seen: Failed("no reply in 60 s"), limit=64, seconds=0.02)
    with pytest.raises(ModelError, match="no reply in 60 s"):
        ask_all(asked(500), server(), Runtime(), policy=QUICK)
    assert len(backend.sent) <= 6 * 2 * 8, "each of them may be charged and takes the whole timeout"
    assert backend.most > 4, "rows are not tried one after the other"


def test_first_rows_that_fail_are_no_dead_server(fake):
    rotten = {f"row {n:04}" for n in range(5)}
    fake(lambda text, seen: Failed("no reply in 60 s") if text in rotten else None, limit=64, seconds=0.002)
    answers = texts(ask_all(asked(100), server(), Runtime(), policy=QUICK))
    assert answers == ["no reply in 60 s after 6 tries"] * 5 + EXPECTED[5:100]


def test_replies_under_way_when_a_run_ends_badly_are_waited_for_and_stored(fake, tmp_path):
    out = ModelError("the quota is used up")
    backend = fake(lambda text, seen: out if text == "row 0010" else None, limit=64, seconds=0.3)
    runtime = Runtime(replies=tmp_path / "r.sqlite")
    with pytest.raises(ModelError, match="the quota is used up"):
        ask_all(asked(500), server(), runtime)
    with ReplyStore(tmp_path / "r.sqlite") as store:
        assert store.usage()[0].replies == runtime.meter.answered == len(backend.sent) - 1
    assert runtime.meter.in_flight == 0


def test_a_user_who_stops_does_not_wait_for_replies_under_way(monkeypatch):
    class Uneven(Fake):
        async def send(self, request):
            self.seconds = 30.0 if request.messages[-1][1] > "row 0003" else 0.05
            return await super().send(request)

    backend = Uneven(lambda text, seen: ModelError("the quota is used up") if text == "row 0003" else None, limit=16)
    monkeypatch.setattr(conversation, "open_backend", lambda connection, runtime: backend)
    begun = time.monotonic()

    def progress(done, total, note=""):
        if time.monotonic() - begun > 0.8:
            raise JobCancelled("enough")

    with pytest.raises(ModelError, match="quota"):
        ask_all(asked(100), server(), Runtime(progress=progress))
    assert time.monotonic() - begun < 10


def test_nobody_is_there(fake):
    backend = fake(lambda text, seen: Failed("no server answers", unreachable=True))
    with pytest.raises(ModelError, match="no server answers at http://127.0.0.1:1/v1"):
        ask_all(asked(50), server(), Runtime(), policy=QUICK)
    assert len(backend.sent) <= 6 * 10


@pytest.mark.parametrize("place", ["talk", "done"])
def test_a_mistake_in_a_row_is_not_hidden(fake, place):
    fake()

    async def talk(row, say):
        if place == "talk" and row == 3:
            raise ZeroDivisionError
        return await say(asked(10)[row])

    def done(row, _):
        if place == "done" and row == 3:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        converse(10, talk, server(), Runtime(), done=done)


def test_what_the_model_does_not_do_is_remembered(fake):
    fake()
    connection = server(model="remembered")
    assert given_up(connection) == ()
    ask_all(asked(1), connection, Runtime())
    assert given_up(connection) == ("log-probabilities",)
    assert connection.info() == {**connection.identity(), "given_up": ["log-probabilities"]}


# ----------------------------------------------------------------------------------- pace


def test_a_busy_server_is_asked_less_and_every_row_is_answered_in_the_end(fake):
    def busy(text, seen):
        return Failed("too many requests (429)", throttled=True, unpaid=True) if backend.now > 4 else None

    backend = fake(busy, limit=64, seconds=0.005)
    runtime = Runtime()
    answers = ask_all(asked(300), server(), runtime, policy=Policy(backoff=0.01, longest=0.05))
    assert texts(answers) == EXPECTED[:300]
    assert runtime.meter.failures["too many requests (429)"] < 200


def test_a_limit_of_requests_per_time_is_kept_by_pausing_everybody(fake):
    begun, room = time.monotonic(), 20

    def limited(text, seen):
        nonlocal begun, room
        if time.monotonic() - begun > 0.3:
            begun, room = time.monotonic(), 20
        room -= 1
        left = 0.3 - (time.monotonic() - begun)
        return Failed("too many requests (429)", throttled=True, unpaid=True, wait=left) if room < 0 else None

    backend = fake(limited, limit=32)
    answers = ask_all(asked(100), server(), Runtime(), policy=QUICK)
    assert texts(answers) == EXPECTED[:100]
    assert len(backend.sent) < 250


def test_the_next_step_of_a_run_goes_on_at_the_pace_that_was_found(fake):
    backend = fake(limit=8, seconds=0.01)
    runtime = Runtime()
    ask_all(asked(40), server(), runtime)
    assert backend.most == 8

    def all_at_once(text, seen):
        return None if backend.most == 8 else Failed("alone")

    backend = fake(all_at_once, limit=8, seconds=0.05)
    ask_all(asked(8, sample=1), server(), runtime, policy=QUICK)
    assert len(backend.sent) == 8, "nobody went first"
    ask_all(asked(8, sample=2), server(), Runtime(), policy=QUICK)
    assert backend.most == 8


def test_a_server_that_is_always_busy_is_given_up(fake):
    backend = fake(lambda text, seen: Failed("too many requests (429)", throttled=True, unpaid=True))
    answers = ask_all(asked(3), server(), Runtime(), policy=QUICK)
    assert texts(answers) == ["too many requests (429) after many tries"] * 3
    assert 18 <= len(backend.sent) <= 180


# ----------------------------------------------------------------------------------- caps


def test_a_cap_in_calls(fake):
    backend = fake()
    runtime = Runtime(caps=Caps(calls=30))
    with pytest.raises(CapReached, match=r"cap of 30 calls is reached.*30 of 100 rows") as caught:
        ask_all(asked(100), server(), runtime)
    assert len(backend.sent) == 30 == runtime.meter.calls and caught.value.hint
    with pytest.raises(CapReached):
        ask_all(asked(100, sample=1), server(), runtime)
    assert len(backend.sent) == 30, "the cap is the run's, not the step's"


@pytest.mark.parametrize("spent", [(tokens_at_most(asked(1)[0]), 5), (10, 2), (0, 0)])
def test_a_cap_in_tokens_or_money_is_never_passed_whatever_replies_cost(fake, spent):
    prices = Prices(1000.0, 2000.0)
    backend = fake(lambda text, seen: Reply("x", tokens_in=spent[0], tokens_out=spent[1]), limit=32)
    for caps in (Caps(tokens=1000), Caps(money=1.0)):
        runtime = Runtime(caps=caps)
        if spent == (0, 0):
            assert len(ask_all(asked(200), server(prices=prices), runtime)) == 200
            continue
        with pytest.raises(CapReached):
            ask_all(asked(200), server(prices=prices), runtime)
        meter = runtime.meter
        worst = prices.of(tokens_at_most(asked(1)[0]), 5)
        used = meter.tokens_in + meter.tokens_out if caps.tokens else meter.money
        cap, one = (caps.tokens, tokens_at_most(asked(1)[0]) + 5) if caps.tokens else (caps.money, worst)
        assert cap - one < used <= cap * (1 + 1e-9), "less than one request is left over"
        assert meter.money == pytest.approx(prices.of(meter.tokens_in, meter.tokens_out))
    assert backend.now == 0


def test_requests_that_ended_without_a_reply_count_against_a_cap_with_the_most_they_can_have_cost(fake):
    one = tokens_at_most(asked(1)[0]) + 5
    backend = fake(lambda text, seen: Failed("no reply in 60 s"))
    with pytest.raises(CapReached, match="ended without a reply"):
        ask_all(asked(50), server(), Runtime(caps=Caps(tokens=4 * one)), policy=QUICK)
    assert len(backend.sent) == 4
    backend = fake(lambda text, seen: Failed("server error 500", unpaid=True) if seen < 2 else None)
    runtime = Runtime(caps=Caps(tokens=4 * one))
    assert texts(ask_all(asked(2), server(), runtime, policy=QUICK)) == EXPECTED[:2]


def test_a_cap_in_money_needs_prices(fake):
    backend = fake()
    with pytest.raises(CurationError, match="needs prices"):
        ask_all(asked(1), server(), Runtime(caps=Caps(money=1.0)))
    assert backend.sent == []
    ask_all(asked(1), server(prices=Prices(0, 0)), Runtime(caps=Caps(money=0.0)))


def test_one_run_has_one_currency(fake):
    fake()
    runtime = Runtime()
    ask_all(asked(1), server(prices=Prices(1, 1, "EUR")), runtime)
    assert runtime.meter.currency == "EUR" and runtime.meter.money > 0
    with pytest.raises(CurationError, match="EUR and USD"):
        ask_all(asked(1), server(prices=Prices(1, 1, "USD")), runtime)


# ------------------------------------------------------------------- progress, cancelling


def test_progress_and_the_running_count_are_told(fake):
    fake(limit=4, seconds=0.05)
    calls, records = [], []
    runtime = Runtime(progress=lambda *a: calls.append((time.monotonic(), *a)), record=records.append)
    ask_all(asked(80), server(), runtime)
    assert calls[0][1:3] == (0, 80) and calls[-1][1:3] == (80, 80)
    assert "80 calls" in calls[-1][3]
    assert max(b[0] - a[0] for a, b in zip(calls, calls[1:], strict=False)) < 1.0
    assert set(records[-1]) == {
        "judged", "calls", "reused", "retries", "tokens_in", "tokens_out", "money", "in_flight", "concurrency",
    }  # fmt: skip
    assert (records[-1]["judged"], records[-1]["calls"], records[-1]["in_flight"]) == (80, 80, 0)


def test_a_cancelled_run_stops_at_once_and_keeps_what_came(fake, tmp_path):
    backend = fake(limit=8, seconds=0.02)

    def progress(done, total, note=""):
        if done > 50:
            raise JobCancelled("stop")

    with pytest.raises(JobCancelled):
        ask_all(asked(5000), server(), Runtime(replies=tmp_path / "r.sqlite", progress=progress))
    assert 50 < len(backend.sent) < 1000 and backend.closed == 1
    with ReplyStore(tmp_path / "r.sqlite") as store:
        assert store.usage()[0].replies >= len(backend.sent) - backend.limit
    again = fake()
    answers = ask_all(asked(200), server(), Runtime(replies=tmp_path / "r.sqlite"))
    assert texts(answers) == EXPECTED[:200], "no claim was left behind"
    assert len(again.sent) <= max(0, 200 - len(backend.sent)) + 8


def test_cancelling_does_not_wait_for_a_slow_server_or_a_pause(fake):
    backend = fake(lambda text, seen: Failed("busy", throttled=True, wait=300.0), seconds=0.01)

    def progress(done, total, note=""):
        if backend.seen:
            raise JobCancelled("stop")

    begun = time.monotonic()
    with pytest.raises(JobCancelled):
        ask_all(asked(50), server(), Runtime(progress=progress))
    assert time.monotonic() - begun < 30, "far less than the pause"


# ------------------------------------------------------------------------------ ask_until


def _number(reply):
    return int(reply.text) if reply.text.isdigit() else Unparsed("reply is no number")


def test_an_unreadable_reply_is_asked_again_as_another_sample():
    said = {0: "hm", 1: "so", 2: "hm", 3: "4"}

    async def say(request):
        samples.append(request.sample)
        return Answer(Reply(said[request.sample]) if request.sample in said else None, "server error 500")

    def ask(**fields):
        return asyncio.run(ask_until(say, asked(1)[0], _number, **fields))

    samples = []
    assert ask() == Unparsed("reply is no number") and samples == [0, 1]
    samples = []
    assert ask(attempt=1) == 4 and samples == [0, 1, 2, 3], "the first two are stored, and free"
    samples, said[1] = [], "7"
    assert ask(attempt=2) == 7 and samples == [0, 1], "what could be read is not asked for again"
    samples = []
    del said[0]
    assert ask(attempt=1) == Unparsed("server error 500") and samples == [0]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("5", "5"), ("<think>hm 3</think>5", "5"), ("\n<think>\na\n</think>\n\n5 ok", "5 ok"),
        ("<think>never ends", ""),
        ("hm 3</think>\n5", "5"), ("<THINKING>x</THINKING> 5", "5"), ("5 <think>late</think>", "5 <think>late</think>"),
        ("", ""), ("<think></think>", ""),
    ],
)  # fmt: skip
def test_spoken_is_what_follows_the_thinking(text, left):
    assert spoken(text) == left


def test_meters_of_gone_runs_are_forgotten():
    from curation.models.chat._run_state import of_run

    first = Meter()
    assert of_run(first, "x", list) is of_run(first, "x", list)
    assert of_run(Meter(), "x", list) is not of_run(first, "x", list)
