"""A rubric of one's own: what is asked, how criteria become a score, and what is refused."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import yaml
from pydantic import ValidationError

from curation.core.dataset import from_pairs
from curation.core.runtime import Runtime
from curation.core.spending import Meter
from curation.models.chat.auditing import report_of
from curation.models.chat.judging import CUT
from curation.models.chat.types import Reply, Unparsed
from curation.scorers._rubric import Criterion, combine, ends
from curation.scorers.rubric import Rubric

PAIRS = [(f"Question {i} about rivers?", f"Answer {i}: water flows.") for i in range(20)]
CRITERIA = [
    {"name": "Truth", "description": "Is it so?", "weight": 3, "low": 0, "high": 10},
    {"name": "Tone", "weight": 1, "low": 1, "high": 5},
    {"name": "Noted", "weight": 0, "low": 0, "high": 1},
]


def kept(tmp_path):
    return Runtime(replies=tmp_path / "replies.sqlite", meter=Meter())


def given(i):
    return {"explanation": f"why {i}", "Truth": i % 11, "Tone": 1 + i % 5, "Noted": i % 2}


@pytest.fixture
def planted(tmp_path, loopback):
    def start(known, **script):
        path = tmp_path / "planted.json"
        path.write_text(json.dumps(known))
        return loopback(judge="planted", planted=str(path), **script)

    return start


def expected(i):
    return (3 * (i % 11) * 10 + (i % 5) * 25) / 4


@pytest.mark.parametrize("schema", ["follow", "ignore", "refuse", "object"])
def test_criteria_become_one_score_whatever_the_server_knows_of_schemas(planted, tmp_path, schema):
    known = {answer: given(i) for i, (_, answer) in enumerate(PAIRS)}
    known[PAIRS[3][1]] = "I think:\n- **Truth**: 7/10\n- Tone: 2\n- Noted: 1"
    known[PAIRS[5][1]] = {"Truth": 11, "Tone": 3, "Noted": 0}
    known[PAIRS[6][1]] = {"Truth": 3, "Noted": 0}
    planted(known, schema=schema)
    made = Rubric(criteria=CRITERIA, audit=0).resolve(Runtime()).score(from_pairs(PAIRS), kept(tmp_path))
    right = np.array([expected(i) for i in range(20)])
    right[3], right[5], right[6] = (3 * 70 + 25) / 4, np.nan, np.nan
    np.testing.assert_allclose(made.values, right)
    assert made.missing.reason(5) == "the score for 'Truth' is beyond its scale"
    assert made.missing.reason(6) == "no score for 'Tone'"
    assert list(made.columns) == ["Truth", "Tone", "Noted", "explanation"]
    assert made.columns["Truth"][10] == 10
    assert np.isnan(made.columns["Noted"][5])
    assert "why 0" in made.columns["explanation"][0]
    assert (made.info["low"], made.info["high"]) == (0, 100)


def test_audited_rows_have_a_second_score_of_every_criterion(loopback, tmp_path):
    server = loopback(judge="schema")
    pool = from_pairs(PAIRS)
    criteria = [{"name": "Truth", "low": 0, "high": 10}, {"name": "Tone", "low": 0, "high": 10}]
    method = Rubric(criteria=criteria, audit=0.6).resolve(Runtime())
    made = method.score(pool, kept(tmp_path))
    twice = np.isfinite(made.columns["again"]) | np.isfinite(made.columns["swapped"])
    assert 0 < twice.sum() < 20
    for name in ("Truth", "Tone"):
        second = np.isfinite(made.columns[f"{name} (again)"]) | np.isfinite(made.columns[f"{name} (swapped)"])
        np.testing.assert_array_equal(second, twice)
        assert report_of(made, pool, column=name).again.rows == np.isfinite(made.columns["again"]).sum()
    assert server.stats()["calls"] == 20 + twice.sum() == sum(map(len, method.requests(pool)))
    runtime = kept(tmp_path)
    method.score(pool, runtime)
    assert runtime.meter.calls == 0
    method.model_copy(update={"instructions": "Rows are about rivers."}).score(pool, runtime)
    assert runtime.meter.calls == 20 + twice.sum()


# ---------------------------------------------------------------------- one score


def test_how_criteria_are_combined():
    criteria = [Criterion(**one) for one in CRITERIA]
    scores = np.array([[10, 5, 0], [0, 1, 1], [5, 5, 0], [np.nan, 5, 1], [5, 3, np.nan]])
    np.testing.assert_allclose(combine(scores, criteria, "weighted mean"), [100, 0, 62.5, np.nan, 50])
    np.testing.assert_allclose(combine(scores, criteria, "min"), [100, 0, 50, np.nan, 50])
    np.testing.assert_allclose(combine(scores, criteria, "sum"), [35, 1, 20, np.nan, 18])
    assert ends(criteria, "weighted mean") == (0, 100, pytest.approx(7.5))
    assert ends(criteria, "min") == (0, 100, 25)
    assert ends(criteria, "sum") == (1, 35, 3)


def test_better_grades_never_make_a_worse_score():
    rng = np.random.default_rng(0)
    criteria = [
        Criterion(name=f"c{i}", low=-1, high=float(rng.integers(2, 9)), weight=float(rng.random())) for i in range(5)
    ]
    low = rng.uniform(-1, 1, (50, 5))
    high = low + rng.uniform(0, 1, (50, 5))
    for aggregate in ("weighted mean", "sum", "min"):
        assert (combine(high, criteria, aggregate) >= combine(low, criteria, aggregate) - 1e-9).all()


# ---------------------------------------------------------------------- what is asked


def test_the_judge_is_told_criteria_scales_examples_and_the_form():
    example = {"text": "Q: 1+1?\nA: 2", "scores": {"truth": 10, "Tone": 3, "Noted": 0}, "why": "It is\n2."}
    method = Rubric(criteria=CRITERIA, examples=[example], instructions="Rows teach arithmetic.")
    request = method.requests(from_pairs(PAIRS))[0][0]
    text = request.messages[1][1]
    assert "- Truth, from 0 to 10: Is it so?" in text
    assert "- Tone, from 1 to 5\n" in text
    assert "Rows teach arithmetic." in text
    assert "This row was graded Truth 10, Tone 3, Noted 0, because: It is 2." in text
    assert text.index("1+1") < text.index("This is the row to grade") < text.index(PAIRS[0][1])
    mark = re.search(r"\[(\w{8}) response\]", text)[1]
    assert text.rstrip().splitlines()[-1].startswith(f"Grade the row with the mark {mark}")
    schema = json.loads(request.schema)
    assert list(schema["properties"]) == ["explanation", "Truth", "Tone", "Noted"]
    assert schema["required"] == list(schema["properties"])
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize(
    ("reasons", "keys"),
    [("before", ["explanation", "A", "B"]), ("after", ["A", "B", "explanation"]), ("none", ["A", "B"])],
)
def test_reasons_come_before_or_after_or_not_at_all(reasons, keys):
    method = Rubric(criteria=[{"name": "A"}, {"name": "B"}], reasons=reasons)
    request = method.requests(from_pairs(PAIRS))[0][0]
    assert list(json.loads(request.schema)["properties"]) == keys
    places = [request.messages[1][1].index(f'"{key}": ') for key in keys]
    assert places == sorted(places)
    assert list(json.loads(request.pretend)) == keys
    assert len(method.read(Reply(request.pretend))) == 2


def test_what_the_stand_in_says_can_be_read_for_any_scale():
    criteria = [{"name": "odd", "low": 0.5, "high": 0.75}, {"name": "below", "low": -3, "high": -1}]
    pool = from_pairs([(f"q{i}", f"a{i}") for i in range(100)])
    made = Rubric(criteria=criteria, connection="stand-in").resolve(Runtime()).score(pool, Runtime())
    assert set(made.columns["below"]) == {-3, -2, -1}
    assert set(made.columns["odd"]) == {0.5, 0.75}
    assert made.info["weak"] is True


def test_a_reply_that_lacks_a_criterion_says_which():
    method = Rubric(criteria=CRITERIA)
    assert method.read(Reply('{"Truth": 1, "Tone": 2}')) == Unparsed("no score for 'Noted'")


def test_a_reply_cut_off_within_a_number_is_none():
    method = Rubric(criteria=(Criterion(name="Truth", low=1, high=10), Criterion(name="Tone", low=1, high=10)))
    assert method.read(Reply('{\n"Truth": 7,\n"Tone": 1', finish="length")) == Unparsed(CUT)
    assert method.read(Reply('{\n"Truth": 7,\n"Tone": 1\n', finish="length")) == (7, 1)


# ---------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"criteria": []}, ["criteria"]),
        ({"criteria": [{"name": "A", "low": 5, "high": 5}]}, ["'A'", "low must be less"]),
        ({"criteria": [{"name": "A", "weight": -1}]}, ["'A'", "weight"]),
        ({"criteria": [{"name": "A"}, {"name": "a"}]}, ["'a'", "twice"]),
        ({"criteria": [{"name": "A", "weight": 0}]}, ["weight of every criterion is 0"]),
        ({"criteria": [{"name": ""}]}, ["a name has letters"]),
        ({"criteria": [{"name": 'say "x"'}]}, ["quotation marks"]),
        ({"criteria": [{"name": "two\nlines"}]}, ["line breaks"]),
        ({"criteria": [{"name": "Explanation"}]}, ["'Explanation'", "taken"]),
        ({"criteria": [{"name": "A (again)"}]}, ["taken"]),
        ({"criteria": [{"name": "A", "wieght": 1}]}, ["wieght"]),
        ({"criteria": [{"name": "A", "high": float("nan")}]}, ["high"]),
        ({"criteria": [{"name": "A"}], "examples": [{"text": "x", "scores": {}}]}, ["example 1", "'A'"]),
        ({"criteria": [{"name": "A"}], "examples": [{"text": "x", "scores": {"A": 9}}]}, ["'A'", "1 to 5"]),
        ({"criteria": [{"name": "A"}], "examples": [{"text": "x", "scores": {"A": 3, "B": 1}}]}, ["'B'", "is no"]),
    ],
)  # fmt: skip
def test_an_error_names_the_criterion(fields, words):
    with pytest.raises(ValidationError) as caught:
        Rubric(**fields)
    for word in words:
        assert word in str(caught.value)


def test_a_rubric_is_yaml_that_comes_back_the_same_and_is_part_of_the_key():
    method = Rubric(criteria=CRITERIA, examples=[{"text": "x", "scores": {"Truth": 1, "Tone": 2, "Noted": 0}}])
    text = yaml.safe_dump(method.model_dump(mode="json"), allow_unicode=True)
    assert Rubric(**yaml.safe_load(text)) == method
    other = [{**CRITERIA[0], "description": "Is it?"}, *CRITERIA[1:]]
    assert method.key_parameters() != Rubric(**{**method.model_dump(), "criteria": other}).key_parameters()
