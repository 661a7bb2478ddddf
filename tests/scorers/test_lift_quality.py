"""LIFT's judge: a total on the first line, read as it is, missing where there is none."""

from __future__ import annotations

import json

import numpy as np
import pytest

from curation.core.dataset import from_pairs
from curation.core.runtime import Runtime
from curation.core.spending import Meter
from curation.models.chat.judging import CUT
from curation.models.chat.types import Reply, Unparsed
from curation.scorers.lift_quality import LiftQuality

PAIRS = [(f"Question {i} about rivers?", f"Answer {i}: water flows." if i != 5 else "") for i in range(12)]


def kept(tmp_path):
    return Runtime(replies=tmp_path / "replies.sqlite", meter=Meter())


@pytest.fixture
def server(tmp_path, loopback):
    known = {answer: f"{50 + i}\nClarity 10." for i, (_, answer) in enumerate(PAIRS) if answer}
    known[PAIRS[2][1]], known[PAIRS[3][1]], known[PAIRS[4][1]] = "n/a", "Total: 87/100", "130"
    path = tmp_path / "planted.json"
    path.write_text(json.dumps(known))
    return loopback(judge="planted", planted=str(path), faults=[{"fault": "context", "match": "Answer 7:"}])


def test_totals_are_read_and_what_says_none_is_missing(server, tmp_path):
    made = LiftQuality(audit=0).resolve(Runtime()).score(from_pairs(PAIRS), kept(tmp_path))
    expected = 50.0 + np.arange(12)
    expected[3] = 87
    expected[[2, 4, 5, 7]] = np.nan
    np.testing.assert_array_equal(made.values, expected)
    assert made.missing.reason(2) == "the reply is no score"
    assert made.missing.reason(4) == "the score is beyond the scale"
    assert made.missing.reason(5) == "no response to judge"
    assert made.columns["explanation"][0] == "50\nClarity 10."
    assert server.stats()["calls"] == 9 + 2 * 2 + 1 - 1  # two rows are asked about again, row 7 is refused once


def test_repo_gives_0_to_what_the_judge_did_not_say_and_nothing_to_what_it_was_not_asked(server, tmp_path):
    made = LiftQuality(audit=0, compat="repo").resolve(Runtime()).score(from_pairs(PAIRS), kept(tmp_path))
    assert made.values[[2, 7]].tolist() == [0, 0]
    assert made.values[4] == 130
    assert np.isnan(made.values[5])
    assert made.missing.counts() == {"no response to judge": 1}


def test_a_total_that_may_have_been_cut_off_is_none():
    method = LiftQuality()
    assert method.read(Reply("8", finish="length")) == Unparsed(CUT)
    assert method.read(Reply("87\nClarity 1", finish="length")) == (87,)
    assert method.read(Reply("8")) == (8,)


def test_repo_reads_no_number_beyond_all_numbers():
    assert isinstance(LiftQuality(compat="repo").read(Reply("9" * 400)), Unparsed)


def test_how_it_asks():
    method = LiftQuality()
    request = method.requests(from_pairs(PAIRS))[0][0]
    assert (request.temperature, request.top_p, request.schema, request.logprobs) == (0.5, 1.0, "", 0)
    text = request.messages[1][1]
    assert "the problem demand" in text
    assert "the code problem demand" in LiftQuality(domain="code").requests(from_pairs(PAIRS))[0][0].messages[1][1]
    assert text.index("Accuracy 33. Total 91.") < text.index(PAIRS[0][1]) < text.index("Full marks")
    assert method.requests(from_pairs(PAIRS))[5] == []


def test_replies():
    ours, repo = LiftQuality(), LiftQuality(compat="repo")
    for text in ("87", "Total: 87/100", "87\nbecause 3 reasons"):
        assert ours.read(Reply(text)) == repo.read(Reply(text)) == (87,)
    assert isinstance(ours.read(Reply("n/a")), Unparsed)
    assert repo.read(Reply("n/a")) == (0,)


def test_audited_rows_and_the_stand_in():
    pool = from_pairs([(f"q{i}", f"a{i}") for i in range(300)])
    made = LiftQuality(connection="stand-in", audit=0.5).resolve(Runtime()).score(pool, Runtime())
    assert made.values.min() < 10
    assert made.values.max() > 90
    assert made.info["weak"] is True
    assert made.info["audit"]["again"]["rows"] + made.info["audit"]["swapped"]["rows"] > 100
    assert set(made.columns) == {"explanation", "again", "swapped", "second_explanation"}
