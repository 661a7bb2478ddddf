from __future__ import annotations

import io
import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.readers.containers.json_split import CUT_OFF, MORE_TEXT, Splitter

TEXTS = st.text(alphabet=st.one_of(st.sampled_from('"\\[]{},:\n\t /'), st.characters(exclude_categories=["Cs"])))
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), TEXTS)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=8
)
CHUNKS = st.integers(1, 40)
STYLES = st.sampled_from([{"indent": None}, {"indent": 0}, {"indent": 4}, {"separators": (",", ":")}])


def split(data, layout="lists", chunk=1 << 20, limit=1 << 20):
    notes = Counter()
    return list(getattr(Splitter(io.BytesIO(data), limit, notes, chunk), layout)()), notes


def values(texts):
    assert all(text.problem is None for text in texts), [t.problem for t in texts]
    return [json.loads(text.raw) for text in texts]


@given(st.lists(VALUES, max_size=6), CHUNKS, STYLES, st.booleans())
def test_a_list_is_cut_into_its_elements_wherever_the_chunks_end(records, chunk, style, ascii_only):
    data = json.dumps(records, ensure_ascii=ascii_only, **style).encode()
    texts, notes = split(data, chunk=chunk)
    assert values(texts) == records
    assert not notes


@given(st.dictionaries(TEXTS, st.lists(VALUES, max_size=4), max_size=4), CHUNKS, STYLES)
def test_an_object_of_lists_is_cut_into_their_elements(splits, chunk, style):
    texts, notes = split(json.dumps(splits, **style).encode(), "splits", chunk)
    found = {name: [] for name in splits}
    for text, value in zip(texts, values(texts), strict=True):
        found[text.split].append(value)
    assert found == splits
    assert not notes


@given(st.lists(st.dictionaries(TEXTS, VALUES, max_size=3), min_size=1, max_size=4), CHUNKS, STYLES)
def test_values_one_after_another_are_cut(records, chunk, style):
    data = "\n".join(json.dumps(r, **style) for r in records).encode()
    assert values(split(data, "values", chunk)[0]) == records


@given(st.lists(VALUES, max_size=4), CHUNKS)
def test_lines_are_counted(records, chunk):
    data = json.dumps(records, indent=2).encode()
    for text in split(data, chunk=chunk)[0]:
        at = data.split(b"\n")[text.line - 1]
        assert at.strip().startswith(text.raw.split(b"\n")[0].strip()[:5])


RECORDS = [{"id": i, "text": 'a]b{\\"\n', "turns": [{"k": 1}, {"k": 2}]} for i in range(6)]


@pytest.mark.parametrize("indent", [None, 4])
@pytest.mark.parametrize("chunk", [1, 13, 1 << 20])
@pytest.mark.parametrize(
    "damage",
    ['"id": 2, "x": [}', '"id": 2, "x": ]', '"id": 2, {', '"id": 2, "x": [[['],
)
def test_one_damaged_record_does_not_cost_the_others(indent, chunk, damage):
    data = json.dumps(RECORDS, indent=indent).replace('"id": 2', damage).encode()
    texts, _ = split(data, chunk=chunk)
    good = []
    for text in texts:
        if text.problem is None:
            try:
                good.append(json.loads(text.raw)["id"])
            except json.JSONDecodeError:
                continue  # cut well, but not JSON inside: found when parsed
    assert good == [0, 1, 3, 4, 5]


@pytest.mark.parametrize("indent", [None, 4])
def test_what_follows_a_record_closed_too_early_is_a_problem_of_its_own(indent):
    data = json.dumps(RECORDS, indent=indent).replace('"id": 2,', '"id": 2 }}').encode()
    texts, _ = split(data)
    assert [json.loads(t.raw)["id"] for t in texts if t.problem is None] == [0, 1, 2, 3, 4, 5]
    assert [t.problem for t in texts if t.problem] == ["unexpected '}'"]


@pytest.mark.parametrize("chunk", [1, 13, 1 << 20])
def test_a_quote_left_open_costs_one_record(chunk):
    data = json.dumps(RECORDS, indent=4).replace('"id": 2,', '"id": 2, "x": "open,').encode()
    texts, _ = split(data, chunk=chunk)
    bad = [(i, text) for i, text in enumerate(texts) if text.problem]
    assert [i for i, _ in bad] == [2]
    assert "runs over the end of the line" in bad[0][1].problem
    assert bad[0][1].raw.startswith(b"{") and b'"id": 2' in bad[0][1].raw
    assert bad[0][1].line == 2 + 2 * 12  # two records of 12 lines each stand before it


@given(st.integers(1, 600), CHUNKS)
def test_a_list_cut_off_anywhere_keeps_what_was_whole(length, chunk):
    data = json.dumps(RECORDS).encode()[:length]
    texts, _ = split(data, chunk=chunk)
    good = [json.loads(t.raw)["id"] for t in texts if t.problem is None]
    assert good == list(range(len(good)))
    bad = [t for t in texts if t.problem]
    if length < len(json.dumps(RECORDS)):
        assert len(bad) == 1
        assert texts[-1] is bad[0]
        assert bad[0].problem == CUT_OFF or "before the closing" in bad[0].problem


def test_a_value_beyond_the_limit_is_a_problem_and_the_next_follows():
    records = [{"a": "x"}, {"a": "x" * 5000}, {"a": "y"}]
    for indent in (None, 2):
        for chunk in (10, 300, 1 << 20):
            texts, _ = split(json.dumps(records, indent=indent).encode(), chunk=chunk, limit=1000)
            assert [t.problem is None for t in texts] == [True, False, True]
            assert "longer than" in texts[1].problem
            assert len(texts[1].raw) <= 8000


def test_the_first_value_beyond_the_limit_without_a_place_to_go_on_says_so():
    data = json.dumps([{"a": "x" * 5000}, {"a": "y"}]).encode()
    texts, _ = split(data, chunk=100, limit=1000)
    assert len(texts) == 1
    assert "nothing after it can be read" in texts[0].problem


def test_memory_stays_bounded_while_skipping_a_long_value():
    class Endless:
        left = 3000

        def read(self, size, /):
            self.left -= 1
            return b"x" * 1000 if self.left > 0 else b'"}, \n {"a": 2}]' if self.left == 0 else b""

    class Start:
        def __init__(self):
            self.first, self.then = b'[\n {"a": 1},\n {"a": "', Endless()

        def read(self, size, /):
            data, self.first = self.first, b""
            return data or self.then.read(size)

    splitter = Splitter(Start(), 100_000, Counter(), 1000)
    sizes, texts = [], []
    for text in splitter.lists():
        texts.append(text)
        sizes.append(len(splitter._buffer))
    assert [t.problem is None for t in texts] == [True, False, True]
    assert max(sizes) < 10_000


def test_oddities_that_cost_nothing_are_noted():
    texts, notes = split(b"[1,,2 3,]")
    assert values(texts) == [1, 2, 3]
    assert notes == {"a comma too many between records": 1, "a comma is missing between records": 1}
    texts, notes = split(b"[1]\n[2]")
    assert values(texts) == [1, 2]
    assert notes == {"several JSON lists one after another, read as one": 1}


def test_values_of_an_object_that_are_no_lists_are_noted():
    texts, notes = split(b'{"version": "1.0", "meta": {"a": [1]}, "data": [1, 2]}', "splits")
    assert values(texts) == [1, 2]
    assert [t.split for t in texts] == ["data", "data"]
    assert len(notes) == 2


@pytest.mark.parametrize("layout,data", [("lists", b"[1] x"), ("splits", b'{"a": [1]} x')])
def test_text_after_the_end_is_a_problem(layout, data):
    texts, _ = split(data, layout)
    assert [t.problem for t in texts] == [None, MORE_TEXT]
    assert texts[1].raw == b"x"


@given(st.integers(1, 60), CHUNKS)
def test_an_object_cut_off_anywhere_says_so(length, chunk):
    data = b'{"version": "1.0", "train": [{"a": 1}, {"a": 2}], "test": [3]}'[:length]
    texts, _ = split(data, "splits", chunk)
    assert [t.problem is None for t in texts][-1:] == [False]
    assert sum(t.problem is not None for t in texts) == 1


def test_an_object_without_a_key_is_a_problem():
    texts, _ = split(b'{"a": [1], 5: [2]}', "splits")
    assert [t.problem is None for t in texts] == [True, False]
    assert texts[1].raw.startswith(b"5")
