"""Evol-Quality: families of answers to one question, scored beside each other."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from curation.core.dataset import from_pairs
from curation.core.runtime import Runtime
from curation.generators.evol_quality import EvolQuality
from curation.models.chat import stand_in
from curation.models.chat.types import Reply

POOL = from_pairs([("What is a river?", "Water."), ("And a lamp?", ""), ("And a stone?", "It is hard.")])


@pytest.fixture
def rule(monkeypatch):
    """A model whose versions have one "!" more, and which scores a version by its number of them; keeps requests."""
    asked = []

    def answer(request):
        asked.append(request)
        text = request.messages[1][1]
        shown = re.findall(r"\[(\w{8}) response(?: \d+)?\]\n(.*?)\n\[\1 end of", text, re.DOTALL)
        assert len(re.findall(r"\[\w{8} question\]", text)) == 1
        if "Write a better version" in text:
            return Reply(f"<new>{shown[0][1]}!</new>" if "river" in text else "Sorry, I cannot.")
        return Reply("\n".join(f"[{k}] Score: {6 - t.count('!')}" for k, (_, t) in enumerate(shown, 1)))

    monkeypatch.setattr(stand_in, "pretended", answer)
    return asked


def test_a_model_that_knows_gives_families_with_the_known_scores(rule):
    made = EvolQuality().resolve(Runtime()).generate(POOL, Runtime())
    records = [json.loads(row.record) for row in made.rows]
    assert [r["output"] for r in records] == ["Water." + "!" * k for k in range(6)]
    assert {r["instruction"] for r in records} == {"What is a river?"}
    assert [r["evol_score"] for r in records] == [6, 5, 4, 3, 2, 1]
    assert sorted(r["evol_operator"] for r in records[1:]) == [
        "creativity",
        "depth",
        "detail",
        "helpfulness",
        "relevance",
    ]
    assert [row.messages[1]["content"] for row in made.rows] == [r["output"] for r in records]
    assert made.missing.reason(1) == "no response to judge"
    assert made.missing.reason(2) == "an apology instead of a text"
    assert made.info["dropped"] == {"an apology instead of a text": 5}
    assert made.info["families whose last variant scores above the original"] == 0


def test_long_answers_stay_whole(rule):
    long = "Water flows." * 3000
    made = EvolQuality(steps=1).resolve(Runtime()).generate(from_pairs([("What is a river?", long)]), Runtime())
    original, version = (json.loads(row.record)["output"] for row in made.rows)
    assert original == long
    assert version == long + "!"


def test_with_the_stand_in_every_answered_row_becomes_a_family():
    made = EvolQuality(connection="stand-in").resolve(Runtime()).generate(POOL, Runtime())
    np.testing.assert_array_equal(np.bincount(made.parents), [6, 0, 6])
    assert made.info["stand_in"] is True
