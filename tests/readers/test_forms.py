from __future__ import annotations

import pytest

from curation.core.errors import DataError
from curation.readers import Mapping, preview
from curation.readers._record import Sample
from curation.readers.forms import FORMS, matches


def test_the_most_telling_form_wins_and_the_others_are_listed():
    found = matches(Sample([{"instruction": "q", "context": "c", "response": "a"}]))
    assert [m.mapping.form for m in found] == ["dolly", "alpaca", "prompt-completion"]
    assert found[0].why == "prompt = instruction, input = context, response; 1 of the first 1 records fit"


def test_a_form_that_reads_few_records_loses_to_one_that_reads_many():
    records = [{"messages": None, "instruction": "q", "output": "a"}] * 9
    records.append({"messages": [{"role": "user", "content": "q"}], "instruction": "q", "output": "a"})
    found = matches(Sample(records))
    assert [m.mapping.form for m in found][0] == "alpaca"
    assert "messages" in [m.mapping.form for m in found]


def test_no_form_fits_records_of_unknown_fields():
    assert matches(Sample([{"a": 1, "b": 2}])) == []
    assert matches(Sample([1, 2])) == []


def test_reading_records_of_unknown_fields_names_them_and_shows_a_mapping(load_records):
    with pytest.raises(DataError) as error:
        load_records({"q": "what?", "a": "this"})
    assert "fields q, a" in error.value.message
    assert "Mapping(form='prompt-completion', prompt='q', response='a')" in error.value.hint
    got = load_records({"q": "what?", "a": "this"}, mapping=Mapping(form="prompt-completion", prompt="q", response="a"))
    assert got.dataset.texts("both") == ["what?\n\nthis"]


def test_a_preview_of_records_of_unknown_fields_does_not_raise(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text('{"q": "what?", "a": "this"}\n')
    seen = preview([path]).sources[0]
    assert seen.form is None and seen.mapping is None
    assert seen.fields == ["q", "a"]
    assert "fields q, a" in seen.why
    assert (seen.looked_at, seen.rejected) == (1, 1)


def test_fields_inside_fields_by_a_dotted_path(load_records):
    mapping = Mapping(form="prompt-completion", prompt="data.ask", response="data.replies.0")
    got = load_records({"data": {"ask": "q", "replies": ["a", "b"]}}, mapping=mapping)
    assert got.dataset.texts("both") == ["q\n\na"]


@pytest.mark.parametrize("form", FORMS.values(), ids=list(FORMS))
def test_every_form_has_a_title_and_no_form_guesses_from_nothing(form):
    assert form.title
    assert form.guess(Sample([])) is None
