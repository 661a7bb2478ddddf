"""Families: what is read from replies, and how a family grows."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from curation.generators._evolving import (
    CUT,
    EMPTY,
    NONE_LEFT,
    REFUSED,
    SAME,
    SEVERAL,
    SORRY,
    Family,
    evolved,
    family_of,
    operators_in_turn,
    pretended_scores,
    ranked,
)
from curation.models.chat.types import Answer, Reply, Request, Unparsed


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        ("[1] Score: 1\n[2] Score: 3\n[3] Score: 6", (1, 3, 6)),
        ("[3] Score: 6\n[1] Score: 1\n[2] Score: 3", (1, 3, 6)),
        ("Here you are:\n\n[1] score 1\n[2] score = 3\n[3]: 6/6\n\nI hope this helps.", (1, 3, 6)),
        ("**[1]** Score: **1**\n- [2] 3\n* [3] Score: 6.", (1, 3, 6)),
        ("[1] Score: 1 because it is short\n[2] Score: 3 (fair)\n[3] Score: 6, long", (1, 3, 6)),
        ("1. 1\n2. 3\n3. 6", (1, 3, 6)),
        ("1: 1\n2: Score: 3\nPrompt 3: 6", (1, 3, 6)),
        ("[Prompt 1] Score: 1\n[Prompt 2] Score: 3\n[Prompt 3] Score: 6", (1, 3, 6)),
        ("[1] Score: 1.5\n[2] Score: 3\n[3] Score: 6", (1.5, 3, 6)),
        ("[1] Score: 1\n[1] Score: 1\n[2] Score: 3\n[3] Score: 6", (1, 3, 6)),
        ("<think>[1] Score: 5</think>[1] Score: 1\n[2] Score: 3\n[3] Score: 6", (1, 3, 6)),
        ("[1] Score: 1\n[2] Score: 3", "not every variant has a score"),
        ("", "not every variant has a score"),
        ("They are all fine: 2024 was good, 12 3.", "not every variant has a score"),
        ("[1] Score: 1\n[2] Score: 3\n[3] Score: 6\n[4] Score: 2", "it scores a variant that was not shown"),
        ("[0] Score: 1\n[1] Score: 3\n[2] Score: 6", "it scores a variant that was not shown"),
        ("[1] Score: 1\n[2] Score: 3\n[3] Score: 7", "a score is beyond 1 to 6"),
        ("[1] Score: 0\n[2] Score: 3\n[3] Score: 6", "a score is beyond 1 to 6"),
        ("[1] Score: 1\n[2] Score: 3\n[3] Score: 6\n[3] Score: 2", "it scores a variant twice"),
        ("[1] Score: -1\n[2] Score: 3\n[3] Score: 6", "not every variant has a score"),
        ("[1] Score: 1e1\n[2] Score: 3\n[3] Score: 6", "not every variant has a score"),
        ("[1] Score: ١\n[2] Score: 3\n[3] Score: 6", "not every variant has a score"),
    ],
)
def test_scores_of_siblings(reply, found):
    expected = Unparsed(found) if isinstance(found, str) else found
    assert ranked(reply, 3) == expected


def test_a_reply_that_repeats_marks_without_end_is_read_at_once():
    marks = "[1]" + " *-" * 30_000  # quadratic, it took minutes
    assert ranked(f"{marks}\n[1] Score: 1", 1) == (1,)


@pytest.mark.parametrize("count", [1, 2, 6, 12])
def test_what_the_stand_in_says_of_siblings_is_readable(count):
    scores = ranked(pretended_scores(["x" * (count - i) for i in range(count)]), count)
    assert list(scores) == sorted(scores, reverse=True)
    assert {*scores} <= {1, 2, 3, 4, 5}


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        (Reply("<new>\nWhat is a long river?\n</new>"), "What is a long river?"),
        (Reply("Sure! <NEW>What is x < y?</NEW> Done."), "What is x < y?"),
        (Reply("  What is a long river?  "), "What is a long river?"),
        (Reply("<new>open", finish="length"), Unparsed(CUT)),
        (Reply("<new>whole</new> and then", finish="length"), "whole"),
        (Reply("<new> </new>"), Unparsed(EMPTY)),
        (Reply("<new>A sea?</new>\n<new>A lake?</new>"), Unparsed(SEVERAL)),
        (Reply("Between <new> and </new>: <new>A sea?</new>"), Unparsed(SEVERAL)),
        (Reply(""), Unparsed(EMPTY)),
        (Reply("<new>what  is a RIVER?</new>"), Unparsed(SAME)),
        (Reply("I'm sorry, but I cannot do that."), Unparsed(SORRY)),
        (Reply("Sorry, no."), Unparsed(SORRY)),
        (Reply("As an AI, I have no river."), Unparsed(SORRY)),
        (Reply("<new>Is a sorry river a river?</new>"), "Is a sorry river a river?"),
        (Reply("Sorry to ask. " + "What is a river? " * 30), ("Sorry to ask. " + "What is a river? " * 30).strip()),
        (Reply("", refusal="no"), Unparsed(REFUSED)),
        (Reply("half", finish="content_filter"), Unparsed(REFUSED)),
    ],
)
def test_an_evolution_or_why_there_is_none(reply, found):
    assert evolved(reply, "What is a river?") == found


def test_tags_that_the_parent_has_may_stay():
    reply = Reply("<new>What does <new> mean in C# today?</new>")
    assert evolved(reply, "What does <new> mean in C#?") == "What does <new> mean in C# today?"


def test_operators_come_once_before_one_comes_again():
    names = ("a", "b", "c", "d")
    seen = set()
    for i in range(50):
        made = operators_in_turn(names, 6, 0, bytes([i] * 16))
        assert sorted(made[:4]) == list(names)
        assert len(set(made[4:])) == 2
        assert made == operators_in_turn(names, 6, 0, bytes([i] * 16))
        seen.add(tuple(made))
    assert len(seen) > 20
    assert operators_in_turn(names, 6, 1, bytes(16)) != operators_in_turn(names, 6, 0, bytes(16))


# ---------------------------------------------------------------------- growing


def grow(answer, steps=5, **more):
    """A family of "x" whose model is a function of the request's text."""
    asked = []

    async def say(request):
        asked.append(request)
        made = answer(request.messages[0][1])
        return made if isinstance(made, Answer) else Answer(Reply(made))

    def write(text, operator):
        return Request((("user", f"evolve {operator} {text}"),))

    def rank(texts):
        return Request((("user", "rank " + "|".join(texts)),))

    operators = [f"o{i}" for i in range(steps)]
    family = asyncio.run(family_of("x", operators, write, rank, say, seed=0, content=b"0" * 16, **more))
    return family, asked


def by_rule(text):
    """Every evolution adds a sign, and a text's score is its length."""
    if text.startswith("evolve"):
        return text.rpartition(" ")[2] + "+"
    return "\n".join(f"[{k}] Score: {len(t)}" for k, t in enumerate(text[5:].split("|"), 1))


def test_a_judge_that_knows_gives_every_variant_its_score_whatever_the_order_shown():
    family, asked = grow(by_rule)
    assert [v.text for v in family.variants] == ["x" + "+" * k for k in range(6)]
    assert [v.step for v in family.variants] == list(range(6))
    assert [v.operator for v in family.variants] == ["original", "o0", "o1", "o2", "o3", "o4"]
    assert family.scores == (1, 2, 3, 4, 5, 6)
    shown = asked[-1].messages[0][1][5:].split("|")
    assert sorted(family.shown) == [1, 2, 3, 4, 5, 6]
    assert [shown[place - 1] for place in family.shown] == [v.text for v in family.variants]
    assert list(family.shown) != [1, 2, 3, 4, 5, 6]
    assert len(asked) == 6


def test_evolutions_that_fail_are_dropped_and_the_next_goes_on_from_the_last_good_one():
    def sometimes(text):
        if text.startswith("evolve o1"):
            return "I'm sorry, I cannot."
        if text.startswith("evolve o2"):
            return text.rpartition(" ")[2]
        if text.startswith("evolve o3"):
            return Answer(None, "server error 500")
        return by_rule(text)

    family, asked = grow(sometimes)
    assert [v.text for v in family.variants] == ["x", "x+", "x++"]
    assert [v.step for v in family.variants] == [0, 1, 5]
    assert family.scores == (1, 2, 3)
    assert dict(family.dropped) == {SORRY: 1, SAME: 1, "server error 500": 1}
    assert len(asked[-1].messages[0][1].split("|")) == 3  # as many places as variants


def test_a_family_without_variants_or_scores_says_why():
    family, asked = grow(lambda text: "Sorry.")
    assert family.reason == SORRY
    assert not family.scores
    assert all("rank" not in r.messages[0][1] for r in asked)
    replies = iter(["", "", "Sorry.", "Sorry."])
    assert grow(lambda text: next(replies), steps=2)[0].reason == NONE_LEFT
    family, asked = grow(lambda text: by_rule(text) if text.startswith("evolve") else "[1] Score: 3")
    assert family.reason == "not every variant has a score"
    assert len(family.variants) == 6
    ranks = [r.messages[0][1] for r in asked if r.messages[0][1].startswith("rank")]
    assert len(ranks) == len(set(ranks)) == 2  # asked once more, in another order


def test_scores_that_come_on_the_second_asking_belong_to_its_order():
    tried = []

    def late(text):
        if text.startswith("rank"):
            tried.append(text)
        return "no" if len(tried) == 1 and text.startswith("rank") else by_rule(text)

    assert grow(late)[0].scores == (1, 2, 3, 4, 5, 6)


def test_an_evolution_that_an_earlier_sibling_had_is_dropped():
    turns = iter(["xx", "x y", "xx", "x z"])
    family, _ = grow(lambda text: next(turns) if text.startswith("evolve") else by_rule(text), steps=4)
    assert [v.text for v in family.variants] == ["x", "xx", "x y", "x z"]
    assert dict(family.dropped) == {"identical to a sibling": 1}
    assert isinstance(family, Family)


def test_the_order_shown_differs_between_rows_and_favours_no_place():
    orders = []

    def remember(text):
        if text.startswith("rank"):
            orders.append([len(t) for t in text[5:].split("|")])
        return by_rule(text)

    async def say(request):
        return Answer(Reply(remember(request.messages[0][1])))

    for k in range(60):
        grown = family_of(
            "x",
            ["a"] * 5,
            lambda text, operator: Request((("user", f"evolve {operator} {text}"),)),
            lambda texts: Request((("user", "rank " + "|".join(texts)),)),
            say,
            seed=0,
            content=bytes([k] * 16),
        )
        assert asyncio.run(grown).scores == (1, 2, 3, 4, 5, 6)
    assert np.abs(np.mean(orders, axis=0) - 3.5).max() < 0.9
