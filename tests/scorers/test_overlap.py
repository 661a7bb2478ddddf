import numpy as np
import pytest

from curation.core.dataset import from_pairs
from curation.core.runtime import Runtime
from curation.scorers.overlap import Overlap, longest_common, rouge_l, word_overlap


def longest_common_naive(a, b):
    """The table of the textbook."""
    table = np.zeros((len(a) + 1, len(b) + 1), int)
    for i, x in enumerate(a, 1):
        for j, y in enumerate(b, 1):
            table[i, j] = table[i - 1, j - 1] + 1 if x == y else max(table[i - 1, j], table[i, j - 1])
    return int(table[-1, -1])


@pytest.mark.parametrize("seed", range(12))
def test_longest_common_subsequence_equals_the_table(seed):
    rng = np.random.default_rng(seed)
    a = [f"w{i}" for i in rng.integers(0, 6, rng.integers(0, 90))]
    b = [f"w{i}" for i in rng.integers(0, 6, rng.integers(0, 90))]
    assert longest_common(a, b) == longest_common_naive(a, b)


def test_known_values():
    prompt, response = ["the", "cat", "sat"], ["sat", "the", "the", "dog"]
    assert word_overlap(prompt, response) == 0.75
    assert rouge_l(prompt, response) == 0.25
    assert np.isnan(word_overlap(prompt, []))
    assert word_overlap([], response) == 0


def test_very_long_pairs_have_no_rouge():
    assert np.isnan(rouge_l(["a"] * 3000, ["a"] * 3000))


def test_copies_and_strangers_in_chinese():
    text = "机器学习是人工智能的一个分支"
    pool = from_pairs([(text, text), ("今天天气怎么样", text), ("q", "")])
    score = Overlap().score(pool, Runtime())
    assert score.values[:2].tolist() == [1, 0]
    assert score.missing.counts() == {"no words in the response": 1}
    ordered = Overlap(measure="rouge-l").score(pool, Runtime())
    assert ordered.values[0] == 1
    assert np.array_equal(ordered.columns["words"], score.columns["words"], equal_nan=True)
