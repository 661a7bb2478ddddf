"""Evol-Complexity: families of questions, scored beside each other."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from curation.core.dataset import from_pairs, in_memory
from curation.core.errors import CurationError
from curation.core.row import Row
from curation.core.runtime import Runtime
from curation.generators.evol_complexity import EvolComplexity
from curation.models.chat import stand_in
from curation.models.chat.types import Reply
from curation.scorers.column import Column

POOL = from_pairs([(f"What is river {i}?", f"Water {i}.") for i in range(8)])


@pytest.fixture
def rule(monkeypatch):
    """A model whose versions have one "!" more, and which scores a version by its number of them; keeps requests."""
    asked = []

    def answer(request):
        asked.append(request)
        text = request.messages[1][1]
        shown = re.findall(r"\[(\w{8}) prompt(?: \d+)?\]\n(.*?)\n\[\1 end of", text, re.DOTALL)
        if len(shown) == 1 and "Write a harder version" in text:
            return Reply(f"<new>{shown[0][1]}!</new>")
        return Reply("\n".join(f"[{k}] Score: {1 + t.count('!')}" for k, (_, t) in enumerate(shown, 1)))

    monkeypatch.setattr(stand_in, "pretended", answer)
    return asked


def make(pool, **fields):
    return EvolComplexity(**fields).resolve(Runtime()).generate(pool, Runtime())


def test_a_model_that_knows_gives_families_with_the_known_scores(rule):
    made = make(POOL)
    assert len(made.rows) == 8 * 6
    np.testing.assert_array_equal(made.parents, np.repeat(np.arange(8), 6))
    records = [json.loads(row.record) for row in made.rows]
    for i, record in enumerate(records):
        step = i % 6
        assert record["instruction"] == f"What is river {i // 6}?" + "!" * step
        assert record["output"] == record["input"] == ""
        assert (record["evol_score"], record["evol_step"]) == (step + 1, step)
        assert record["parent"] == POOL.row_id(i // 6)
        assert (record["evol_operator"] == "original") == (step == 0)
    for family in range(8):
        used = [r["evol_operator"] for r in records[6 * family + 1 : 6 * family + 5]]
        assert sorted(used) == ["concretise", "constraint", "deepen", "reasoning"]
        assert sorted(r["evol_shown"] for r in records[6 * family : 6 * family + 6]) == [1, 2, 3, 4, 5, 6]
    assert len(rule) == 8 * 6
    assert made.info["families"] == 8
    assert made.info["evolutions"] == 40
    assert made.info["families whose last variant scores above the original"] == 8
    assert len(made.info["mean score by place shown"]) == 6
    scores = Column(field="evol_score").score(in_memory(made.rows), Runtime())
    np.testing.assert_array_equal(scores.values, np.tile(np.arange(1.0, 7.0), 8))


def test_what_a_row_becomes_does_not_depend_on_the_rows_beside_it(rule):
    whole = make(POOL)
    part = make(POOL.take(np.array([5, 2])))
    drop = {"parent"}
    for k, row in enumerate((5, 2)):
        one = [{**json.loads(r.record)} for r in part.rows[6 * k : 6 * k + 6]]
        other = [{**json.loads(r.record)} for r in whole.rows[6 * row : 6 * row + 6]]
        assert [{n: v for n, v in r.items() if n not in drop} for r in one] == [
            {n: v for n, v in r.items() if n not in drop} for r in other
        ]


def test_rows_that_have_no_single_question_are_missing_with_a_reason(rule):
    def row(*texts):
        messages = [{"role": "assistant" if k % 2 else "user", "content": t} for k, t in enumerate(texts)]
        return Row(messages, "{}", "made", 0, "messages")

    pictured = row("a", "b")
    pictured.messages[0]["parts"] = [{"type": "image", "image": "x.png"}]
    made = make(in_memory([row("a", "b"), row("a", "b", "c", "d"), row("", "b"), pictured, row("e", "")]))
    reasons = [made.missing.reason(i) for i in range(5)]
    assert reasons == [None, "more than one turn", "no question to judge", "it has parts that are no text", None]
    assert set(made.parents.tolist()) == {0, 4}  # a question needs no answer


def test_what_is_asked_first_is_what_is_sent(rule):
    method = EvolComplexity().resolve(Runtime())
    first = [part[0] for part in method.requests(POOL)]
    method.generate(POOL, Runtime())
    assert [request for request in rule if request in first] == sorted(first, key=rule.index)
    assert len(rule) == 48
    assert method.calls_per_row() == 6
    assert {request.temperature for request in rule} == {0.0, 0.7}
    assert all(request.temperature == 0.7 for request in first)


def test_with_the_stand_in_every_row_becomes_a_family():
    made = make(POOL, connection="stand-in", steps=2)
    assert len(made.rows) == 8 * 3
    assert not made.missing.counts()
    assert made.info["stand_in"] is True
    assert made.info["dropped"] == {}
    words = made.info["median words added"]
    assert 10 <= words <= 20


def test_the_wording_is_part_of_the_recipe():
    method = EvolComplexity().resolve(Runtime())
    assert len(method.prompt_hash) == 16
    with pytest.raises(CurationError, match="not the one of this recipe"):
        EvolComplexity(prompt_hash="0" * 16).resolve(Runtime())
