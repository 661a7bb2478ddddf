from __future__ import annotations

import pytest

from curation.readers import Mapping


@pytest.mark.parametrize(
    "record",
    [
        {"text": "t", "label": "x"},
        {"Text": "t", "Category": "x"},
        {"utterance": "t", "intent": "x"},
        {"sentence": "t", "sentiment": "x", "id": 3},
    ],
)
def test_the_usual_names_are_known(load_records, record):
    got = load_records(record)
    assert got.facts["sources"][0]["form"] == "text-label"
    assert (got.dataset.texts("prompt"), got.dataset.texts("response")) == (["t"], ["x"])
    assert list(got.dataset.records()) == [record]


def test_lists_of_two(load_records):
    got = load_records(*[[f"t{i}", "ab"[i % 2]] for i in range(10)])
    assert got.facts["sources"][0]["form"] == "text-label"
    assert got.dataset.texts("response")[:3] == ["a", "b", "a"]


def test_labels_that_are_no_texts_are_written_out(load_records):
    got = load_records(*[{"text": "t", "label": v} for v in (3, True, 0.5, None)])
    assert got.dataset.texts("response") == ["3", "true", "0.5", ""]


def test_numbers_become_names_where_the_names_are_known(load_records):
    mapping = Mapping(form="text-label", text="text", label="label", label_names=["neg", "pos"])
    got = load_records(*[{"text": "t", "label": v} for v in (0, 1, -1, 2, "pos")], mapping=mapping)
    assert got.dataset.texts("response") == ["neg", "pos", "", "pos"]
    assert got.reasons == ["4: label is 2, but there are names for 0 to 1"]


def test_pairs_of_sentences(load_records):
    got = load_records({"premise": "p", "hypothesis": "h", "label": 1})
    assert got.dataset.texts("prompt") == ["p\nh"]


def test_what_cannot_be_read_names_the_field(load_records):
    good = {"text": "t", "label": "x"}
    got = load_records(good, good, good, {"text": "t"}, {"label": "x"}, {"text": "t", "label": ["x"]})
    assert got.reasons == ["4: label is missing", "5: text is missing", "6: label is a list, a label is needed"]
