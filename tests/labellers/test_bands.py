"""Bands of a score."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from curation.core.artifacts import Missing, Score
from curation.core.dataset import from_pairs
from curation.core.errors import CurationError
from curation.core.runtime import Runtime
from curation.labellers.bands import Bands, band_names, edge_bands, quantile_bands


def label(values, columns=None, **parameters):
    values = np.asarray(values, np.float64)
    pool = from_pairs([("q", "a")] * len(values))
    missing = Missing.where(~np.isfinite(values), "not measured")
    score = Score(pool.fingerprint, values, missing, "length", None, columns or {})
    return Bands(**parameters).label(pool, Runtime(), score=score)


@pytest.mark.parametrize("count", [1, 2, 3, 7, 40])
def test_different_scores_make_bands_of_equal_size_in_the_order_of_scores(count):
    values = np.random.default_rng(count).permutation(100).astype(float)
    found = quantile_bands(values, count)
    sizes = np.bincount(found, minlength=count)
    assert sizes.max() - sizes.min() <= 1
    assert (np.diff(found[np.argsort(values)]) >= 0).all()
    naive = [count * sum(other < value for other in values) // 100 for value in values]
    assert found.tolist() == naive


def test_equal_scores_are_in_one_band():
    assert quantile_bands(np.array([1.0, 1, 1, 1, 2, 3]), 3).tolist() == [0, 0, 0, 0, 2, 2]
    assert quantile_bands(np.full(5, 2.0), 4).tolist() == [0] * 5
    assert quantile_bands(np.array([7.0]), 4).tolist() == [0]


def test_a_score_at_an_edge_is_above_it():
    assert edge_bands(np.array([9.0, 10, 11, 20, 25]), np.array([10.0, 20])).tolist() == [0, 1, 1, 2, 2]


def test_names_are_known_before_the_scores_are():
    assert band_names(3, ()) == ("1 of 3", "2 of 3", "3 of 3")
    assert band_names(3, (100.0, 2.5e6)) == ("below 100", "100 to 2500000", "2500000 and above")
    close = band_names(3, (1.00000000001, 1.00000000002))
    assert close == ("below 1.00000000001", "1.00000000001 to 1.00000000002", "1.00000000002 and above")
    assert len(set(band_names(4, (1.0, 1.0 + 2**-52, 1.0 + 2**-51)))) == 4
    made = label([1, 5, 30], edges=(10.0,), names=("short", "long"))
    assert [made.value(i) for i in range(3)] == ["short", "short", "long"]
    assert made.info["spans"] == {"short": [1.0, 5.0], "long": [30.0, 30.0]}


def test_rows_without_a_score_have_no_label_and_keep_their_reason():
    made = label([1, np.nan, 3, 2], bands=3)
    assert [made.value(i) for i in range(4)] == ["1 of 3", None, "3 of 3", "2 of 3"]
    assert made.missing.reason(1) == "not measured"


def test_a_column_of_the_score():
    columns = {"turns": np.array([1.0, 2, np.nan, 9]), "text": np.array(["a"] * 4, object)}
    made = label([4, 3, 2, np.nan], columns, column="turns", edges=(2.0,))
    assert [made.value(i) for i in range(4)] == ["below 2", "2 and above", None, None]
    assert made.missing.counts() == {"no score": 1, "not measured": 1}
    with pytest.raises(CurationError, match="has no column 'x'"):
        label([1], column="x")
    with pytest.raises(CurationError, match="one number per row"):
        label([1] * 4, columns, column="text")


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"edges": (2.0, 1.0)}, "increase"),
        ({"edges": (1.0, 1.0)}, "increase"),
        ({"edges": (1.0,), "names": ("a", "b", "c")}, "2 bands and 3 names"),
        ({"bands": 2, "names": ("a",)}, "2 bands and 1 names"),
        ({"bands": 2, "names": ("a", "a")}, "alike"),
    ],
)
def test_bands_that_do_not_fit_are_refused(parameters, words):
    with pytest.raises(ValidationError, match=words):
        Bands(**parameters)
