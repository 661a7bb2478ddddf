"""Complexity-first diverse sampling: order-exact against the plain loop, and what its passes cover."""

from __future__ import annotations

import numpy as np
import pytest

from curation.core.artifacts import Labels, Missing, Score
from curation.core.dataset import from_pairs
from curation.core.errors import CurationError
from curation.core.method import Ask
from curation.core.runtime import Runtime
from curation.labellers.tags import tag_labels
from curation.selectors._build import sorted_rows
from curation.selectors._tags import tag_sets
from curation.selectors.tag_coverage import TagCoverage, cover_in_passes


def passes_naive(sets: list[set[int]], preference: list[int]) -> list[tuple[int, int, int]]:
    """(row, new tags, pass): the loop as published, over the rows that are left, until none is."""
    left, found, number = list(preference), [], 0
    while left:
        covered: set[int] = set()
        rest = []
        for row in left:
            new = sets[row] - covered
            if new:
                covered |= new
                found.append((row, len(new), number))
            else:
                rest.append(row)
        left, number = rest, number + 1
    return found


def some_tags(seed: int, n: int = 120, vocabulary: int = 15, most: int = 5) -> list[list[str]]:
    rng = np.random.default_rng(seed)
    weights = 1 / np.arange(1, vocabulary + 1)
    rows = []
    for _ in range(n):
        size = int(rng.integers(0, most + 1))
        rows.append([f"t{i}" for i in rng.choice(vocabulary, size, replace=False, p=weights / weights.sum())])
    return rows


def pool_of(n: int):
    return from_pairs([(f"q{i}", f"a{i}") for i in range(n)])


def labels_of(pool, rows: list[list[str]]) -> Labels:
    return tag_labels(pool.fingerprint, rows, ["no tags"] * len(rows))


def pick(rows: list[list[str]], budget: int, score: Score | None = None, **values):
    pool = pool_of(len(rows))
    method = TagCoverage(budget=budget, **values)
    ask = Ask(np.arange(len(rows)), budget)
    if score is not None:
        score = Score(pool.fingerprint, score.values, score.missing, score.name, score.higher_is_better)
    return method.select(pool, ask, Runtime(), tags=labels_of(pool, rows), score=score)


@pytest.mark.parametrize("seed", range(8))
def test_the_order_is_that_of_the_plain_loop(seed):
    rows = some_tags(seed)
    sets = tag_sets(labels_of(pool_of(len(rows)), rows))
    with_tags = np.flatnonzero(sets.counts > 0)
    preference = sorted_rows(with_tags, sets.counts.astype(float), highest=True)
    found = cover_in_passes(sets, preference)
    naive = passes_naive([set(sets.of(i).tolist()) for i in range(len(rows))], preference.tolist())
    assert [*zip(found.order.tolist(), found.gains.tolist(), found.turn.tolist(), strict=True)] == naive
    assert sorted(found.order.tolist()) == with_tags.tolist()


@pytest.mark.parametrize("seed", range(4))
def test_the_first_pass_covers_what_the_whole_pool_covers(seed):
    rows = some_tags(seed)
    made = pick(rows, len(rows))
    everything = {tag for tags in rows for tag in tags}
    first = made.order[: made.info["picks_for_all"]]
    assert {tag for row in first for tag in rows[row]} == everything
    assert {tag for row in first[:-1] for tag in rows[row]} != everything
    assert made.info["vocabulary"] == len(everything)
    half = {tag for row in made.order[: made.info["picks_for_half"]] for tag in rows[row]}
    assert len(half) >= len(everything) / 2
    fewer = {tag for row in made.order[: made.info["picks_for_half"] - 1] for tag in rows[row]}
    assert len(fewer) < len(everything) / 2


def test_a_worked_example():
    #        0           1      2           3      4    5           6
    rows = [["a", "b"], ["c"], ["a", "b"], ["a"], [], ["b", "d"], ["c"]]
    made = pick(rows, 7)
    # pass 1: 0 (a b), 5 (d is new), 1 (c); pass 2: 2 (a b), 6 (c); pass 3: 3 (a); row 4 never
    assert made.order.tolist() == [0, 5, 1, 2, 6, 3]
    assert made.gains.tolist() == [2, 1, 1, 2, 1, 1]
    assert made.short_by == 1
    assert "no tags" in made.short_reason
    assert made.why(4) == "out: no tags"
    assert made.info["passes"] == 3


def test_rows_without_tags_come_last_where_asked():
    made = pick([["a"], [], ["a"], []], 4, untagged="last")
    assert made.order.tolist() == [0, 2, 1, 3]
    assert made.gains.tolist() == [1, 1, 0, 0]
    assert made.short_by == 0


def test_a_score_takes_the_place_of_the_number_of_tags():
    rows = [["a", "b"], ["a"], ["b"], ["a"]]
    score = Score("", np.array([1.0, 2.0, 3.0, 2.0]), Missing.none(4), "s", True)
    assert pick(rows, 4, score).order.tolist() == [2, 1, 3, 0]  # 0 adds nothing after 2 and 1; pass 2 has 3, then 0 (b)
    assert pick(rows, 4, score, keep="lowest").order.tolist() == [0, 1, 2, 3]


def test_identical_rows_go_by_the_lowest_and_only_one_in_a_pass():
    made = pick([["x", "y"]] * 5, 3)
    assert made.order.tolist() == [0, 1, 2]
    assert made.info["picks_for_all"] == 1


def test_plain_labels_are_one_tag_each_and_called_a_proxy():
    pool = pool_of(6)
    labels = Labels.from_values(pool.fingerprint, ["u", "u", "v", None, "v", "u"])
    made = TagCoverage(budget=6).select(pool, Ask(np.arange(6), 6), Runtime(), tags=labels)
    assert made.order.tolist() == [0, 2, 1, 4, 5]
    assert made.info["proxy"] is True
    assert pick([["a"], ["b"]], 2).info["proxy"] is False


def test_only_eligible_rows_count():
    pool = pool_of(4)
    labels = labels_of(pool, [["a", "b", "c"], ["a"], ["b"], ["a"]])
    made = TagCoverage(budget=2).select(pool, Ask(np.array([1, 2, 3]), 2), Runtime(), tags=labels)
    assert made.order.tolist() == [1, 2]
    assert made.info["vocabulary"] == 2


def test_no_tags_at_all_are_told():
    with pytest.raises(CurationError, match="no eligible row has a tag") as caught:
        pick([[], []], 1)
    assert caught.value.hint
