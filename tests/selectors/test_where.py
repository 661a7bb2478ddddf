"""Rows by label."""

from __future__ import annotations

import pytest

from curation.core.errors import CurationError
from curation.core.runtime import Runtime
from curation.selectors.where import Where

VALUES = ["cat", "dog", None, "cat", "fox"]


def picked(build, values, *names, noise=(), **parameters):
    pool = build(len(values))
    labels = pool.labels(values)
    for row in noise:
        labels.codes[row] = -1
    return Where(values=names, **parameters).select(pool.pool, pool.ask(), Runtime(), labels=labels)


def test_rows_among_and_others_share_the_labelled_rows_out(build):
    among, others = picked(build, VALUES, "cat", "fox"), picked(build, VALUES, "cat", "fox", keep="others")
    assert among.order.tolist() == [0, 3, 4]
    assert others.order.tolist() == [1]
    assert among.why(1) == "out: its label is not among: cat, fox"
    assert others.why(0) == "out: its label is among: cat, fox"
    assert among.why(2) == others.why(2) == "out: no label"


def test_noise_has_a_name_of_its_own(build):
    assert picked(build, VALUES, "noise", noise=[1]).order.tolist() == [1]
    assert picked(build, VALUES, "cat", keep="others", noise=[1]).order.tolist() == [1, 4]
    assert picked(build, VALUES, "noise", keep="others", noise=[1]).order.tolist() == [0, 3, 4]


def test_a_label_called_noise_is_that_label(build):
    assert picked(build, ["noise", "cat", "cat"], "noise", noise=[1]).order.tolist() == [0]


@pytest.mark.parametrize("name", ["cta", "noise"])
def test_an_unknown_label_is_an_error_that_names_the_known(build, name):
    with pytest.raises(CurationError, match=f"no label is named '{name}'") as error:
        picked(build, VALUES, name)
    assert "cat" in error.value.hint
