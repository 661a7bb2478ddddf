"""Which rows a judge is asked about twice, and the report on it."""

from __future__ import annotations

import numpy as np
import pytest

from curation.core.artifacts import Missing, Score
from curation.core.dataset import from_pairs
from curation.models.chat.auditing import ONCE, TURNED, TWICE, audited, report_of


@pytest.fixture(scope="module")
def pool():
    return from_pairs([(f"question {i}", "word " * (1 + i % 50)) for i in range(4000)])


def test_the_share_is_met_on_average_and_half_is_in_another_order(pool):
    turns = audited(pool.contents, 0.05)
    assert turns.dtype == np.int8
    assert 150 < (turns != ONCE).sum() < 250
    assert 60 < (turns == TWICE).sum() < 140
    assert 60 < (turns == TURNED).sum() < 140
    assert not audited(pool.contents, 0).any()
    assert audited(pool.contents, 1.0).all()


def test_rows_are_chosen_by_content(pool):
    turns = audited(pool.contents, 0.2)
    rows = np.random.default_rng(0).permutation(len(pool))[:1000]
    np.testing.assert_array_equal(audited(pool.take(rows).contents, 0.2), turns[rows])
    twins = from_pairs([("q", "a"), ("x", "y"), ("q", "a")])
    assert audited(twins.contents, 0.5)[0] == audited(twins.contents, 0.5)[2]
    assert (audited(pool.contents, 0.2, seed=1) != turns).any()
    smaller = audited(pool.contents, 0.1)
    assert ((smaller != ONCE) <= (turns != ONCE)).all()  # a larger share keeps the rows of a smaller one


def test_a_report_reads_the_columns_of_a_score(pool):
    rng = np.random.default_rng(0)
    n = len(pool)
    first = rng.integers(0, 11, n) / 2
    turns = audited(pool.contents, 0.2)
    again = np.where(turns == TWICE, first, np.nan)
    swapped = np.where(turns == TURNED, first - 1.0, np.nan)
    columns = {"again": again, "swapped": swapped, "kind": first * 2, "kind (again)": again * 2 + 1}
    score = Score(pool.fingerprint, first, Missing.none(n), "s", True, columns, {"step": 0.5})
    report = report_of(score, pool)
    assert report.step == 0.5
    assert report.again.rows == (turns == TWICE).sum()
    assert report.again.exact.value == 1.0
    assert report.swapped.within.value == 0.0
    assert report.position.value == pytest.approx(-1.0)
    assert report.position.excludes(0)
    one = report_of(score, pool, column="kind")
    assert one.again.shift.value == pytest.approx(1.0)
    assert one.again.within.value == 1.0
    assert one.swapped.rows == 0
    with pytest.raises(KeyError):
        report_of(score, pool, column="none")


def test_a_score_without_an_audit_still_has_a_length_bias(pool):
    lengths = pool.lengths("response").astype(float)
    score = Score(pool.fingerprint, np.log2(lengths), Missing.none(len(pool)), "s", True)
    report = report_of(score, pool)
    assert report.again.rows == report.swapped.rows == 0
    assert np.isnan(report.position.value)
    assert report.length_rho.value == pytest.approx(1.0)
    assert report.length_slope.value == pytest.approx(1.0)
