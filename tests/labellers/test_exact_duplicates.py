import numpy as np
import pytest

from curation.core.dataset import from_pairs
from curation.core.runtime import Runtime
from curation.labellers.exact_duplicates import ExactDuplicates, exact_duplicates, normalise


def test_normalising():
    assert normalise("  Hello\n\nWORLD ", "case and spacing") == "hello world"
    assert normalise("ＡＢＣ　１２", "case and spacing") == "abc 12"
    assert normalise("Hello, world!", "punctuation") == "hello world"
    assert normalise("ฉันรู้。", "punctuation") == "ฉันรู้"
    assert normalise("?!", "punctuation") == "?!"
    assert normalise(" A ", "nothing") == " A "


@pytest.mark.parametrize("seed", range(3))
def test_links_equal_comparing_all_pairs(seed):
    rng = np.random.default_rng(seed)
    texts = [(str(rng.integers(0, 6)), str(rng.integers(0, 3))) for _ in range(40)]
    links = exact_duplicates(texts)
    for row, text in enumerate(texts):
        first = texts.index(text)
        assert links.of[row] == (-1 if first == row else first)
    assert (links.similarity[links.of >= 0] == 1).all()


def test_a_row_is_prompt_and_response_not_their_join():
    links = exact_duplicates([("ab", "c"), ("a", "bc"), ("ab", "c")])
    assert links.of.tolist() == [-1, -1, 0]


def test_planted_copies_are_found_and_singles_have_no_group():
    pool = from_pairs(
        [("Hi", "One."), ("Q", "x"), ("hi ", "one."), ("Q", "y"), ("Hi", "One."), ("你好", "一"), ("你好", "一")]
    )
    labels = ExactDuplicates().label(pool, Runtime())
    assert labels.codes.tolist() == [0, -1, 0, -1, 0, 1, 1]
    assert labels.columns["of"].tolist() == [-1, -1, 0, -1, 0, -1, 5]
    assert not labels.missing.mask.any()
    assert labels.info["removable"] == 3
    by_prompt = ExactDuplicates(text="prompt", ignore="nothing").label(pool, Runtime())
    assert by_prompt.columns["of"].tolist() == [-1, -1, -1, 1, 0, -1, 5]
