import numpy as np
import pytest

from curation.core.dataset import from_pairs
from curation.core.runtime import Runtime
from curation.scorers.mtld import Mtld, factors, mtld


def mtld_naive(words, threshold):
    """The textbook's loop: recompute the ratio of the running stretch after every word."""

    def one_way(sequence):
        full, stretch = 0.0, []
        for word in sequence:
            stretch.append(word)
            if len(set(stretch)) / len(stretch) <= threshold:
                full += 1
                stretch = []
        if stretch:
            full += (1 - len(set(stretch)) / len(stretch)) / (1 - threshold)
        return len(sequence) / full if full > 0 else len(sequence)

    return (one_way(words) + one_way(words[::-1])) / 2


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("threshold", [0.5, 0.72, 0.9])
def test_equals_the_textbook_loop(seed, threshold):
    rng = np.random.default_rng(seed)
    words = [f"w{i}" for i in rng.zipf(1.4, rng.integers(1, 300))]
    assert mtld(words, threshold) == pytest.approx(mtld_naive(words, threshold), rel=1e-12)


def test_known_values():
    assert mtld(["a"] * 10) == 2.0
    assert factors(["a", "b"]) == 0
    assert mtld(["a", "b", "c"]) == 3  # no word repeats: the number of words
    assert np.isnan(mtld([]))
    assert factors(["a", "b", "c", "a"]) == pytest.approx((1 - 0.75) / (1 - 0.72))


def test_reading_backward_changes_nothing():
    words = ["the", "cat", "sat", "on", "the", "mat", "and", "the", "dog", "sat", "on", "the", "cat", "and", "ran"]
    assert mtld(words) == mtld(words[::-1])


def test_diverse_text_scores_higher_whatever_its_length():
    rng = np.random.default_rng(0)
    poor = [f"w{i}" for i in rng.integers(0, 30, 400)]
    rich = [f"w{i}" for i in rng.integers(0, 600, 400)]
    assert mtld(rich) > 3 * mtld(poor)
    assert mtld(poor * 5) == pytest.approx(mtld(poor), rel=0.1)


def test_rows_without_words_are_missing_and_caps_are_flagged():
    pool = from_pairs([("", "..."), ("go", "one two three"), ("go", "go go go")])
    score = Mtld(text="both").score(pool, Runtime())
    assert np.isnan(score.values[0])
    assert score.missing.reason(0) == "no words"
    assert score.columns["capped"].tolist() == [0, 1, 0]
    assert score.columns["words"].tolist() == [0, 4, 4]
    assert score.values[1:].tolist() == [4, 2]
