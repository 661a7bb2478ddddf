"""Verdicts in words: what is claimed, of what, and with which reservations."""

from __future__ import annotations

import numpy as np
import pytest

from curation.core.errors import CurationError
from curation.trial._verdicts import GROUP_ROWS, arm_table, assess, rivals


def arm(name, kind, run=0, selection="", serves=()):
    return {"arm": name, "kind": kind, "selection": selection, "serves": list(serves), "run": run, "rows": 10}


def trial(levels, m=60, noise=0.05, runs=4):
    """Arms and values: each arm's rows lie around its level."""
    rng = np.random.default_rng(0)
    arms, values = [], []
    own = rng.normal(0, 0.3, m)
    for (name, kind, selection), level in levels.items():
        for run in range(runs):
            arms.append(arm(name, kind, run, selection))
            values.append(level + own + rng.normal(0, noise) + rng.normal(0, noise, m))
    return arms, np.array(values, np.float32)


LEVELS = {
    ("a", "selection", "a"): 1.0,
    ("b", "selection", "b"): 3.0,
    ("c", "selection", "c"): 2.0,
    ("random", "random", ""): 2.0,
    ("a, lengths", "length-matched", "a"): 1.0,
    ("b, lengths", "length-matched", "b"): 2.0,
    ("c, lengths", "length-matched", "c"): 2.0,
    ("full data", "full", ""): 0.5,
}


def verdicts(found, **facts):
    return {v["selection"]: v for v in found if all(v[k] == w for k, w in facts.items())}


def test_a_trusted_trial_says_beats_worse_and_no_difference():
    arms, values = trial(LEVELS)
    found = assess(arms, values, measure="loss", trusted=True, groups={})
    overall = verdicts(found, against="random")
    assert [overall[n]["verdict"] for n in "abc"] == [
        "beats random",
        "worse than random",
        "no difference from random",
    ]
    assert overall["a"]["words"].startswith("beats random: +")
    assert "nats lower loss (95 % interval +" in overall["a"]["words"]
    assert "could have been seen" in overall["c"]["words"]
    assert overall["a"]["gain"] == pytest.approx(1.0, abs=0.15)
    assert all(v["comparisons"] == 3 and not v["exploratory"] for v in overall.values())


def test_a_gain_that_length_alone_brings_is_named():
    arms, values = trial(LEVELS)
    found = assess(arms, values, measure="loss", trusted=True, groups={})
    overall = verdicts(found, against="random")
    assert overall["a"]["may_be_length"]
    assert "the gain may be length" in overall["a"]["words"]
    assert not overall["b"]["may_be_length"]
    changed = {**LEVELS, ("a, lengths", "length-matched", "a"): 2.0}
    again = verdicts(assess(*trial(changed), measure="loss", trusted=True, groups={}), against="random")
    assert not again["a"]["may_be_length"]
    assert "length" not in again["a"]["words"]


def test_without_trust_nothing_is_beaten():
    arms, values = trial(LEVELS)
    found = assess(arms, values, measure="loss", trusted=False, groups={"half": np.array(["x", "y"] * 30, object)})
    assert not [v["words"] for v in found if "beats" in v["words"] or "worse" in v["words"]]
    overall = verdicts(found, against="random", grouping="")
    assert [overall[n]["verdict"] for n in "abc"] == [
        "resembles the pool more than random",
        "resembles the pool less than random",
        "resembles the pool as much as random",
    ]


def test_accuracy_is_in_points_and_higher_is_better():
    arms, values = trial({k: 1 - v / 4 for k, v in LEVELS.items()}, noise=0.01)
    overall = verdicts(assess(arms, values, measure="accuracy", trusted=True, groups={}), against="random")
    assert overall["a"]["verdict"] == "beats random"
    assert "points of accuracy" in overall["a"]["words"]
    assert "+25" in overall["a"]["words"] or "+24" in overall["a"]["words"]


def test_groups_are_corrected_by_themselves_marked_exploratory_and_small_ones_say_so():
    rng = np.random.default_rng(1)
    group = np.array(["large"] * 30 + ["other"] * (60 - 30 - 3) + ["small"] * 3, object)
    arms, values = trial({("a", "selection", "a"): 2.0, ("random", "random", ""): 2.0})
    values[:4, :30] -= 1 + 0.01 * rng.random((4, 30)).astype(np.float32)  # only the large group gains
    found = assess(arms, values, measure="loss", trusted=True, groups={"cluster": group})
    by_group = {v["group"]: v for v in found if v["grouping"] == "cluster"}
    assert by_group["large"]["verdict"] == "beats random"
    assert by_group["other"]["verdict"] == "no difference from random"
    assert by_group["small"]["verdict"] == "too few rows"
    assert by_group["small"]["rows"] == 3 < GROUP_ROWS
    assert by_group["large"]["comparisons"] == by_group["other"]["comparisons"] == 2
    assert all(v["exploratory"] for v in by_group.values())


def test_many_random_like_selections_are_not_beaten_by_number():
    """Six selections that are random draws: at most one trial in twenty claims anything better at all."""
    rng = np.random.default_rng(5)
    claims = 0
    for _ in range(60):
        arms = [arm(f"s{i}", "selection", run, f"s{i}") for i in range(6) for run in range(2)]
        arms += [arm("random", "random", run) for run in range(5)]
        level = np.concatenate([np.repeat(rng.normal(size=6), 2), rng.normal(size=5)])
        values = level[:, None] + rng.normal(0, 1, (len(arms), 25))
        found = assess(arms, values, measure="accuracy", trusted=True, groups={})
        claims += any(v["verdict"] == "beats random" for v in found)
    assert claims <= 6


def test_rows_that_a_run_did_not_measure_are_left_out_of_all():
    arms, values = trial(LEVELS)
    values[0, 5] = np.nan
    found = assess(arms, values, measure="loss", trusted=True, groups={})
    assert {v["rows"] for v in found} == {59}
    kept = np.delete(values, 5, axis=1)
    assert found == assess(arms, kept, measure="loss", trusted=True, groups={})


def test_draws_of_another_size_serve_only_their_own_selection():
    arms = [
        arm("a", "selection", 0, "a"),
        arm("b", "selection", 0, "b"),
        arm("random, 10 rows", "random", 0, serves=["a"]),
        arm("random, 20 rows", "random", 0, serves=["b"]),
    ]
    assert rivals(arms, "a", "random") == [2]
    assert rivals(arms, "b", "random") == [3]


def test_the_table_of_arms():
    arms, values = trial(LEVELS)
    table = arm_table(arms, values)
    assert [row["kind"] for row in table] == ["selection"] * 3 + ["random"] + ["length-matched"] * 3 + ["full"]
    first = table[0]
    assert (first["arm"], first["runs"], first["rows"]) == ("a", 4, 10)
    assert first["mean"] == pytest.approx(values[:4].mean(), abs=1e-5)
    assert first["spread"] == pytest.approx(values[:4].mean(axis=1).std(ddof=1), rel=1e-3)


def test_where_no_row_was_measured_in_every_training_it_says_after_which():
    arms, values = trial(LEVELS)
    values[2] = np.nan
    with pytest.raises(CurationError, match="no evaluation row was measured") as caught:
        assess(arms, values, measure="loss", trusted=True, groups={})
    assert "after training a;" in caught.value.hint


def test_tokens_that_nobody_counted_are_not_none_at_all():
    arms, values = trial(LEVELS)
    assert all(np.isnan(row["tokens"]) for row in arm_table(arms, values))
    assert arm_table([{**a, "tokens": 5} for a in arms], values)[0]["tokens"] == 5
