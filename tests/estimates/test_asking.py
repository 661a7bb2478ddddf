"""Counting, probing, comparing: nothing is sent that need not be, and what is expected is what comes."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from curation.core.dataset import Dataset, from_pairs
from curation.core.errors import CapReached, CurationError
from curation.core.runtime import Runtime
from curation.core.spending import Caps, Meter
from curation.estimates.asking import compare, cost_from_groups, plan_calls, probe
from curation.estimates.extrapolate import Range, exactly
from curation.estimates.spending import Cost
from curation.scorers.alpagasus import AlpaGasus

PRICES = {"prices": {"input": 0.15, "output": 0.6, "currency": "EUR"}}


def pool_of(n: int, seed: int = 0) -> Dataset:
    rng = np.random.default_rng(seed)
    words = rng.integers(3, 120, n)
    return from_pairs(
        [(f"Question {i} of {seed}?", " ".join(["word"] * int(w)) + f" {i}.") for i, w in enumerate(words)]
    )


@pytest.fixture
def runtime(tmp_path: Path) -> Runtime:
    return Runtime(replies=tmp_path / "replies.sqlite")


def run(method: AlpaGasus, pool: Dataset, runtime: Runtime) -> Meter:
    meter = Meter()
    method.resolve(runtime).score(pool, dataclasses.replace(runtime, meter=meter))
    return meter


# ------------------------------------------------------------------ counting


def test_counting_sends_nothing_and_makes_no_file(loopback, runtime):
    server = loopback()
    found = plan_calls(AlpaGasus(audit=0.0), pool_of(40), runtime)
    assert (found.rows, found.asked, found.open, found.first, found.stored) == (40, 40, 40, 40, 0)
    assert found.calls == 40
    assert found.most_out == 40 * 256
    assert found.example is not None
    assert found.example_row == 0
    assert found.longest == found.sizes.max()
    assert not runtime.replies.exists()
    assert server.stats()["calls"] == 0


def test_equal_rows_are_counted_once(runtime):
    one = [("Why?", "Because it is so.")] * 5
    found = plan_calls(AlpaGasus(audit=0.0), from_pairs([*one, ("How?", "Like this.")]), runtime)
    assert (found.asked, found.first, found.open, found.calls) == (6, 2, 2, 2)
    assert list(np.flatnonzero(found.counts)) == [0, 5]


def test_rows_about_which_nothing_is_asked_are_not_counted(runtime):
    found = plan_calls(AlpaGasus(audit=0.0), from_pairs([("A question without an answer", ""), ("Q", "A")]), runtime)
    assert (found.rows, found.asked, found.calls) == (2, 1, 1)
    assert found.example_row == 1


def test_stored_replies_are_counted_and_not_asked_for_again(runtime):
    method, pool = AlpaGasus(audit=0.0), pool_of(30)
    assert run(method, pool.take(np.arange(10)), runtime).calls == 10
    found = plan_calls(method, pool, runtime)
    assert (found.open, found.stored, found.calls, found.example_row) == (20, 10, 20, 10)
    assert not found.is_open[:10].any()


def test_rows_judged_twice_are_two_requests(runtime):
    found = plan_calls(AlpaGasus(audit=1.0), pool_of(12), runtime)
    assert (found.open, found.first, found.calls) == (12, 24, 24)


# ------------------------------------------------------------------ probing


def test_a_probe_asks_about_thirty_rows_and_pays_for_them_once(loopback, runtime):
    server = loopback(fields=PRICES)
    method, pool = AlpaGasus(audit=0.0), pool_of(200)
    cost = probe(method, pool, runtime)
    assert server.stats()["calls"] == 30
    assert (cost.basis, cost.sample, cost.rows, cost.stand_in) == ("probe", 30, 170, False)
    assert cost.spent["calls"] == 30
    assert cost.spent["money"] > 0
    again = probe(method, pool, runtime)  # the same rows: from the store
    assert server.stats()["calls"] == 30
    assert (again.rows, again.sample, again.spent) == (170, 30, {})
    assert again.tokens_in.value == pytest.approx(cost.tokens_in.value)
    assert again.money.value == pytest.approx(cost.money.value)


def test_what_a_probe_expects_is_what_the_run_takes(loopback, runtime):
    loopback(fields=PRICES)
    method, pool = AlpaGasus(audit=0.0), pool_of(600)
    cost = probe(method, pool, runtime)
    meter = run(method, pool, runtime)
    assert meter.calls == 570
    beside = {each.name: each for each in compare(cost, meter.facts())}
    assert set(beside) == {"calls", "tokens_in", "tokens_out", "money"}
    assert beside["calls"].actual == beside["calls"].expected.value == 570
    for name in ("tokens_in", "money"):
        assert abs(beside[name].off) < 0.05, name
        assert beside[name].inside, name
    assert cost.currency == "EUR"


def test_another_pool_of_the_same_rows_in_another_order_is_probed_by_the_same_rows(loopback, runtime):
    server = loopback()
    method, pool = AlpaGasus(audit=0.0), pool_of(100)
    probe(method, pool, runtime)
    probe(method, pool.take(np.arange(100)[::-1].copy()), runtime)
    assert server.stats()["calls"] == 30


def test_a_small_pool_is_asked_whole(loopback, runtime):
    server = loopback()
    cost = probe(AlpaGasus(audit=0.0), pool_of(7), runtime)
    assert server.stats()["calls"] == 7
    assert (cost.rows, cost.basis, cost.calls) == (0, "stored", exactly(0.0))


def test_caps_hold_over_all_groups_of_a_probe(loopback, runtime):
    server = loopback()
    method, pool = AlpaGasus(audit=0.0), pool_of(100)
    cost = probe(method, pool, dataclasses.replace(runtime, caps=Caps(calls=11)))
    assert server.stats()["calls"] <= 11
    assert 6 <= cost.sample <= 11
    assert cost.calls.value == pytest.approx(cost.rows)
    with pytest.raises(CapReached):
        probe(method, pool_of(50, seed=5), dataclasses.replace(runtime, caps=Caps(calls=1)))


def test_without_prices_money_is_not_known(loopback, runtime):
    loopback()
    cost = probe(AlpaGasus(audit=0.0), pool_of(50), runtime)
    assert cost.money is None
    assert cost.currency == ""
    assert [each.name for each in compare(cost, {"calls": 3})] == ["calls", "tokens_in", "tokens_out"]


def test_failures_that_are_not_stored_are_still_to_be_asked(loopback, runtime):
    loopback(faults=[{"fault": "500", "match": "Question 3 of"}])
    method, pool = AlpaGasus(audit=0.0), pool_of(12)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("curation.models.chat.client.Policy", _impatient())
        cost = probe(method, pool, runtime)
    assert cost.rows == 1


def _impatient() -> object:
    from curation.models.chat.conversation import Policy

    return lambda: Policy(tries=1)


def test_a_wrong_connection_is_told(runtime):
    with pytest.raises(CurationError, match="no connection 'nobody'"):
        probe(AlpaGasus(connection="nobody"), pool_of(5), runtime)


def test_the_stand_in_is_marked(runtime):
    assert probe(AlpaGasus(), pool_of(60), runtime).stand_in


def test_nothing_measured_gives_limits(loopback, runtime):
    loopback(fields=PRICES)
    method, pool = AlpaGasus(audit=0.0, max_tokens=20), pool_of(50)
    cost = cost_from_groups(method, plan_calls(method, pool, runtime), ())
    assert cost.basis == "text"
    assert cost.seconds is None
    assert cost.tokens_out == Range(1000, 50, 1000)
    spent = run(method, pool, runtime)
    assert cost.tokens_in.holds(spent.tokens_in)
    assert cost.money.high >= spent.money >= cost.money.low


def test_intervals_hold_what_a_run_takes_over_many_pools(tmp_path, monkeypatch):
    file = tmp_path / "connections.yaml"
    file.write_text("judge: {kind: stand-in, prices: {input: 0.15, output: 0.6, currency: USD}}\n")
    monkeypatch.setenv("CURATION_CONNECTIONS", str(file))
    method, held = AlpaGasus(audit=0.1), []
    for seed in range(20):
        pool = pool_of(150, seed)
        runtime = Runtime(replies=tmp_path / f"{seed}.sqlite")
        cost = probe(method, pool, runtime)
        meter = run(method, pool, runtime)
        held.append([each.inside for each in compare(cost, meter.facts())])
    # calls, tokens read, tokens written, money: each interval promises 95 %
    assert (np.sum(held, 0) >= 18).all(), np.sum(held, 0)


def test_comparing_tells_how_far_off():
    cost = Cost(5, exactly(10), Range(100, 80, 120), Range(20, 10, 30), Range(1, 0.5, 1.5), "USD", None, "probe")
    calls, read, written, money = compare(cost, {"calls": 10, "tokens_in": 130, "tokens_out": 20, "money": 2.0})
    assert (calls.inside, read.inside, written.inside, money.inside) == (True, False, True, False)
    assert read.off == pytest.approx(0.3)
    assert money.off == pytest.approx(1.0)
    assert cost.tokens == Range(120, 90, 150)


def test_repeats_that_a_sample_did_not_meet_are_allowed_for(loopback, runtime):
    # five of a hundred replies say no score, and the row is asked about again: thirty rows may well miss that
    server = loopback(faults=[{"fault": "says", "text": "no number here", "share": 0.05, "per": "text", "times": 1}])
    method, pool = AlpaGasus(audit=0.0), pool_of(300, seed=7)
    cost = probe(method, pool, runtime)
    sent = server.stats()["calls"]
    run(method, pool, runtime)
    assert cost.calls.low <= cost.rows
    assert cost.calls.high > cost.rows * 1.05
    assert cost.calls.holds(server.stats()["calls"] - sent)


def test_a_probe_of_a_method_of_many_steps_is_bounded(loopback, runtime):
    from curation.generators.evol_complexity import EvolComplexity

    server = loopback(judge="evolve")
    method, pool = EvolComplexity(), pool_of(120)
    counted = plan_calls(method, pool, runtime)
    assert counted.several
    assert counted.calls == pytest.approx(120 * method.calls_per_row())
    cost = probe(method, pool, runtime, rows=10)
    sent = server.stats()["calls"]
    assert sent <= 10 * method.calls_per_row() + 10
    assert cost.sample == 10
    assert cost.rows == 110
    method.resolve(runtime).generate(pool, runtime)
    assert cost.calls.holds(server.stats()["calls"] - sent)
