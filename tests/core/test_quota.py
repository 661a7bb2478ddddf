"""Quotas: what is asked for, whether it can be, and the walk, against brute force."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from curation.core.artifacts import Labels, Missing, Selection
from curation.core.errors import CurationError
from curation.core.quota import FULL, KEPT_FREE, TAKEN, Quota, kept_to, limits_of, rows_meant, walk


def labels(values: list[str | None]) -> Labels:
    return Labels.from_values("d", values)


def limits(values: list[str | None], budget: int | None, at_least=None, at_most=None, rows=None):
    rows = np.arange(len(values)) if rows is None else np.asarray(rows)
    return limits_of(Quota.read(at_least, at_most), labels(values), rows, budget)


def ordered(n: int, order: list[int], **more) -> Selection:
    stage = np.ones(n, np.int16)
    stage[order] = 0
    return Selection("d", n, np.array(order, np.int64), stage=stage, stages=("not good",), nested=True, **more)


# ---------------------------------------------------------------------- what is asked for


def test_amounts_are_counts_or_percentages_and_one_amount_is_for_every_value():
    read = Quota.read({"zh": 50, 3: "5%", True: "1_000", "no": "7 rows"}, "12.50 %")
    assert read.at_least == {"zh": 50, "3": "5%", "True": 1000, "no": 7}
    assert read.at_most == {"*": "12.5%"}
    assert Quota.read("12,345,678", "1,000 rows").facts() == {"at_least": {"*": 12345678}, "at_most": {"*": 1000}}
    assert Quota.read("100%", 0).facts() == {"at_least": {"*": "100%"}, "at_most": {"*": 0}}
    assert Quota.read({"a": 1, "b": "2"}, None).facts() == Quota.read({"b": 2, "a": "1"}, None).facts()


@pytest.mark.parametrize(
    "amount", [-1, 0.05, "many", "2,5%", "1,5", "0,050%", "1,00", "1,000,00", "101%", True, None, [1], "5 tokens", ""]
)
def test_other_amounts_are_refused(amount):
    with pytest.raises(CurationError, match="at_most of 'zh'") as caught:
        Quota.read(None, {"zh": amount})
    assert "50" in caught.value.hint


def test_a_quota_without_bounds_is_refused():
    for nothing in ({}, None):
        with pytest.raises(CurationError, match="at_least or at_most"):
            Quota.read(nothing, None)


@pytest.mark.parametrize("budget", [1, 7, 10, 99, 1000])
@pytest.mark.parametrize("shares", [(25, 25, 25, 25), (33.3, 33.3, 33.4), (0.1, 99.9)])
def test_shares_that_sum_to_one_fit_into_every_budget(budget, shares):
    amounts = [f"{share}%" for share in shares]
    assert sum(rows_meant(a, budget, up=False) for a in amounts) <= budget
    assert sum(rows_meant(a, budget, up=True) for a in amounts) >= budget


def test_percentages_are_exact():
    assert [rows_meant("5%", 100, up=up) for up in (False, True)] == [5, 5]
    assert [rows_meant("0.7%", 1000, up=up) for up in (False, True)] == [7, 7]
    assert [rows_meant("5%", 50, up=up) for up in (False, True)] == [2, 3]


# ---------------------------------------------------------------------- what is feasible


def test_what_cannot_be_is_explained_with_value_and_numbers():
    values = ["en"] * 20 + ["zh"] * 12 + [None] * 3
    for budget, bounds, words, hint in [
        (30, {"at_least": {"zh": 50}}, "'zh' has 12 eligible rows, 50 were asked for", "zh: 12"),
        (30, {"at_least": {"*": 5}}, "'no value' has 3 eligible rows, 5 were asked for", "no value: 3"),
        (10, {"at_least": {"zh": 8, "en": 7}}, "minima add up to 15 rows, 10 are to be picked", "budget of 15"),
        (30, {"at_most": {"*": 9}}, "maxima allow 21 rows, 30 are to be picked", "a budget of 21, or maxima of 15"),
        (30, {"at_least": {"zh": 6}, "at_most": {"zh": 5}}, "'zh' is to have at least 6 rows and at most 5", "raise"),
        (30, {"at_least": {"zz": 1}}, "names 'zz', which no row has", "zh"),
        (30, {"at_most": {"zz": 1}}, "names 'zz', which no row has", "zh"),
    ]:
        with pytest.raises(CurationError, match=words) as caught:
            limits(values, budget, **bounds)
        assert hint in caught.value.hint, caught.value.hint


def test_the_feasible_numbers_that_are_told_are_feasible():
    values = ["en"] * 20 + ["zh"] * 12 + [None] * 3
    limits(values, 21, at_most={"*": 9})
    limits(values, 30, at_most={"*": 15})
    with pytest.raises(CurationError):
        limits(values, 30, at_most={"*": 14})
    limits(values, 30, at_least={"zh": 12, "no value": 3})


def test_every_value_is_every_value_that_has_eligible_rows():
    values = ["en"] * 4 + ["zh"] * 4
    found = limits(values, 2, at_least={"*": 1}, rows=[0, 1, 2])
    assert found.least.tolist() == [1, 0, 0]
    with pytest.raises(CurationError, match="'zh' has 0 eligible rows"):
        limits(values, 2, at_least={"zh": 1}, rows=[0, 1, 2])
    # a name of its own goes before "*", and may be nothing
    assert limits(values, 4, at_least={"*": 1, "zh": 3}).least.tolist() == [1, 3, 0]
    assert limits(values, 4, at_most={"*": 2, "no value": 0}).most.tolist() == [2, 2, 0]


def test_rows_without_a_label_are_a_value_of_their_own():
    made = Labels("d", np.array([0, -1, -1], np.int32), ("a",), Missing.where(np.array([0, 0, 1], bool), "none"))
    found = limits_of(Quota.read({"no value": 2}, None), made, np.arange(3), 2)
    assert [found.names[v] for v in found.value] == ["a", "no value", "no value"]
    named = limits_of(Quota.read({"no value": 1}, None), labels(["no value", None, "x"]), np.arange(3), 2)
    assert named.eligible[named.names.index("no value")] == 2


# ---------------------------------------------------------------------- the walk


def test_a_worked_walk():
    values = np.array([0, 0, 0, 1, 2, 0, 1, 2])
    found = walk(values, np.array([0, 1, 1]), np.array([2, 2, 2]), 4)
    assert found.tolist() == [TAKEN, TAKEN, FULL, TAKEN, TAKEN]
    found = walk(values, np.array([0, 1, 2]), np.array([9, 9, 9]), 4)
    assert found.tolist() == [TAKEN, KEPT_FREE, KEPT_FREE, TAKEN, TAKEN, KEPT_FREE, KEPT_FREE, TAKEN]


def best_by_brute_force(scores, values, least, most, budget) -> float:
    best = -np.inf
    for chosen in combinations(range(len(scores)), budget):
        counts = np.bincount(values[[*chosen]], minlength=len(least))
        if (counts >= least).all() and (counts <= most).all():
            best = max(best, scores[[*chosen]].sum())
    return best


@pytest.mark.parametrize("seed", range(60))
def test_by_score_no_selection_within_the_quota_is_worth_more(seed):
    rng = np.random.default_rng(seed)
    n, groups = int(rng.integers(3, 11)), int(rng.integers(1, 4))
    values, scores = rng.integers(0, groups, n), rng.normal(size=n)
    budget = int(rng.integers(1, n + 1))
    size = np.bincount(values, minlength=groups)
    least = rng.integers(0, size // 2 + 1)
    most = np.minimum(least + rng.integers(0, n, groups), size)
    order = np.argsort(-scores, kind="stable")
    best = best_by_brute_force(scores, values, least, most, budget)
    if least.sum() > budget or most.sum() < budget:
        assert best == -np.inf  # the conditions that are checked before are the right ones
        return
    taken = order[: len(found := walk(values[order], least, most, budget))][found == TAKEN]
    assert len(taken) == budget
    assert scores[taken].sum() == pytest.approx(best)


# ---------------------------------------------------------------------- what becomes of a selection


def test_rows_that_are_out_say_why_and_by_how_much():
    values = ["en", "en", "en", "en", "zh", "zh", "en", "zh", "zh"]
    made = ordered(9, [0, 1, 2, 3, 4, 5, 6, 7], gains=np.arange(8.0, 0, -1))
    found = kept_to(made, limits(values, 4, {"zh": 2}, {"en": 3}), 4)
    assert found.order.tolist() == [0, 1, 4, 5]
    assert found.gains.tolist() == [8, 7, 4, 3]
    assert found.why(2) == "out: its place was kept for the minimum of 'zh' (by 1)"
    assert found.why(3) == "out: its place was kept for the minimum of 'zh' (by 2)"
    assert found.why(6) == "out: beyond the budget (by 1)"
    assert found.why(8) == "out: not good"
    found = kept_to(made, limits(values, 4, None, {"en": 2}), 4)
    assert found.order.tolist() == [0, 1, 4, 5]
    assert found.why(3) == "out: its value 'en' had its quota already (by 2)"
    assert found.info["quota"] == {
        "en": {"picked": 2, "eligible": 5, "at_least": 0, "at_most": 2},
        "zh": {"picked": 2, "eligible": 4, "at_least": 0, "at_most": 4},
    }
    assert found.short_by == 0


def test_an_order_that_ends_before_is_short_and_says_what_is_lacking():
    values = ["en"] * 4 + ["zh"] * 4
    made = ordered(8, [0, 1, 2, 4], short_by=4, short_reason="only copies are left")
    found = kept_to(made, limits(values, 4, {"zh": 2}), 4)
    assert found.order.tolist() == [0, 1, 4]
    assert found.short_by == 1
    assert found.short_reason == "only copies are left; 'zh' has 1 of at least 2"


def test_a_quota_that_holds_by_itself_changes_nothing_but_the_report():
    made = ordered(4, [2, 0], covered_by=np.array([0, 2, 2, 0]), distance=np.zeros(4))
    found = kept_to(made, limits(["a", "b", "b", "a"], 2, {"a": 1}, {"b": 1}), 2)
    assert found.order.tolist() == [2, 0]
    assert found.covered_by.tolist() == [0, 2, 2, 0]
    assert found.stages == made.stages


def test_weights_that_were_made_for_more_rows_are_not_silently_those_of_fewer():
    made = ordered(4, [2, 0, 1], weights=np.array([5.0, 3.0, 2.0]), info={"notes": ["old"]})
    labels = ["a", "b", "a", "a"]
    found = kept_to(made, limits(labels, None, None, {"a": 1}, rows=made.order), None)
    assert found.weights.tolist() == [5.0, 2.0]
    assert found.info["notes"] == [
        "old", "weights and facts are those of 3 rows, of which 2 are here",
    ]  # fmt: skip
    whole = kept_to(made, limits(labels, None, None, {"a": 2}, rows=made.order), None)
    assert whole.info["notes"] == ["old"]


def test_who_is_out_stands_for_nobody():
    made = ordered(5, [0, 1, 2], covered_by=np.array([0, 1, 2, 0, 1]), distance=np.full(5, 0.1))
    found = kept_to(made, limits(["a", "a", "b", "a", "b"], None, None, {"a": 1}, rows=made.order), None)
    assert found.order.tolist() == [0, 2]
    assert found.covered_by.tolist() == [0, -1, 2, 0, -1]
    assert np.isnan(found.distance[[1, 4]]).all()
    assert found.distance[3] == 0.1


def test_without_a_budget_maxima_thin_out_and_minima_are_checked():
    values = ["a"] * 6 + ["b"] * 2
    made = ordered(8, [0, 1, 2, 3, 6])
    found = kept_to(made, limits(values, None, {"b": 1}, {"a": 2}, rows=made.order), None)
    assert found.order.tolist() == [0, 1, 6]
    assert found.short_by == 0
    with pytest.raises(CurationError, match="'b' has 1 eligible rows, 2 were asked for"):
        limits(values, None, {"b": 2}, rows=made.order)
    half = kept_to(made, limits(values, None, None, {"a": "50%"}, rows=made.order), None)
    assert half.order.tolist() == [0, 1, 2, 6]  # half of five picks, rounded up


def test_only_maxima_in_rows_keep_an_order_nested():
    values, made = ["a", "b"] * 4, ordered(8, [*range(8)])
    assert kept_to(made, limits(values, 4, None, {"a": 2}), 4).nested
    assert not kept_to(made, limits(values, 4, None, {"a": "60%"}), 4).nested
    assert not kept_to(made, limits(values, 4, {"a": 1}), 4).nested
    for budget in (1, 2, 3, 5):
        found = kept_to(made, limits(values, budget, None, {"a": 1}), budget)
        assert found.order.tolist() == [0, 1, 3, 5, 7][:budget]


def test_many_values_share_one_reason():
    values = [f"v{i // 2}" for i in range(600)]
    found = kept_to(ordered(600, [*range(600)]), limits(values, 300, None, 1), 300)
    assert (found.order % 2 == 0).all()
    assert found.why(1) == "out: its value had its quota already (by 1)"
    assert len(found.stages) <= 4
    assert len(found.info["quota"]) == 200
