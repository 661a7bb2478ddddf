from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curation.readers import Mapping
from curation.readers.containers import delimited
from curation.readers.containers.delimited import Dialect, find_dialect, looks_like_header
from curation.readers.containers.stream import ByteStream
from curation.readers.sources import Source

CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=12)


def container(data, name="x.csv", header=None):
    return delimited.DelimitedContainer(ByteStream(Source(name, name), io.BytesIO(data)), header)


def write(rows, **options):
    file = io.StringIO()
    csv.writer(file, **options).writerows(rows)
    return file.getvalue()


@given(
    st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=8),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.sampled_from(["\n", "\r\n"]),
)
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_what_csv_writes_is_read_back(rows, delimiter, quoting, end):
    text = write([("text", "label"), *rows], delimiter=delimiter, quoting=quoting, lineterminator=end)
    box = container(text.encode(), header=True)
    assert [list(item.value.values()) for item in box.items()] == [list(r) for r in rows]
    assert box.facts["delimiter"] == delimiter
    assert box.facts["lineterminator"] == end


def test_facts_name_dialect_and_columns():
    box = container(b'"text","label"\r\n"a, b","x"\r\n')
    assert box.facts == {
        "delimiter": ",",
        "quoting": "all",
        "quotechar": '"',
        "lineterminator": "\r\n",
        "header": True,
        "columns": ["text", "label"],
        "encoding": "utf-8",
        "bom": False,
    }


@pytest.mark.parametrize(
    "head,dialect",
    [
        ("a,b\n1,2\n", Dialect(",")),
        ("a;b\n1,5;2\n3,5;4\n", Dialect(";")),
        ("a\tb\n1\t2\n", Dialect("\t")),
        ("a|b|c\n1|2|3\n", Dialect("|")),
        ("text\nhello\n", Dialect(",")),
        ('"a","b"\n"1","2"\n', Dialect(",", "all")),
        ('a,b\n"x, y",2\n', Dialect(",")),
        ('a\tb\n"he said\tx\n"so\ty\n"no" way\tz\n', Dialect("\t", "none")),
        ('a,b\n"he "x" y",1\nz,2\nz,3\nz,4\nz,5\nz,6\n', Dialect(",")),
    ],
)
def test_delimiter_and_quoting_are_found(head, dialect):
    assert find_dialect(head) == dialect


def test_line_ends_inside_quotes_and_the_lines_records_begin_on():
    items = list(container(b'text,label\n"a\nb",x\n\nc,y\n').items())
    assert [i.value["text"] for i in items] == ["a\nb", "c"]
    assert [i.line for i in items] == [2, 5]


def test_a_quote_that_is_never_closed_costs_its_line_only():
    data = b'text,label\na,x\n"b,y\nc,z\nd,w\n'
    items = list(container(data).items())
    assert [i.value["text"] if hasattr(i, "value") else i.reason for i in items] == [
        "a",
        "a quote is opened and not closed before the end of the file",
        "c",
        "d",
    ]
    assert items[1].line == 3


def test_a_quote_that_is_not_doubled_costs_its_line_only():
    items = list(container(b'text,label\n"he said "no" twice",x\nb,y\n').items())
    assert items[0].reason == "a quote inside a quoted field is not doubled"
    assert items[0].excerpt.startswith('"he said')
    assert items[1].value == {"text": "b", "label": "y"}


def test_rows_that_are_too_short_or_too_long(tmp_path, load):
    path = tmp_path / "x.csv"
    path.write_text("text,label\na,x\nb\nc,y,z\nd,w\n")
    got = load(path)
    assert got.reasons == ["3: has 1 fields where the header has 2", "4: has 3 fields where the header has 2"]
    assert got.dataset.texts("prompt") == ["a", "d"]
    assert got.dataset.table["line"].to_pylist() == [0, 3]


def test_without_a_header_columns_are_numbered(tmp_path, load):
    path = tmp_path / "x.csv"
    path.write_text("I would like to know where my new card is,1\nWhere is it?,2\n")
    mapping = Mapping(form="text-label", text="column 1", label="column 2")
    got = load(path, mapping=mapping)
    assert got.dataset.texts("response") == ["1", "2"]
    assert got.notes == ["the first line is taken for data, not for a header"]


def test_the_user_can_say_that_there_is_no_header(tmp_path, load):
    path = tmp_path / "x.csv"
    path.write_text("hello,greet\nbye,leave\n")
    mapping = Mapping(form="text-label", text="column 1", label="column 2", header=False)
    assert load(path, mapping=mapping).dataset.texts("prompt") == ["hello", "bye"]


@pytest.mark.parametrize(
    "fields,header",
    [
        (["text", "label"], True),
        (["Unnamed: 0", "text (en)"], True),
        (["", "text", "label"], True),
        (["hello there, how are you today my friend", "x"], False),
        (["1", "2"], False),
        (["text", "text", "text"], False),
        ([""], False),
    ],
)
def test_a_header_is_told_from_data(fields, header):
    assert looks_like_header(fields) is header


def test_columns_of_one_name_get_numbers():
    box = container(b"text,label,text\na,x,b\n")
    assert box.columns == ["text", "label", "text (2)"]
    assert next(iter(box.notes)).startswith("several columns are named 'text'")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "latin-1"])
def test_encodings(tmp_path, load, encoding):
    path = tmp_path / "x.csv"
    path.write_bytes("text,label\ncafé one,x\nplain,y\n".encode(encoding))
    got = load(path)
    assert got.dataset.texts("prompt") == ["café one", "plain"]
    assert len(got.notes) == 1


def test_old_mac_line_ends(tmp_path, load):
    path = tmp_path / "x.csv"
    path.write_bytes(b"text,label\ra,x\rb,y\r")
    assert load(path).dataset.texts("prompt") == ["a", "b"]


def test_a_line_beyond_the_limit_is_rejected_and_the_next_follows(monkeypatch):
    monkeypatch.setattr(delimited, "MAX_RECORD_BYTES", 1000)
    items = list(container(b"text,label\n" + b"x" * 5000 + b",y\nb,z\n").items())
    assert "more than" in items[0].reason
    assert items[1].value == {"text": "b", "label": "z"}


def test_a_quoted_field_beyond_the_limit_is_rejected(monkeypatch):
    monkeypatch.setattr(delimited, "MAX_RECORD_BYTES", 1000)
    items = list(container(b'text,label\n"x\n' + b"word\n" * 500 + b"b,z\n").items())
    assert items[0].reason == "a quote is opened and not closed"
    assert items[-1].value == {"text": "b", "label": "z"}


def test_lists_in_cells_are_json(tmp_path, load):
    turns = [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]
    path = tmp_path / "x.csv"
    path.write_text(write([("conversations", "id"), (json.dumps(turns), "7")]))
    got = load(path)
    assert got.facts["sources"][0]["form"] == "sharegpt"
    assert got.dataset.texts("both") == ["q\n\na"]
    assert list(got.dataset.records()) == [{"conversations": json.dumps(turns), "id": "7"}]


def test_tokens_in_cells_are_json(tmp_path, load):
    path = tmp_path / "x.tsv"
    path.write_text('tokens\ttags\tintent\n["a", "b"]\t["O", "O"]\tplay\n')
    got = load(path)
    assert got.facts["sources"][0]["container"] == "tsv"
    assert got.dataset.texts("both") == ["a b\n\nplay"]
