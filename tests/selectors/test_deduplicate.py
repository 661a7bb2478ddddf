import numpy as np
import pytest

from curation.core.artifacts import Labels, Missing, Score
from curation.core.dataset import from_pairs
from curation.core.errors import CurationError
from curation.core.method import Ask
from curation.core.runtime import Runtime
from curation.labellers.exact_duplicates import ExactDuplicates
from curation.linalg.groups import link
from curation.selectors.deduplicate import Deduplicate, keep_one

# 0 – 2 – 5 is a chain (0.97, 0.75), 1 – 4 a pair (0.9), 3 stands alone
PAIRS = (np.array([0, 2, 1]), np.array([2, 5, 4]), np.array([0.97, 0.75, 0.9]))


def duplicates(n=6):
    links = link(n, *PAIRS)
    first = links.first()
    codes = np.where(np.bincount(first, minlength=n)[first] > 1, first, -1).astype(np.int32)
    return Labels(
        "x",
        codes,
        tuple(map(str, range(n))),
        Missing.none(n),
        columns={"of": links.of, "similarity": links.similarity},
        info={"relation": "near-duplicate", "min_similarity": 0.7},
    )


def pick(eligible=range(6), score=None, **parameters):
    pool = from_pairs([(f"q{i}", "a") for i in range(6)])
    ask = Ask(np.array(list(eligible), np.int64))
    return Deduplicate(**parameters).select(pool, ask, Runtime(), duplicates=duplicates(), score=score)


def score_of(*values, higher=True):
    values = np.array(values, float)
    return Score("x", values, Missing.where(np.isnan(values), "none"), "s", higher_is_better=higher)


def test_the_lowest_row_of_a_group_stays_and_the_others_name_it():
    selection = pick()
    assert selection.order.tolist() == [0, 1, 3]
    assert selection.covered_by.tolist() == [-1, -1, 0, -1, 1, 0]
    np.testing.assert_allclose(selection.distance[[2, 4, 5]], [0.03, 0.1, 0.25])  # 5 hangs on 0 by its weakest link
    np.testing.assert_allclose(selection.margin[[2, 4, 5]], [0.27, 0.2, 0.05])
    assert selection.gains.tolist() == [2, 1, 0]
    assert selection.why(2) == "out: near-duplicate (by 0.27); row 0 stands for it (distance 0.030)"
    assert selection.info == {"removed": 3, "groups": 2}


def test_the_best_row_stays_when_there_is_a_score():
    assert pick(score=score_of(1, 5, 2, 0, 6, 3)).order.tolist() == [3, 4, 5]
    assert pick(score=score_of(1, 5, 2, 0, 6, 3, higher=False)).order.tolist() == [0, 1, 3]
    assert pick(score=score_of(np.nan, 5, np.nan, 0, 5, np.nan)).order.tolist() == [0, 1, 3]  # ties, and none at all
    best = pick(score=score_of(np.nan, 1, 9, 0, 1, 3))
    assert best.order.tolist() == [1, 2, 3]
    np.testing.assert_allclose(best.distance[[0, 5]], [0.03, 0.25])


def test_raising_the_threshold_cuts_chains():
    assert pick(min_similarity=0.8).order.tolist() == [0, 1, 3, 5]
    assert pick(min_similarity=0.95).order.tolist() == [0, 1, 3, 4, 5]
    assert pick(min_similarity=0.5).order.tolist() == [0, 1, 3]


def test_only_eligible_rows_stay():
    selection = pick(eligible=[2, 3, 4, 5])
    assert selection.order.tolist() == [2, 3, 4]
    assert selection.covered_by.tolist() == [-1, -1, -1, -1, -1, 2]
    assert selection.distance[5] == pytest.approx(0.25)


def test_equals_walking_through_the_groups():
    rng = np.random.default_rng(0)
    links = link(60, rng.integers(0, 60, 50), rng.integers(0, 60, 50), rng.uniform(0.5, 1, 50))
    eligible = np.flatnonzero(rng.uniform(size=60) < 0.7)
    wish = rng.integers(0, 4, 60).astype(float)
    naive = []
    for group in np.unique(links.first()):
        rows = [r for r in eligible if links.first()[r] == group]
        if rows:
            naive.append(max(rows, key=lambda r: (wish[r], -r)))
    assert keep_one(links, eligible, wish).tolist() == sorted(naive)


def test_with_a_real_labeller():
    pool = from_pairs([("a", "b"), ("c", "d"), ("A", "B"), ("a", "b")])
    labels = ExactDuplicates().label(pool, Runtime())
    selection = Deduplicate().select(pool, Ask(np.arange(4)), Runtime(), duplicates=labels)
    assert selection.order.tolist() == [0, 1]
    assert selection.distance[[2, 3]].tolist() == [0, 0]


def test_labels_of_another_kind_are_an_error():
    pool = from_pairs([("q", "a")])
    with pytest.raises(CurationError, match="do not say which row duplicates which"):
        Deduplicate().select(pool, Ask(np.arange(1)), Runtime(), duplicates=Labels.from_values("x", ["en"]))


def test_links_keep_their_rows_when_labels_are_cut_and_spread():
    part = duplicates().take(np.array([2, 0, 5]), "y")
    assert part.columns["of"].tolist() == [1, -1, 0]
    back = part.scatter(np.array([4, 7, 9]), 10, "z", "outside")
    assert back.columns["of"].tolist() == [-1, -1, -1, -1, 7, -1, -1, -1, -1, 4]
    assert part.take(np.array([0, 2]), "y").columns["of"].tolist() == [-1, 0]  # row 0 of it is gone
