"""The encoder as a method: which text, missing rows, what resolve writes."""

from __future__ import annotations

import numpy as np
import pytest

from curation.core.dataset import from_pairs
from curation.core.runtime import Runtime
from curation.encoders.sentence import Sentence
from curation.models.sentence import load_encoder, resolve_precision, revision_of

PAIRS = [
    ("Name a fruit.", "An apple."),
    ("  ", "\n"),
    ("Say it in many words.", "word " * 400),
    ("Only a question", ""),
]


@pytest.fixture(scope="module")
def pool():
    return from_pairs(PAIRS)


@pytest.mark.parametrize("which", ["prompt", "response", "both"])
def test_it_reads_the_text_that_was_asked_for(pool, which):
    made = Sentence(text=which).resolve(Runtime()).encode(pool, Runtime())
    texts = pool.texts(which)
    there = [i for i, text in enumerate(texts) if text.strip()]
    expected = load_encoder(revision=revision_of("packaged")).encode([texts[i] for i in there]).vectors
    np.testing.assert_allclose(made.values[there], expected, atol=5e-3)
    assert made.dataset == pool.fingerprint
    assert made.info["text"] == which


def test_rows_without_text_are_missing_with_a_reason(pool):
    made = Sentence().encode(pool, Runtime())
    assert made.missing.counts() == {"no text": 1}
    assert np.isnan(made.values[1]).all()
    assert np.isfinite(made.values[[0, 2, 3]]).all()
    assert made.columns["windows"].tolist() == [1, -1, 2, 1]
    assert made.columns["cut"].tolist() == [0, -1, 0, 0]
    assert made.columns["tokens"][2] > 400


def test_truncated_rows_are_told(pool):
    made = Sentence(overflow="truncate").encode(pool, Runtime())
    assert made.columns["cut"].tolist() == [0, -1, 1, 0]


def test_resolve_writes_precision_and_weights():
    method = Sentence().resolve(Runtime(device="cpu"))
    assert method.precision == resolve_precision("cpu")
    assert method.revision == revision_of("packaged")
    assert method.resolve(Runtime(device="cpu")) == method
    assert Sentence(precision="fp32").resolve(Runtime()).precision == "fp32"


def test_it_says_which_languages_it_knows():
    assert Sentence().languages() == {"en"}


def test_rows_stand_alone(pool):
    whole = Sentence(precision="fp32").encode(pool, Runtime()).values
    one = Sentence(precision="fp32").encode(pool.take(np.array([2])), Runtime()).values
    np.testing.assert_allclose(whole[2], one[0], atol=1e-5)


def test_a_batch_of_one_row_gives_the_same(pool):
    whole = Sentence(precision="fp32").encode(pool, Runtime()).values
    single = Sentence(precision="fp32").encode(pool, Runtime(batch_size=1)).values
    np.testing.assert_allclose(whole, single, atol=1e-5)
