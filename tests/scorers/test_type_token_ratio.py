import numpy as np
import pytest

from curation.core.dataset import from_pairs
from curation.core.runtime import Runtime
from curation.scorers.type_token_ratio import TypeTokenRatio, root_type_token_ratio, type_token_ratio


def test_known_values():
    assert type_token_ratio(["a", "b", "a", "b"]) == 0.5
    assert type_token_ratio(["a"]) == 1
    assert root_type_token_ratio(["a", "b", "a", "b"]) == 1
    assert np.isnan(type_token_ratio([]))
    assert np.isnan(root_type_token_ratio([]))


def test_chinese_is_counted_in_words():
    pool = from_pairs([("学习", "学习，学习，再学习")])
    score = TypeTokenRatio(text="response").score(pool, Runtime())
    assert score.values[0] == pytest.approx(2 / 4)  # 学习 three times and 再


def test_case_does_not_make_a_new_word_and_no_words_is_missing():
    score = TypeTokenRatio(text="response").score(from_pairs([("", "Yes YES yes"), ("", "?")]), Runtime())
    assert score.values[0] == pytest.approx(1 / 3)
    assert score.missing.counts() == {"no words": 1}
    assert np.isnan(score.columns["root"][1])
