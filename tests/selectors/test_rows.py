"""Rows by number: the text for a set of rows, and what is picked."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from curation.core.dataset import from_pairs
from curation.core.errors import CurationError
from curation.core.method import Ask
from curation.core.runtime import Runtime
from curation.selectors.rows import Rows, format_rows, parse_rows

POOL = from_pairs([(f"q{i}", f"a{i}") for i in range(6)])


@given(st.sets(st.integers(0, 10_000), min_size=1, max_size=60))
def test_text_and_rows_are_the_same_thing(rows):
    assert parse_rows(format_rows(np.array(sorted(rows)))).tolist() == sorted(rows)


def test_runs_become_ranges():
    assert format_rows(np.array([7, 3, 4, 5, 9, 3])) == "3-5,7,9"
    assert parse_rows("4, 1-2,4").tolist() == [4, 1, 2]


@pytest.mark.parametrize("text", ["", "a", "3-", "5-2", "-1", "1,,2", "1.5"])
def test_what_is_no_row_is_refused_by_name(text):
    with pytest.raises(ValidationError, match="rows"):
        Rows(rows=text)


def test_named_rows_in_their_order_and_a_reason_for_the_others():
    made = Rows(rows="4,0-1").select(POOL, Ask(np.array([0, 2, 4, 5])), Runtime())
    assert made.order.tolist() == [4, 0]
    assert made.why(5) == "out: not named"
    assert made.why(4) == "in: pick 1 of 2"


def test_a_row_beyond_the_end_is_an_error():
    with pytest.raises(CurationError, match="no row 6"):
        Rows(rows="6").select(POOL, Ask(np.arange(6)), Runtime())
    with pytest.raises(CurationError, match="eligible"):
        Rows(rows="3").select(POOL, Ask(np.array([0])), Runtime())
