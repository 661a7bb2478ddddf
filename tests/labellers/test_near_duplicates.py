import itertools
import random

import numpy as np
import pytest

from curation.core.dataset import from_pairs
from curation.core.runtime import Runtime
from curation.labellers import near_duplicates as module
from curation.labellers.near_duplicates import NearDuplicates, bands_for, near_duplicates, shingles

WORDS = [a + b + c for a in "bdfgk" for b in "aeiou" for c in "lmnrst"]


def sentence(rng, n):
    return [rng.choice(WORDS) for _ in range(n)]


def planted(seed, originals=120):
    """Random texts, half of them with a copy in which one or two words are changed."""
    rng = random.Random(seed)
    texts = [sentence(rng, rng.randint(25, 60)) for _ in range(originals)]
    for i in range(0, originals, 2):
        copy = list(texts[i])
        for _ in range(rng.randint(0, 2)):
            copy[rng.randrange(len(copy))] = "changed"
        texts.append(copy)
    return [" ".join(t) for t in texts]


def jaccard_of_all_pairs(texts, words=3, characters=5):
    sets = [shingles(t, words, characters) for t in texts]
    return {
        (i, j): len(sets[i] & sets[j]) / len(sets[i] | sets[j])
        for i, j in itertools.combinations(range(len(texts)), 2)
        if sets[i] and sets[j]
    }


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.9, 1.0])
def test_finds_what_brute_force_finds(seed, threshold):
    texts = planted(seed)
    true = {pair for pair, s in jaccard_of_all_pairs(texts).items() if s >= threshold}
    links = near_duplicates(texts, threshold)
    linked = np.flatnonzero(links.of >= 0)
    found = {(min(i, links.of[i]), max(i, links.of[i])) for i in linked}
    assert found == true  # here every group has two rows
    assert true or threshold == 1.0


def test_similarities_are_exact():
    texts = planted(7)
    all_pairs = jaccard_of_all_pairs(texts)
    links = near_duplicates(texts, 0.6)
    for row in np.flatnonzero(links.of >= 0):
        low, high = sorted((row, int(links.of[row])))
        assert links.similarity[row] == pytest.approx(all_pairs[low, high], abs=1e-12)


def test_all_planted_duplicates_of_a_larger_set_are_found():
    rng = random.Random(3)
    texts = [" ".join(sentence(rng, 40)) for _ in range(1500)]
    texts += [t.replace(" ", "  ", 3).upper() for t in texts[:200]]  # the same words
    texts += [t + " indeed" for t in texts[200:400]]
    links = near_duplicates(texts, 0.8)
    assert links.of[1500:].tolist() == list(range(400))
    assert (links.of[:1500] == -1).all()


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (
            "今天天气很好，孩子们在花园里玩耍，大人们在屋子里喝茶聊天。",
            "今天天气很好，孩子们在花园里玩耍，大人们在屋子里喝酒聊天。",
        ),
        (
            "今日は天気がよくて子どもたちは庭で遊んでいます。大人はお茶を飲みます。",
            "今日は天気がよくて子どもたちは庭で遊んでいます。大人は水を飲みます。",
        ),
        ("วันนี้อากาศดีมากเด็กๆกำลังเล่นอยู่ในสวนอย่างมีความสุข", "วันนี้อากาศดีมากเด็กๆกำลังเล่นอยู่ในสวนอย่างสนุกสนาน"),
    ],
)
def test_text_without_spaces_is_compared_by_letters(a, b):
    links = near_duplicates([a, "全然違う文章です。関係がありません。", b], 0.5)
    assert links.of.tolist() == [-1, -1, 0]
    assert 0.5 <= links.similarity[2] < 1


def test_short_and_empty_texts():
    assert shingles("Yes", 3, 5) == {"yes"}
    assert shingles("", 3, 5) == frozenset()
    links = near_duplicates(["Yes", "", "yes!", "?!", "No", ""], 0.7)
    assert links.of.tolist() == [-1, -1, 0, -1, -1, -1]
    assert near_duplicates([], 0.7).of.shape == (0,)


def test_word_order_of_sets_and_hash_seed_do_not_matter():
    texts = planted(1)
    again = near_duplicates(list(texts), 0.7)
    assert near_duplicates(texts, 0.7).of.tolist() == again.of.tolist()
    assert near_duplicates(texts, 0.7, seed=5).of.tolist() == again.of.tolist()  # far from the threshold


def test_bands_keep_the_promised_recall():
    for threshold in (0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 1.0):
        bands, rows = bands_for(threshold)
        assert bands * rows <= module.PERMUTATIONS
        assert (1 - threshold**rows) ** bands <= module.MISS


def test_a_crowded_band_still_makes_one_group(monkeypatch):
    monkeypatch.setattr(module, "WINDOW", 4)
    rng = random.Random(0)
    body = sentence(rng, 60)
    texts = [" ".join([*body, f"n{i}"]) for i in range(80)]
    links = near_duplicates(texts, 0.8)
    assert set(links.first().tolist()) == {0}


def test_the_labeller_tells_of_and_similarity():
    pool = from_pairs([("a b c d e f g", "h i j k"), ("x", "y z"), ("A b c d e f g", "h i j, k!")])
    labels = NearDuplicates().label(pool, Runtime())
    assert labels.codes.tolist() == [0, -1, 0]
    assert labels.columns["of"].tolist() == [-1, -1, 0]
    assert labels.columns["similarity"][2] == 1
    assert labels.info["relation"] == "near-duplicate"
