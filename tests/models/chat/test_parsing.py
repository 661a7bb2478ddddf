"""Replies of judges: the table of the specification, hostile replies, and the released parsers with their quirks."""

from __future__ import annotations

import math

import pytest

from curation.models.chat.parsing import (
    NO_PROBABILITIES,
    NOT_FIRST,
    TOO_LITTLE,
    Scale,
    chatgpt_rating_repo,
    expected_score,
    get_scores_repo,
    json_object,
    score_in,
    scores_in,
    total_in,
    total_repo,
)
from curation.models.chat.types import Unparsed

NONE = None  # unparsable
TABLE = [  # reply, get_scores.py, chatgpt_rating.py and filter.py, ours
    ("4.5\nIt is right.", 4.5, 4.5, 4.5),
    (" 4.5 ", 4.5, 4.5, 4.5),
    ("4.5/5", -1, -1, 4.5),
    ("Score: 4.5", -1, ValueError, 4.5),
    ("Score:4.5", -1, 4.0, 4.5),
    ("score: 4.5", -1, 4.5, 4.5),
    ("\n4.5", -1, -1, 4.5),
    ("nan", math.nan, math.nan, NONE),
    ("inf", math.inf, math.inf, NONE),
    ("4_5", 45.0, 45.0, NONE),
    ("1e1", 10.0, 10.0, NONE),
    ("٤", 4.0, 4.0, NONE),
]


def same(found, expected):
    if expected is NONE:
        return isinstance(found, Unparsed) and bool(found.reason)
    return found == expected or (found != found and expected != expected)


@pytest.mark.parametrize(("reply", "scores", "rating", "ours"), TABLE)
def test_the_table_of_the_specification(reply, scores, rating, ours):
    assert same(get_scores_repo(reply), scores)
    if rating is ValueError:
        with pytest.raises(ValueError, match="could not convert"):
            chatgpt_rating_repo(reply)
    else:
        assert same(chatgpt_rating_repo(reply), rating)
    assert same(score_in(reply), ours)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("4", 4),
        ("0", 0),
        ("5.0", 5),
        ("4.", 4),
        ("4,", 4),
        ("**4.5**", 4.5),
        ("# Score: 4", 4),
        ("**Score:** 4.5 / 5", 4.5),
        ("`3`", 3),
        ("4.5 out of 5", 4.5),
        ("5/5", 5),
        ("0/5.0", 0),
        ("Score (0-5): 3.5", 3.5),
        ("Rating - 3", 3),
        ("Rating-3", 3),
        ("SCORE = 2", 2),
        ("Accuracy score: 4.5.", 4.5),
        ("I would give this a score of 4.", 4),
        ("  \n\t\n3\nBecause of 2 errors.", 3),
        ("4\r\nfine", 4),
        ("<think>Perhaps 2? No, 5.</think>\n4\nGood.", 4),
        ("Here is my judgement.\nScore: 4.5", 4.5),
        ("Based on 3 criteria and 2 examples, I say:\nRating: 4/5\nIt is good.", 4),
        ("The rating is 3 out of 5 because it is short", 3),
        ("Score: 4\nScore: 4", 4),
        ("Rating: 4 because the answer is complete", 4),
    ],
)
def test_what_is_one_number(reply, expected):
    assert score_in(reply) == expected


@pytest.mark.parametrize(
    "reply",
    [
        "", " \n \n", "good", "5.5", "6", "-1", "Score: -1", "Score -1", "4 5", "4 or 5", "Score: 4 or 5", "4-5", "4,5",
        "4.5/10", "Score: 4/10", "Score: 9", "Score: 4_5", "Score: 1e1", "Score: nan", "score: 4.5.6", "NaN",
        "infinity", "Well.\nScore: 4\nScore: 2", "underscore: 4", "4 stars", "0x4", "٤٫٥", "４", "²", "½", "Ⅳ", "४",
        "five", "True", "[4]", "<think>It is a 4", f"{'so ' * 70}score: 4", "Score:", "9" * 400, "Score: 4/5/5",
    ],
)  # fmt: skip
def test_what_is_none_has_a_reason(reply):
    found = score_in(reply)
    assert isinstance(found, Unparsed)
    assert found.reason


def test_digits_of_other_scripts_when_asked_for():
    for reply, expected in [("٤", 4), ("٤٫٥", 4.5), ("४", 4), ("４．５", 4.5), ("Score: ٣", 3)]:
        assert score_in(reply, digits="any") == expected
    for reply in ("²", "½", "Ⅳ", "٦"):
        assert isinstance(score_in(reply, digits="any"), Unparsed)


def test_other_scales_and_labels():
    assert score_in("87/100", 0, 100) == 87
    assert score_in("Score (1 to 10): 7", 1, 10) == 7
    assert score_in("0", 1, 10) == Unparsed("the score is beyond the scale")
    assert score_in("7/5", 1, 10) != 7
    assert isinstance(score_in("Accuracy: 4"), Unparsed)
    assert score_in("Accuracy: 4", labels=("score", "accuracy")) == 4


def test_a_label_must_begin_in_the_first_200_characters():
    text = "x" * 150 + " \nscore: 4.5"
    assert score_in(text) == 4.5
    assert isinstance(score_in("x" * 250 + " \nscore: 4.5"), Unparsed)
    assert score_in("y" * 190 + "\nscore: 4.5") == 4.5  # begins at 198 and is not cut to 4
    assert isinstance(score_in("y" * 192 + "\nscore: 4.5"), Unparsed)


@pytest.mark.parametrize(
    "reply", ["a " * 100_000, "score " * 50_000, "9." * 100_000, "{" * 100_000, "*" * 200_000 + "4"]
)
def test_hostile_replies_end_soon(reply):
    for found in (score_in(reply), total_in(reply), scores_in(reply, [Scale("clarity", 0, 5)])):
        assert isinstance(found, Unparsed)


def test_the_released_fallback_fails_where_nothing_follows():
    with pytest.raises(IndexError):
        chatgpt_rating_repo("Score:")
    assert get_scores_repo("Score:") == -1


@pytest.mark.parametrize(
    ("reply", "ours", "repo"),
    [
        ("87", 87, 87),
        ("Total: 87/100", 87, 87),
        ("87\nbecause 3 reasons", 87, 87),
        ("n/a", NONE, 0),
        ("", NONE, 0),
        ("\n87", 87, 0),
        ("**Total:** 87", 87, 87),
        ("Total (0-100): 87", 87, 0),
        ("Clarity 13, difficulty 20, total 80", 80, 13),
        ("87.5", 87.5, 87),
        ("870", NONE, 870),
        ("-3", NONE, 3),
        ("4_5", NONE, 4),
        ("1e1", NONE, 1),
        ("٨٧", NONE, 0),
        ("100", 100, 100),
        ("0", 0, 0),
        ("On a scale from 0 to 100: 87", 87, 0),
        ("Out of 100 I give 87.", 87, 100),
        ("Total score out of 100: 87", 87, 100),
        ("100 out of 100", 100, 100),
        ("Total: 13 + 20 + 24 + 30 = 87", 87, 13),
        ("13+20+24+30=87", 87, 13),
        ("13 + 20 + 24 + 30", NONE, 13),
        ("Overall, 3 criteria are met. Total: 80", 80, 3),
        ("Overall 80", 80, 80),
        ("Clarity: 13/15", NONE, 13),
        ("Clarity 13, difficulty 20", NONE, 13),
        ("13/15", NONE, 13),
        ("87 / 100", 87, 87),
    ],
)
def test_totals_of_lift(reply, ours, repo):
    assert same(total_in(reply), ours)
    assert total_repo(reply) == repo


SCALES = [Scale("clarity", 0, 5), Scale("Helpful tone", 1, 10)]


@pytest.mark.parametrize(
    "reply",
    [
        '{"clarity": 4, "Helpful tone": 7}',
        'Sure!\n```json\n{"explanation": "a {b} 5", "clarity": 4, "Helpful tone": 7.0}\n```\nDone.',
        '{"Clarity": "4/5", "helpful tone": "7"}',
        '{"scores": {"clarity": 4, "Helpful tone": 7}, "explanation": "x"}',
        '{"clarity": {"score": 4, "why": "x"}, "Helpful tone": {"score": 7}}',
        '{not json} {"clarity": 4, "Helpful tone": 7}',
        'It says {"clarity": 5}, and I say {"clarity": 4, "Helpful tone": 7}, yes: {"clarity": 4, "Helpful tone": 7.0}',
        "Clarity: 4\nHelpful tone: 7/10",
        "Here you are:\n- **Clarity**: 4/5\n2. **Helpful tone** - 7\nGood.",
        '<think>{"clarity": 1, "Helpful tone": 1}</think>{"clarity": 4, "Helpful tone": 7}',
    ],
)
def test_several_scores(reply):
    assert scores_in(reply, SCALES) == (4.0, 7.0)


@pytest.mark.parametrize(
    ("reply", "word"),
    [
        ("", "empty"),
        ("nothing", "'clarity'"),
        ('{"clarity": 4}', "'Helpful tone'"),
        ('{"clarity": NaN, "Helpful tone": 7}', "'clarity'"),
        ('{"clarity": Infinity, "Helpful tone": 7}', "'clarity'"),
        ('{"clarity": 1e999, "Helpful tone": 7}', "beyond its scale"),
        ('{"clarity": true, "Helpful tone": 7}', "'clarity'"),
        ('{"clarity": null, "Helpful tone": 7}', "'clarity'"),
        ('{"clarity": [4], "Helpful tone": 7}', "'clarity'"),
        ('{"clarity": "high", "Helpful tone": 7}', "'clarity'"),
        ('{"clarity": 6, "Helpful tone": 7}', "beyond its scale"),
        ('{"clarity": 4, "Helpful tone": 0}', "'Helpful tone'"),
        ('{"clarity": 4, "clarity": 1, "Helpful tone": 7}', "no score"),
        ('{"clarity": 4, "Clarity": 1, "Helpful tone": 7}', "twice"),
        ("Clarity: 4\nClarity: 2\nHelpful tone: 7", "'clarity'"),
        ("[4, 7]", "'clarity'"),
        (f'{{"clarity": 1{"0" * 400}, "Helpful tone": 7}}', "beyond its scale"),
        ('The row says {"clarity": 5, "Helpful tone": 9}. Mine: {"clarity": 1, "Helpful tone": 2}', "several"),
        ('{"a":' * 5000, "'clarity'"),
    ],
)
def test_what_lacks_a_score_names_it(reply, word):
    found = scores_in(reply, SCALES)
    assert isinstance(found, Unparsed)
    assert word in found.reason


def test_a_criterion_may_have_any_name():
    scales = [Scale("C++ (style.*)", 0, 5), Scale("日本語", 0, 5)]
    assert scores_in("C++ (style.*): 3\n日本語: 4", scales) == (3.0, 4.0)


def test_the_first_object_is_read():
    assert json_object('x {"a": 1} {"a": 2}') == {"a": 1}
    assert isinstance(json_object("[1, 2]"), Unparsed)


# ---------------------------------------------------------------------- probabilities

SIX = {str(k): float(k) for k in range(1, 7)}


def logs(**probabilities):
    return tuple((token.strip("_"), math.log(p)) for token, p in probabilities.items())


def test_expected_scores_are_means_over_the_tokens_that_are_scores():
    equal = tuple((token, math.log(1 / 6)) for token in SIX)
    assert expected_score((equal,), SIX).value == pytest.approx(3.5)
    one = (("4", 0.0), ("1", -1e9))
    assert expected_score((one,), SIX).value == pytest.approx(4.0)
    shifted = tuple((token, math.log(p) - 0.5) for token, p in zip(SIX, [0.1, 0.1, 0.2, 0.3, 0.2, 0.1], strict=True))
    plain = tuple((token, math.log(p)) for token, p in zip(SIX, [0.1, 0.1, 0.2, 0.3, 0.2, 0.1], strict=True))
    assert expected_score((shifted,), SIX).value == pytest.approx(expected_score((plain,), SIX).value)


def test_equal_texts_add_up_and_tokens_that_say_nothing_are_passed_over():
    place = (("4", math.log(0.3)), (" 4", math.log(0.2)), ("5", math.log(0.4)), ("The", math.log(0.1)))
    blank = (("\n", math.log(0.9)), ("**", math.log(0.05)))
    found = expected_score((blank, place), SIX)
    assert found.value == pytest.approx((0.5 * 4 + 0.4 * 5) / 0.9)
    assert found.mass == pytest.approx(0.9)


def test_no_expected_score_where_the_judge_says_something_else():
    assert expected_score((), SIX) == NO_PROBABILITIES
    assert expected_score(((),), SIX) == NO_PROBABILITIES
    assert expected_score(((("The", -0.1), ("A", -3.0)),), SIX) == NOT_FIRST
    assert expected_score(((("The", math.log(0.7)), ("4", math.log(0.3))),), SIX) == TOO_LITTLE
    assert expected_score(((("4", math.nan),),), SIX) == NOT_FIRST
