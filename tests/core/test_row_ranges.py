"""Rows as text: ranges, limits, and the digest of the ids of rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.core.dataset import from_pairs
from curation.core.row_ranges import format_rows, parse_ranges, parse_rows, ranges_of, rows_digest, rows_in


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 9)), min_size=1, max_size=12))
def test_ranges_are_read_as_a_loop_would(parts):
    text = " , ".join(f"{a} - {a + more}" if more else str(a) for a, more in parts)
    naive = list(dict.fromkeys(row for a, more in parts for row in range(a, a + more + 1)))
    assert parse_rows(text).tolist() == naive
    assert parse_rows(format_rows(np.array(naive))).tolist() == sorted(naive)


def test_half_a_million_ranges_and_back():
    rows = np.arange(1_000_000).reshape(-1, 4)[:, :2].ravel()  # 0-1, 4-5, 8-9, ...
    text = format_rows(rows)
    np.testing.assert_array_equal(parse_rows(text), rows)
    starts, ends = parse_ranges(text)
    assert len(starts) == 250_000
    assert (ends - starts == 1).all()


@pytest.mark.parametrize("text", ["0-999999999999", "9" * 30, "1-" + "9" * 5000, "0-60000000,0-60000000"])
def test_a_few_letters_do_not_fill_the_memory(text):
    with pytest.raises(ValueError, match=r"more than|neither"):
        parse_rows(text)


def test_no_rows_at_all():
    assert rows_in("  ").tolist() == []
    assert format_rows(np.empty(0)) == ""
    with pytest.raises(ValueError, match="neither"):
        parse_rows("")


def test_a_digest_is_of_the_ids_whatever_the_order():
    pool = from_pairs([("a", "b"), ("c", "d"), ("a", "b"), ("e", "f")])
    assert rows_digest(pool, np.array([0, 3])) == rows_digest(pool, np.array([3, 0, 0]))
    assert rows_digest(pool, np.array([0])) != rows_digest(pool, np.array([2]))  # equal rows have copy numbers
    other = from_pairs([("x", "y"), ("e", "f"), *((f"z{i}", "") for i in range(20))])
    assert rows_digest(other, np.array([1])) == rows_digest(pool, np.array([3]))  # few of many rows, or most of few


def test_runs_of_rows():
    starts, ends = ranges_of(np.array([5, 3, 4, 9, 3]))
    assert (starts.tolist(), ends.tolist()) == ([3, 9], [5, 9])
    assert [r.tolist() for r in ranges_of(np.empty(0, np.int64))] == [[], []]
