from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.readers._json import LATIN, WINDOWS, decode, deeper, parse, unpacked
from curation.readers._record import MAX_DEPTH, Reject

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('ab\n\\"é'), inner, max_size=3),
    max_leaves=10,
)


@given(VALUES, st.booleans())
def test_whatever_json_writes_is_read_back_by_the_standard_library_from_the_text(value, ascii_only):
    raw = json.dumps(value, ensure_ascii=ascii_only).encode()
    _, text, note = parse(raw, True)
    assert repr(json.loads(text)) == repr(value)  # repr: NaN equals itself, -0.0 differs from 0.0
    assert note is None


def test_numbers_that_are_no_json_are_read_where_python_writes_them():
    assert parse(b'{"a": NaN}', True)[1] == '{"a": NaN}'
    assert parse(b'{"a": -Infinity}', True)[0] == {"a": float("-inf")}
    huge = "1" * 60
    assert json.loads(parse(huge.encode(), True)[1]) == int(huge)


@pytest.mark.parametrize(
    "raw,field,reason",
    [
        (b'{"a": "x\0y"}', None, "NUL byte at character 9"),
        (b'{"a": \0}', None, "NUL byte at character 7"),
        (b'{"a": ', None, "ends too early"),
        (b'{"a": "x', None, "ends too early"),
        (b'{"a": 1}}', None, "extra data at character 9"),
        (b"{'a': 1}", None, "not valid JSON"),
        (b'{"a": "\x01"}', None, "not valid JSON: invalid control character"),
        (b'{"a": {"b": ["x", "\\ud800"]}}', "a.b[1]", "lone surrogate U+D800 at character 1"),
        (b'{"\\udfff": 1}', None, "name holds the lone surrogate U+DFFF"),
        (b'{"a": "\xed\xa0\x80"}', "a", "lone surrogate U+D800"),
        ('{"a": "é'.encode() + b'\xff"}', "a", "byte 0xff at character 2"),
        (b"[" * 150 + b"]" * 150, None, "nested more than 100 levels"),
        (b"[" * 5000 + b"]" * 5000, None, "nested more than 100 levels"),
        (b"[" * 200_000, None, "nested more than 100 levels"),
        (b"1" * 5000, None, "number that cannot be read"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(raw, field, reason):
    with pytest.raises(Reject) as error:
        parse(raw, True)
    assert error.value.field == field
    assert reason in error.value.reason


def test_escaped_nul_and_surrogate_pairs_are_text():
    assert parse(b'{"a": "x\\u0000"}', True)[0] == {"a": "x\0"}
    assert parse(b'{"a": "\\ud83d\\ude00"}', True)[0] == {"a": "😀"}


def test_latin_1_is_told_from_damaged_utf_8():
    assert decode("café".encode("latin-1"), True) == ("café", LATIN)
    assert decode("“café”".encode("cp1252"), True) == ("“café”", WINDOWS)
    assert decode("naïve".encode() + b"\xe9", True)[0] == "naïve\udce9"
    assert decode("café".encode("latin-1"), False) == ("caf\udce9", None)
    assert decode(b"\x81\x8d", True) == ("\udc81\udc8d", None)  # no character of Windows-1252


@given(st.integers(0, 150))
def test_depth_is_counted_as_written(levels):
    value = json.loads("[" * levels + "]" * levels) if levels else 1
    assert deeper(value, MAX_DEPTH) == (levels > MAX_DEPTH)


def test_json_text_in_a_cell():
    assert unpacked('[{"a": 1}]') == [{"a": 1}]
    assert unpacked("[not json") == "[not json"
    assert unpacked("plain") == "plain"
    assert unpacked(["a"]) == ["a"]
    assert unpacked("[" * 5000) == "[" * 5000
    assert unpacked('["\\ud800"]') == '["\\ud800"]'
