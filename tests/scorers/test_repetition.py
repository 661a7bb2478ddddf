import numpy as np
import pytest

from curation.core.dataset import from_pairs
from curation.core.runtime import Runtime
from curation.scorers.repetition import Repetition, duplicate_lines, repeated_share


def repeated_naive(words, size):
    """Count, one by one, the n-grams that were seen before."""
    seen, again, total = [], 0, 0
    for i in range(len(words)):
        gram = words[i : i + size]
        if len(gram) == size:
            total += 1
            again += gram in seen
            seen.append(gram)
    return again / total if total else 0.0


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_equals_the_loop(seed, size):
    rng = np.random.default_rng(seed)
    words = [f"w{i}" for i in rng.integers(0, 5, rng.integers(1, 60))]
    assert repeated_share(words, size) == pytest.approx(repeated_naive(words, size))


def test_short_and_empty_texts():
    assert repeated_share(["a"], 3) == 0
    assert np.isnan(repeated_share([], 2))


def test_lines():
    assert duplicate_lines("- a\n\n - A \n- b\n- a") == 0.5
    assert duplicate_lines("one line") == 0
    assert np.isnan(duplicate_lines("\n \n"))


def test_a_looping_answer_stands_out_in_any_language():
    loop = "我不知道。" * 20
    pool = from_pairs([("q", "一二三四五六七八九十"), ("q", loop), ("q", "I do not know. " * 20), ("q", "")])
    score = Repetition().score(pool, Runtime())
    assert score.values[0] == 0
    assert (score.values[1:3] > 0.99).all()
    assert score.missing.counts() == {"no words": 1}
    expected = 1 - np.prod([1 - score.columns[f"repeated_{n}"][1] for n in (2, 3, 4)])
    assert score.values[1] == pytest.approx(expected)
