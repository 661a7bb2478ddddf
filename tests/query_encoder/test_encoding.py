"""A query is encoded exactly as rows are: the text of a row gives the row's stored vector."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from curation.core.errors import CurationError
from curation.query_encoder import MOST_LETTERS, encode_here, encoding, searchable, space_of
from curation.query_encoder.space import Network
from tests.query_encoder.conftest import TEXTS, make


@pytest.mark.parametrize("step", ["embed", "fewer", "unit", "twice"])
def test_the_text_of_a_row_gives_its_vector(made, step):
    stored = made.workspace.load(made.keys[step])
    found = encode_here(made.workspace, made.keys[step], TEXTS)
    assert found.dtype == np.float32
    assert found.shape == (len(TEXTS), stored.values.shape[1])
    np.testing.assert_allclose(found, stored.values[: len(TEXTS)], atol=2e-5)


def test_a_projection_of_some_rows_is_made_again_from_these(made):
    stored = made.workspace.load(made.keys["part"])
    assert stored.missing.mask.sum() > 5
    found = encode_here(made.workspace, made.keys["part"], TEXTS[:20])
    np.testing.assert_allclose(found, stored.values[:20], atol=2e-5)
    assert np.isfinite(encode_here(made.workspace, made.keys["part"], TEXTS[20:])).all()


def test_long_texts_are_cut_where_rows_were_cut(made, tmp_path, tiny_encoder):
    other = make(tmp_path / "ws", tiny_encoder, "truncate")
    cut = encode_here(other.workspace, other.keys["embed"], TEXTS)
    np.testing.assert_allclose(cut, other.workspace.load(other.keys["embed"]).values[: len(TEXTS)], atol=2e-5)
    whole = encode_here(made.workspace, made.keys["embed"], TEXTS)
    assert np.abs(cut - whole)[3].max() > 1e-4  # the long ones differ, so the setting was heard
    assert np.abs(cut - whole)[0].max() < 1e-5


def test_vectors_from_word_counts_say_what_is_needed(made):
    with pytest.raises(CurationError, match="vocabulary") as caught:
        encode_here(made.workspace, made.keys["words"], ["rain"])
    assert "encoder/sentence" in caught.value.hint


def test_which_vectors_can_be_searched(made):
    infos = {i.key: searchable(i) for i in made.workspace.results()}
    assert {step: infos[made.keys[step]] for step in made.keys} == {
        "embed": True, "words": False, "fewer": True, "unit": True, "twice": True, "part": True,
    }  # fmt: skip
    assert not all(searchable(i) for i in made.workspace.results() if i.kind != "features")


def test_a_result_without_vectors_and_one_that_is_gone(made):
    rows = next(i.key for i in made.workspace.results() if i.kind == "selection")
    with pytest.raises(CurationError, match="holds selection, not vectors"):
        space_of(made.workspace, rows)
    with pytest.raises(CurationError, match="no result"):
        space_of(made.workspace, "nothing")


def test_a_projection_whose_source_is_gone(tmp_path, tiny_encoder):
    own = make(tmp_path / "ws", tiny_encoder)
    own.workspace._remove(own.workspace.root / "results" / own.keys["embed"])
    with pytest.raises(CurationError, match="no longer stored"):
        encode_here(own.workspace, own.keys["fewer"], ["rain"])


def test_a_projection_that_cannot_be_made_again_is_told(made):
    projection = space_of(made.workspace, made.keys["fewer"]).projections[0]
    other = dataclasses.replace(projection, source=made.keys["words"])
    with pytest.raises(CurationError, match="cannot be made again"):
        encoding._directions(str(made.workspace.root), other)


@pytest.mark.parametrize(("text", "word"), [("", "no text"), (" \n", "no text"), ("x" * (MOST_LETTERS + 1), "10,001")])
def test_texts_that_are_no_query(made, text, word):
    with pytest.raises(CurationError, match=word):
        encode_here(made.workspace, made.keys["embed"], [text])


def test_half_precision_of_gpus_becomes_fp32_on_the_processor(tiny_encoder):
    assert encoding.network_of(Network(str(tiny_encoder), "auto", "fp16")).precision == "fp32"


def test_other_weights_in_the_same_folder_are_told(made):
    network = dataclasses.replace(space_of(made.workspace, made.keys["embed"]).network, revision="0123456789abcdef")
    with pytest.raises(CurationError, match="the recipe was made with"):
        encoding.network_of(network)
