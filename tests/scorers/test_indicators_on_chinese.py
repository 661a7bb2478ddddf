"""On real Chinese rows no indicator may break silently, as those do that split words at spaces."""

import json

import numpy as np
import pytest

from curation.core.dataset import from_pairs
from curation.core.runtime import Runtime
from curation.models.words import segment
from curation.scorers.boilerplate import Boilerplate
from curation.scorers.compression import Compression
from curation.scorers.length import Length
from curation.scorers.mtld import Mtld
from curation.scorers.overlap import Overlap
from curation.scorers.readability import Readability
from curation.scorers.repetition import Repetition
from curation.scorers.type_token_ratio import TypeTokenRatio

LIMIT = 0.05


@pytest.fixture(scope="module")
def pool(shared_data):
    rows = json.loads((shared_data / "alpaca_zh_1k.json").read_text())
    return from_pairs([(f"{r['instruction']}\n{r['input']}".strip(), r["output"]) for r in rows])


@pytest.mark.parametrize(
    "scorer",
    [
        Length(unit="words"),
        Length(unit="tokens"),
        Mtld(),
        TypeTokenRatio(),
        Compression(),
        Repetition(),
        Readability(),
        Overlap(),
        Boilerplate(),
    ],
    ids=lambda scorer: scorer.use() + getattr(scorer, "unit", ""),
)
def test_no_value_or_column_is_missing_on_more_than_5_percent(pool, scorer):
    score = scorer.score(pool, Runtime())
    assert (~np.isfinite(score.values)).mean() <= LIMIT
    for name, column in score.columns.items():
        assert (~np.isfinite(column.astype(float))).mean() <= LIMIT, name
    assert len(np.unique(score.values)) > 10


# A value is stuck when it is the one that a text of a single "word" would get, whatever it says.
@pytest.mark.parametrize(
    ("scorer", "stuck"),
    [
        (TypeTokenRatio(), 1.0),
        (Overlap(), 0.0),
        (Length(unit="words"), 1.0),
        (Readability(), 101.0),
    ],
    ids=["type-token-ratio", "overlap", "length", "readability"],
)
def test_values_are_not_stuck_at_an_end(pool, scorer, stuck):
    assert (scorer.score(pool, Runtime()).values == stuck).mean() <= LIMIT


def test_mtld_is_seldom_capped_and_repetition_has_phrases_to_look_at(pool):
    assert Mtld().score(pool, Runtime()).columns["capped"].mean() <= LIMIT
    assert np.mean([len(segment(text)) < 4 for text in pool.texts("response")]) <= LIMIT


def test_words_split_at_spaces_would_fail_this(pool):
    """The check itself can fail: it does for the naive way."""
    naive = np.array([len(text.split()) for text in pool.texts("response")])
    assert (naive == 1).mean() > LIMIT


def test_long_rows_are_not_scored_as_long_words(pool):
    score = Readability().score(pool, Runtime())
    assert 1.3 < np.nanmedian(score.columns["letters_per_word"]) < 2.5
    assert 5 < np.nanmedian(score.columns["words_per_sentence"]) < 60
    assert (score.columns["hard_words"] == 0).mean() < 0.5
