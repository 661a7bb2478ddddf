"""Budgets in rows, percent and tokens mean the same picks, and going there and back changes nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.core.method import resolve_count
from curation.ui.select_budget import Budgets

TOKENS = np.array([5.0, 0.0, 7.0, 1.0, 3.0, 2.0])
ORDER = np.array([2, 1, 4, 0])


def test_tokens_are_never_exceeded_but_by_the_first_pick():
    budgets = Budgets.of(ORDER, TOKENS)  # spent: 7, 7, 10, 15
    assert [budgets.rows(v, "tokens") for v in (0, 6, 7, 9.9, 10, 14, 15, 99)] == [1, 1, 2, 2, 3, 3, 4, 4]


@given(st.integers(1, 100))
def test_percent_rounds_as_the_engine_does(percent):
    budgets = Budgets.of(np.arange(77), np.ones(77))
    assert budgets.rows(percent, "percent") == resolve_count(f"{percent}%", 77)


@pytest.mark.parametrize("unit", ["rows", "percent"])
@given(rows=st.integers(1, 300))
def test_there_and_back(unit, rows):
    budgets = Budgets.of(np.arange(300), np.full(300, 2.5))
    assert budgets.rows(round(budgets.value(rows, unit), 2), unit) == rows


@given(st.lists(st.floats(0.1, 50), min_size=1, max_size=40))
def test_the_tokens_of_some_rows_buy_these_rows(tokens):
    budgets = Budgets.of(np.arange(len(tokens)), np.array(tokens))
    for rows in range(1, len(tokens) + 1):
        assert budgets.rows(budgets.value(rows, "tokens"), "tokens") >= rows
