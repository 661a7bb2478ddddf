"""Everything bad that people feed a reader, and what each gets.

`python tests/readers/test_bad_input.py` writes the table in docs/bad-input.md from what is measured here; a test holds
them together.
"""

from __future__ import annotations

import gzip
import io
import json
import random
import re
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curation.core.dataset import Dataset, DatasetWriter
from curation.core.errors import CurationError, DataError
from curation.readers import Rejected, preview, read

DOC = Path(__file__).resolve().parents[2] / "docs" / "bad-input.md"
GOOD = [{"instruction": f"question {i}", "input": "", "output": f"answer {i}"} for i in range(4)]
TEXTS = [json.dumps(record) for record in GOOD]


def lines(*texts: str | bytes) -> bytes:
    return b"".join((t if isinstance(t, bytes) else t.encode()) + b"\n" for t in texts)


def zipped(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


def gzip_cut_off(data: bytes) -> bytes:
    """A gzip file that ends after this data, before its end mark."""
    packer = zlib.compressobj(wbits=31)
    return packer.compress(data) + packer.flush(zlib.Z_FULL_FLUSH)


def parquet() -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(GOOD), sink)
    return sink.getvalue().to_pybytes()


LISTED = json.dumps(GOOD, indent=1).encode()
MB50 = 50_000_000


@dataclass(frozen=True)
class Case:
    """One bad input.

    Args:
        title: What is bad.
        name: Name of the file.
        data: Its bytes, or None for a folder with one README.md.
        rows: Rows that are read; None where the whole file is an error.
        rejected: Records that are rejected.
    """

    title: str
    name: str
    data: Callable[[], bytes] | None
    rows: int | None
    rejected: int = 0


CASES = [
    Case("empty file", "x.json", lambda: b"", None),
    Case("only blanks", "x.jsonl", lambda: b" \n\n ", None),
    Case("only NUL bytes (never written to the end)", "x.jsonl", lambda: b"\0" * 5000, None),
    Case("an empty list", "x.json", lambda: b"[]", None),
    Case("JSON list cut off inside a record", "x.json", lambda: LISTED[:-60], 3, 1),
    Case("JSON list cut off between records", "x.json", lambda: LISTED[:-2], 4, 1),
    Case("JSONL cut off inside a line", "x.jsonl", lambda: lines(*TEXTS)[:-12], 3, 1),
    Case(
        "a bracket or quote missing inside a list",
        "x.json",
        lambda: LISTED.replace(b'"question 1"', b'"question 1'),
        3,
        1,
    ),
    Case("a bad line in JSONL", "x.jsonl", lambda: lines(*TEXTS[:2], "{'single': 'quotes'}", *TEXTS[2:]), 4, 1),
    Case("text after the end of the list", "x.json", lambda: LISTED + b"\nthe end", 4, 1),
    Case(
        "one line of 50 MB",
        "x.jsonl",
        lambda: lines(TEXTS[0], json.dumps({**GOOD[0], "output": "x" * MB50}), TEXTS[1]),
        2,
        1,
    ),
    Case(
        "one record of 50 MB in a list",
        "x.json",
        lambda: json.dumps([GOOD[0], {**GOOD[0], "output": "x" * MB50}, GOOD[1]]).encode(),
        2,
        1,
    ),
    Case(
        "NUL byte in JSONL",
        "x.jsonl",
        lambda: lines(TEXTS[0], TEXTS[1].replace("question", "\0uestion"), TEXTS[2]),
        2,
        1,
    ),
    Case("NUL byte in CSV", "x.csv", lambda: b"text,label\na,x\nb\0b,y\nc,z\n", 2, 1),
    Case("byte-order mark", "x.jsonl", lambda: b"\xef\xbb\xbf" + lines(*TEXTS), 4),
    Case("byte-order mark in CSV", "x.csv", lambda: "text,label\na,x\n".encode("utf-8-sig"), 1),
    Case("UTF-16", "x.json", lambda: LISTED.decode().encode("utf-16"), 4),
    Case("UTF-16 without a mark", "x.csv", lambda: "text,label\nWhere is my card?,x\n".encode("utf-16-le"), 1),
    Case("Latin-1", "x.jsonl", lambda: lines(*TEXTS).replace(b"question 1", b"caf\xe9"), 4),
    Case("Windows-1252", "x.csv", lambda: b"text,label\n\x93quoted\x94,x\n", 1),
    Case(
        "UTF-8 with a damaged byte",
        "x.jsonl",
        lambda: lines(TEXTS[0], TEXTS[1].encode().replace(b"question", "é".encode() + b"\xff"), TEXTS[2]),
        2,
        1,
    ),
    Case("lone surrogate", "x.jsonl", lambda: lines(TEXTS[0], TEXTS[1].replace("answer", "\\ud83d"), TEXTS[2]), 2, 1),
    Case(
        "mixed types",
        "x.jsonl",
        lambda: lines(
            *TEXTS, *(json.dumps({**GOOD[0], "output": v}) for v in (5, ["a"], {"b": 1}, True)), "17", '"text"', "null"
        ),
        4,
        7,
    ),
    Case(
        "null and empty answers",
        "x.jsonl",
        lambda: lines(TEXTS[0], *(json.dumps({**GOOD[0], "output": v}) for v in (None, ""))),
        3,
    ),
    Case("duplicate ids", "x.jsonl", lambda: lines(*(json.dumps({**r, "id": 7}) for r in GOOD)), 4),
    Case("rows that are equal", "x.jsonl", lambda: lines(TEXTS[0], TEXTS[0], TEXTS[0]), 3),
    Case(
        "one key twice in a record (the last one counts, as in Python)",
        "x.jsonl",
        lambda: lines('{"prompt": "a", "prompt": "b", "completion": "c"}'),
        1,
    ),
    Case(
        "missing fields",
        "x.jsonl",
        lambda: lines(*TEXTS, '{"instruction": "q"}', '{"output": "a"}', "{}", '{"instruction": null, "output": "a"}'),
        4,
        4,
    ),
    Case("fields that nobody knows", "x.jsonl", lambda: lines('{"q": "a", "a": "b"}'), None),
    Case(
        "a list 5,000 levels deep", "x.jsonl", lambda: lines(TEXTS[0], '{"a": ' + "[" * 5000 + "]" * 5000 + "}"), 1, 1
    ),
    Case("a list 150 levels deep", "x.json", lambda: f"[{TEXTS[0]}, {'[' * 150 + ']' * 150}]".encode(), 1, 1),
    Case(
        "a surprise inside a conversation",
        "x.jsonl",
        lambda: lines(
            *['{"messages": [{"role": "user", "content": "q"}]}'] * 2,
            '{"messages": [{"role": "user", "content": "q"}, "surprise"]}',
            '{"messages": {"role": "user"}}',
            '{"messages": [{"role": "pirate", "content": "arr"}]}',
        ),
        2,
        3,
    ),
    Case(
        "NaN and a number of 60 digits", "x.jsonl", lambda: lines('{"text": "t", "a": NaN, "b": ' + "1" * 60 + "}"), 1
    ),
    Case("CSV rows too short and too long", "x.csv", lambda: b"text,label\na,x\nb\nc,y,z\n", 1, 2),
    Case("CSV quote that is never closed", "x.csv", lambda: b'text,label\na,x\n"b,y\nc,z\nd,z\n', 3, 1),
    Case("CSV without a header", "x.csv", lambda: b"I want my card back please,1\nWhere is it?,2\n", None),
    Case("gzip cut off", "x.jsonl.gz", lambda: gzip_cut_off(lines(*TEXTS[:3])), 3, 1),
    Case(
        "zstd cut off", "x.jsonl.zst", lambda: zstandard.compress(random.Random(0).randbytes(10) + b"x" * 99)[:-3], None
    ),
    Case("Parquet cut off", "x.parquet", lambda: parquet()[:-50], None),
    Case("zip bomb", "x.zip", lambda: zipped({"a.json": b" " * 300_000_000}), None),
    Case("gzip bomb", "x.json.gz", lambda: gzip.compress(b"[" + b" " * 300_000_000), None),
    Case(
        "an archive inside an archive",
        "x.zip",
        lambda: zipped({"a.json": LISTED, "b.zip": zipped({"a.json": LISTED})}),
        None,
    ),
    Case("an archive without data", "x.zip", lambda: zipped({"README.md": b"hello"}), None),
    Case("a folder without data", "folder", None, None),
    Case("a file that is not there", "missing.json", None, None),
    Case("a web page saved as JSON", "x.json", lambda: b"<!DOCTYPE html><html>404</html>", None),
    Case("a Git LFS pointer", "x.jsonl", lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", None),
    Case("a pickle", "x.pkl", lambda: b"\x80\x04\x95\x00\x00\x00", None),
    Case("a spreadsheet", "x.xlsx", lambda: zipped({"[Content_Types].xml": b"<x/>"}), None),
    Case("plain text", "notes.txt", lambda: b"Just some notes.\n", None),
]


VARIES = [
    (r"[\d.,]+ MB or more from [\d.,]+ MB \([\d.,]+ times", "… MB or more from … MB (… times"),
    (r"damaged parquet file: .*?\. \*", "damaged parquet file: …. *"),
]
"""Words and numbers of other packages, which change with their versions."""


def make(case: Case, folder: Path) -> Path:
    path = folder / case.name
    if case.data is not None:
        path.write_bytes(case.data())
    elif case.name == "folder":
        path.mkdir()
        (path / "README.md").write_text("hello")
    return path


def attempt(path: Path, folder: Path) -> tuple[Dataset | DataError, list[Rejected], list[str]]:
    """Rows and notes, or the error, and the records rejected."""
    rejected: list[Rejected] = []
    writer = DatasetWriter(folder, "x")
    try:
        facts = read([path], writer, reject=rejected.append)
    except DataError as error:
        writer.abandon()
        return error, rejected, []
    writer.finish(facts)
    return Dataset.open(folder), rejected, [note for source in facts["sources"] for note in source["notes"]]


def describe(case: Case, folder: Path) -> str:
    """One line of the table."""
    (folder / "out").mkdir()
    result, rejected, notes = attempt(make(case, folder), folder / "out")
    if isinstance(result, DataError):
        got = f"**error** {result.message}. *{result.hint}*".replace(str(folder) + "/", "")
    else:
        got = f"{len(result)} row{'s' * (len(result) != 1)}" + "".join(f"; {note}" for note in notes)
        for row in rejected:
            got += f"<br>line {row.line}: {f'`{row.field}` ' if row.field else ''}{row.reason}"
    for pattern, shown in VARIES:
        got = re.sub(pattern, shown, got)
    return f"| {case.title} | `{case.name}` | {got} |".replace("\n", " ")


@pytest.mark.parametrize("case", CASES, ids=[case.title for case in CASES])
def test_every_bad_input_gets_what_the_table_says(case, tmp_path):
    line = describe(case, tmp_path)
    assert line in DOC.read_text(encoding="utf-8").split("\n"), "python tests/readers/test_bad_input.py"
    result, rejected, _ = attempt(tmp_path / case.name, tmp_path / "out")
    if case.rows is None:
        assert isinstance(result, DataError)
        assert case.name in result.message and result.hint
    else:
        assert len(result) == case.rows
        assert len(rejected) == case.rejected
        assert all(r.source == case.name and r.line > 0 and r.reason for r in rejected)


@pytest.mark.parametrize("case", [c for c in CASES if c.rows], ids=lambda case: case.title)
def test_a_preview_of_a_bad_file_agrees_with_its_reading(case, tmp_path):
    seen = preview([make(case, tmp_path)])
    assert seen.rejected == case.rejected
    assert seen.total == case.rows + case.rejected


def test_a_50_mb_line_does_not_pass_memory_on(tmp_path):
    case = next(c for c in CASES if c.title == "one line of 50 MB")
    (tmp_path / "out").mkdir()
    _, rejected, _ = attempt(make(case, tmp_path), tmp_path / "out")
    assert len(rejected[0].excerpt) == 2000


VALID = {
    "x.json": LISTED,
    "x.jsonl": lines(*TEXTS),
    "splits.json": json.dumps({"train": GOOD, "test": GOOD}).encode(),
    "x.csv": b'text,label\n"a, ""b""",x\nplain,y\n"two\nlines",z\n',
    "x.jsonl.gz": gzip.compress(lines(*TEXTS)),
    "x.jsonl.zst": zstandard.compress(lines(*TEXTS)),
    "x.zip": zipped({"a.jsonl": lines(*TEXTS), "b.csv": b"text,label\na,x\n"}),
    "x.parquet": parquet(),
}


def arrow_file() -> bytes:
    sink = pa.BufferOutputStream()
    table = pa.Table.from_pylist(GOOD)
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


VALID["x.arrow"] = arrow_file()
PIECES = [
    b'"',
    b"\\",
    b"[",
    b"]",
    b"{",
    b"}",
    b",",
    b"\n",
    b"\r",
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\\ud800",
    b"NaN",
    b"",
]


@pytest.mark.parametrize("name", VALID)
@given(data=st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_damage_ever_ends_in_anything_but_rows_rejections_or_a_clear_error(name, data):
    content = bytearray(VALID[name])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content)))
        if data.draw(st.booleans()):
            content[at : at + data.draw(st.integers(0, 6))] = data.draw(st.sampled_from(PIECES) | st.binary(max_size=4))
        elif data.draw(st.booleans()):
            del content[at:]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        (Path(folder) / "out").mkdir()
        try:
            result, _, _ = attempt(path, Path(folder) / "out")
            preview([path])
        except CurationError:
            return
        if isinstance(result, Dataset):
            assert len(list(result.records())) == len(result)  # everything kept can be read again


def write_table() -> None:
    """Measure every case and write the table."""
    head = DOC.read_text(encoding="utf-8").split("| bad input |")[0] if DOC.exists() else ""
    rows = []
    for case in CASES:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(describe(case, Path(folder)))
    table = ["| bad input | file | what you get |", "|---|---|---|", *rows]
    DOC.write_text(head + "\n".join(table) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_table()
