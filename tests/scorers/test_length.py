import numpy as np
import pytest

from curation.core.dataset import from_pairs
from curation.core.errors import ModelError
from curation.core.runtime import Runtime
from curation.scorers.length import Length, lengths

POOL = from_pairs([("Say hello world", "Hello, world!"), ("空", ""), ("翻译", "我喜欢机器学习")])


def test_lengths_in_three_units():
    found = lengths(["Hello, world!", "", "我喜欢机器学习"])
    assert found["characters"].tolist() == [13, 0, 7]
    assert found["words"].tolist() == [2, 0, 4]
    assert found["tokens"].tolist() == [4, 0, 7]


def test_the_score_is_the_one_asked_for_and_all_six_are_columns():
    score = Length(text="response", unit="words").score(POOL, Runtime())
    assert score.values.tolist() == [2, 0, 4]
    assert score.columns["prompt_words"].tolist() == [3, 1, 1]
    assert set(score.columns) == {f"{w}_{u}" for w in ("prompt", "response") for u in ("characters", "words", "tokens")}
    assert not score.missing.mask.any()
    assert score.higher_is_better is None


def test_both_is_the_sum():
    both = Length(text="both", unit="tokens").score(POOL, Runtime())
    assert np.array_equal(both.values, both.columns["prompt_tokens"] + both.columns["response_tokens"])


def test_an_unknown_tokenizer_is_an_error_and_no_guess():
    with pytest.raises(ModelError, match="no tokenizer"):
        Length(tokenizer="/no/such/folder").score(POOL, Runtime())
