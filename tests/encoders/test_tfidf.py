"""TF-IDF features: which rows are near, in languages with and without spaces."""

from __future__ import annotations

import json

import numpy as np
import pytest

from curation.core.dataset import from_pairs
from curation.core.runtime import Runtime
from curation.encoders import tfidf
from curation.encoders.tfidf import NO_SHARED_WORDS, NO_WORDS, Tfidf, terms, tfidf_features

TOPICS = {
    "cook": "bake the bread with butter flour yeast oven recipe dough",
    "code": "python function returns list loop variable class method",
    "stars": "planet orbit star galaxy telescope moon gravity comet",
}


def topic_texts(n: int, seed: int = 0) -> tuple[list[str], np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(len(TOPICS), size=n)
    words = [text.split() for text in TOPICS.values()]
    return [" ".join(rng.choice(words[label], 6)) for label in labels], labels


def nearest(values: np.ndarray) -> np.ndarray:
    similarity = values @ values.T
    np.fill_diagonal(similarity, -2)
    return similarity.argmax(axis=1)


def test_rows_of_a_topic_are_nearest():
    texts, labels = topic_texts(300)
    values, missing = tfidf_features(texts, dims=8)
    assert values.shape == (300, 8)
    assert values.dtype == np.float32
    assert not missing.mask.any()
    np.testing.assert_allclose(np.linalg.norm(values, axis=1), 1, atol=1e-5)
    assert (labels[nearest(values)] == labels).mean() > 0.99


def test_the_projection_keeps_the_angles_of_plain_tfidf():
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts, _ = topic_texts(40)
    plain = TfidfVectorizer(analyzer=terms, sublinear_tf=True).fit_transform(texts).toarray()
    values, _ = tfidf_features(texts, dims=40)
    np.testing.assert_allclose(values @ values.T, plain @ plain.T, atol=1e-4)


def test_one_seed_one_result():
    texts, _ = topic_texts(200)
    one, two = tfidf_features(texts, dims=5, seed=1)[0], tfidf_features(texts, dims=5, seed=1)[0]
    assert np.array_equal(one, two)


def test_a_sample_finds_the_same_directions(monkeypatch):
    texts, labels = topic_texts(600)
    monkeypatch.setattr(tfidf, "SAMPLE_ROWS", 150)
    values, _ = tfidf_features(texts, dims=3)
    assert (labels[nearest(values)] == labels).mean() > 0.99


def test_scripts_without_spaces_are_cut_into_pairs():
    assert terms("我喜欢数学") == ["我喜", "喜欢", "欢数", "数学"]
    assert terms("ภาษาไทย")[:2] == ["ภา", "าษ"]
    assert terms("Python 里的 List, café!") == ["python", "里的", "list", "café"]
    assert terms("Don't stop 42 a") == ["don", "stop", "42"]


def test_chinese_rows_are_told_apart(shared_data):
    rows = json.loads((shared_data / "alpaca_zh_1k.json").read_text("utf-8"))
    values, missing = tfidf_features([row["instruction"] + row["output"] for row in rows])
    assert missing.mask.mean() < 0.01
    similarity = values @ values.T
    assert np.median(similarity[np.triu_indices(len(rows), 1)]) < 0.2


def test_rows_without_words_are_missing():
    texts = ["", "!!!", *["river stone cloud"] * 60, *["bread salt"] * 60, "unheard-of"]
    values, missing = tfidf_features(texts)
    assert missing.reason(0) == missing.reason(1) == NO_WORDS
    assert missing.reason(len(texts) - 1) == NO_SHARED_WORDS
    assert np.isnan(values[[0, 1, -1]]).all()
    assert np.isfinite(values[2:-1]).all()


@pytest.mark.parametrize("texts", [["one row only"], ["same words here"] * 150, ["ab", "cd"]])
def test_few_or_equal_rows(texts):
    values, missing = tfidf_features(texts)
    assert not missing.mask.any()
    np.testing.assert_allclose(np.linalg.norm(values, axis=1), 1, atol=1e-5)


def test_nothing_to_count_at_all():
    values, missing = tfidf_features(["", "?"])
    assert missing.counts() == {NO_WORDS: 2}
    assert np.isnan(values).all()


def test_the_method_reads_the_text_that_was_asked_for():
    pool = from_pairs([("apple pear", "dog cat")] * 3 + [("dog cat", "apple pear")] * 3)
    prompts = Tfidf(text="prompt").encode(pool, Runtime())
    assert prompts.values[0] @ prompts.values[5] < 0.1
    both = Tfidf(text="both").encode(pool, Runtime())
    assert both.values[0] @ both.values[5] > 0.99
    assert both.dataset == pool.fingerprint


def test_only_the_beginning_is_read():
    pool = from_pairs([("word " * 100 + "apple", "")] * 2 + [("word " * 100 + "stone", "")] * 2)
    values = Tfidf(chars=200).encode(pool, Runtime()).values
    assert values[0] @ values[3] > 0.99
