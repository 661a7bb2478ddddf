"""Cuts of the Scores page are conditions of the view: one range for each column of numbers, one step for undo."""

import pytest

from curation.core.errors import CurationError
from curation.ui import view_state
from curation.ui.score_cuts import OPEN, cuts_in, set_cuts, set_groups, with_cut, with_groups
from curation.views import Among, Range, Rows, View, Words
from curation.views.conditions import MAX_VALUES
from curation.views.view import MAX_CONDITIONS

WORDS = Words(text="lake")
A, B = ("a", None), ("a", "extra")


def test_a_cut_takes_the_place_of_the_one_before_and_leaves_the_others():
    view = with_cut(View().add(WORDS), A, (1.0, None))
    view = with_cut(view, B, (None, 5.0))
    view = with_cut(view, A, (2.0, 3.0))
    assert view.conditions == (WORDS, Range(score="a", low=2.0, high=3.0), Range(score="a", column="extra", high=5.0))
    assert cuts_in(view) == {A: (2.0, 3.0), B: (None, 5.0)}


def test_open_bounds_remove_a_cut():
    view = with_cut(with_cut(View().add(WORDS), A, (1.0, None)), B, (0.0, None))
    assert with_cut(view, A, OPEN).conditions == (WORDS, Range(score="a", column="extra", low=0.0))
    assert with_cut(View(), A, OPEN) == View()


def test_several_ranges_of_a_link_are_shown_as_what_they_share_and_replaced_together():
    view = View().add(Range(score="a", low=1.0)).add(WORDS).add(Range(score="a", low=0.0, high=4.0))
    assert cuts_in(view) == {A: (1.0, 4.0)}
    assert with_cut(view, A, (2.0, None)).conditions == (Range(score="a", low=2.0), WORDS)
    apart = View().add(Range(score="a", high=1.0)).add(Range(score="a", low=2.0))
    assert cuts_in(apart) == {A: (2.0, None)}


def test_the_exact_float_survives_the_address():
    cut = 0.1 + 0.2
    assert cuts_in(View.decode(with_cut(View(), A, (cut, None)).encode())) == {A: (cut, None)}


def test_only_one_choice_of_groups_but_what_is_left_out_adds_up():
    view = with_groups(View(), "k", ["red"], "among")
    view = with_groups(view, "k", ["blue"], "among")
    assert view.conditions == (Among(labels="k", values=("blue",)),)
    view = with_groups(with_groups(View(), "k", ["red"], "others"), "k", ["blue", "red"], "others")
    assert view.conditions == (Among(labels="k", values=("red", "blue"), keep="others"),)
    assert len(with_groups(view, "other", ["x"], "others")) == 2


def test_too_many_labels_are_told_in_words():
    many = [f"topic {i}" for i in range(MAX_VALUES)]
    view = with_groups(View(), "topic", many, "others")
    assert with_groups(view, "topic", many[:3], "others") == view
    with pytest.raises(CurationError, match="labels are named"):
        with_groups(view, "topic", ["one more"], "others")
    with pytest.raises(CurationError, match="labels are named"):
        with_groups(View(), "topic", [*many, "one more"], "among")


def test_a_change_that_a_full_view_cannot_take_is_told_and_leaves_it(monkeypatch):
    full = View(conditions=tuple(Rows(rows=str(i)) for i in range(MAX_CONDITIONS)))
    told = []

    def change(dataset, make, label):
        try:
            make(full)
        except CurationError as error:
            told.append(error.message)

    monkeypatch.setattr(view_state, "change", change)
    set_cuts(None, {A: (1.0, None)}, "cut")
    set_groups(None, "topic", ["a"], "among", "pick")
    assert len(told) == 2
    assert all("at most" in said for said in told)
