"""Clusters of the map and their names."""

from __future__ import annotations

import numpy as np
import pytest

from curation.core.artifacts import Layout, Missing
from curation.core.dataset import from_pairs
from curation.core.runtime import Runtime
from curation.labellers._names import name_clusters
from curation.labellers.clusters import ClustersOfMap, cluster_map, default_min_size, largest_first

SIZES = (120, 60, 30)


def islands(noise: int = 15, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(3), SIZES)
    centres = np.array([[0, 0], [8, 0], [0, 8]])
    xy = centres[labels] + rng.normal(scale=0.4, size=(len(labels), 2))
    far = rng.uniform(-30, 40, (noise * 4, 2))
    far = far[np.abs(far[:, None] - centres).max(axis=2).min(axis=1) > 4][:noise]
    return np.vstack([xy, far]).astype(np.float32), np.concatenate([labels, np.full(len(far), -1)])


def test_planted_islands_are_found_largest_first():
    xy, labels = islands()
    found = cluster_map(xy, min_size=15)
    assert (found.codes[labels >= 0] == labels[labels >= 0]).mean() > 0.97
    assert (found.codes[labels < 0] == -1).mean() > 0.8
    assert found.codes.dtype == np.int32
    assert ((found.strength > 0) == (found.codes >= 0)).all()


def test_auto_splits_a_giant():
    rng = np.random.default_rng(0)
    # three lumps in one cloud, and one small island far away: eom sees two things, leaf the lumps
    lumps = np.vstack([rng.normal(c, 0.45, (150, 2)) for c in ((0, 0), (1.9, 0), (0.9, 1.6))])
    xy = np.vstack([lumps, rng.normal((40, 40), 0.3, (60, 2))])
    giant = cluster_map(xy, min_size=20, shape="eom")
    assert np.bincount(giant.codes[giant.codes >= 0]).max() > 400
    auto = cluster_map(xy, min_size=20)
    assert auto.shape == "leaf"
    assert auto.codes.max() > giant.codes.max()


@pytest.mark.parametrize("n", [0, 1, 2, 5, 10])
def test_too_few_rows_are_noise(n):
    found = cluster_map(np.random.default_rng(0).normal(size=(n, 2)), min_size=10)
    assert (found.codes == -1).all()
    assert len(found.codes) == n


def test_equal_places_do_no_harm():
    found = cluster_map(np.zeros((50, 2)), min_size=5)
    assert len(found.codes) == 50


def test_codes_go_by_size():
    assert largest_first(np.array([0, 1, 1, -1, 2, 2, 2])).tolist() == [2, 1, 1, -1, 0, 0, 0]
    assert largest_first(np.array([1, 0, 0, 1])).tolist() == [0, 1, 1, 0]
    assert largest_first(np.array([-1, -1])).tolist() == [-1, -1]
    assert largest_first(np.empty(0, np.int64)).tolist() == []


def test_the_least_size_grows_with_the_rows():
    assert [default_min_size(n) for n in (0, 100, 1000, 20_000, 10**7)] == [5, 5, 11, 47, 500]


# ---------------------------------------------------------------------- names

KITCHEN = ["recipe butter oven bake the cake slowly", "a recipe with butter and oven heat", "oven recipe: melt butter"]
SPACE = ["the planet orbits a star", "a telescope shows the planet and star", "star, planet and telescope of the sky"]


def test_names_are_the_words_that_tell_apart():
    texts = KITCHEN * 10 + SPACE * 10
    names = name_clusters(texts, np.repeat([0, 1], 30), 2)
    assert set(names[0].split(" · ")) == {"recipe", "butter", "oven"}
    assert {"planet", "star"} < set(names[1].split(" · "))


def test_words_of_all_rows_and_function_words_name_nothing():
    texts = [f"instruction given the {t} 42" for t in KITCHEN * 10 + SPACE * 10]
    names = name_clusters(texts, np.repeat([0, 1], 30), 2)
    for word in ("instruction", "given", "the", "42"):
        assert all(word not in name.split(" · ") for name in names)


def test_forms_of_one_word_appear_once():
    texts = ["equation equations solve"] * 10 + ["poem verse rhyme"] * 10
    names = name_clusters(texts, np.repeat([0, 1], 10), 2)
    assert sum("equation" in word for word in names[0].split(" · ")) == 1


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["请写一首关于春天的诗歌"] * 10 + ["计算三角形的面积公式"] * 10, ("春天", "三角形")),
        (["สูตรอาหารไทยใส่กะทิ"] * 10 + ["ดาวเคราะห์โคจรรอบดวงอาทิตย์"] * 10, ("อาหาร", "ดาว")),
        (["Suche nach Käsekuchen"] * 10 + ["Der Zug nach Hamburg"] * 10, ("käsekuchen", "hamburg")),
    ],
)
def test_names_in_other_languages(texts, expected):
    names = name_clusters(texts, np.repeat([0, 1], 10), 2)
    assert all(word in name for word, name in zip(expected, names, strict=True))


def test_no_two_names_are_alike_and_none_is_empty():
    names = name_clusters(["same words"] * 20 + ["", "!"] * 5, np.repeat([0, 1, 2], 10), 3)
    assert len(set(names)) == 3
    assert all(names)
    assert names[0].startswith("same") or names[0].startswith("words")
    assert names[1] == f"{names[0]} (2)"
    assert names[2] == "cluster 3"


def test_noise_names_nothing():
    texts = [*KITCHEN * 5, *["zebra crossing zebra"] * 30]
    names = name_clusters(texts, np.repeat([0, -1], [15, 30]), 1)
    assert "zebra" not in names[0]


# ---------------------------------------------------------------------- the method


def test_the_method_names_its_clusters_and_shows_noise():
    xy, labels = islands()
    topics = ("butter recipe oven", "planet orbit star", "python loop function")
    pairs = [(topics[label] if label >= 0 else "anything", f"row {i}") for i, label in enumerate(labels)]
    pool = from_pairs(pairs)
    made = ClustersOfMap().label(pool, Runtime(), layout=Layout(pool.fingerprint, xy, Missing.none(len(xy))))
    assert len(made.names) == made.info["clusters"] == 3
    assert set(made.names[0].split(" · ")) == {"butter", "recipe", "oven"}
    assert set(made.names[1].split(" · ")) == {"planet", "orbit", "star"}
    noise = np.flatnonzero(made.codes == -1)
    assert len(noise) == made.info["noise"] > 10
    assert not made.missing.mask.any()
    assert made.value(int(noise[0])) is None


def test_rows_without_a_place_are_missing():
    xy, labels = islands()
    xy[:7] = np.nan
    gone = Missing.where(np.isnan(xy[:, 0]), "no text")
    pool = from_pairs([(f"topic {label}", str(i)) for i, label in enumerate(labels)])
    made = ClustersOfMap().label(pool, Runtime(), layout=Layout(pool.fingerprint, xy, gone))
    assert made.missing.counts() == {"no text": 7}
    assert (made.codes[:7] == -1).all()
    assert np.isnan(made.columns["strength"][:7]).all()
    assert made.info["noise"] == int((made.codes[7:] == -1).sum())
