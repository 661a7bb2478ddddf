from __future__ import annotations

import gzip
import io
import random
from collections import Counter

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from curation.core.errors import DataError
from curation.readers.containers import stream as streams
from curation.readers.containers.stream import ByteStream, Utf8Stream, encoding_of, lines
from curation.readers.sources import Source

SOURCE = Source("x.bin", "x.bin")
DATA = b"".join(b"line %d of some text\n" % random.Random(i).randrange(10**9) for i in range(20_000))
PACKERS = {"gzip": gzip.compress, "zstd": zstandard.compress}


def opened(data):
    return ByteStream(SOURCE, io.BytesIO(data))


def everything(stream):
    parts = []
    while data := stream.read():
        parts.append(data)
    return b"".join(parts)


@pytest.mark.parametrize("kind", PACKERS)
@pytest.mark.parametrize("pieces", [1, 3])
def test_packed_data_is_unpacked_from_all_its_pieces(kind, pieces):
    stream = opened(PACKERS[kind](DATA) * pieces)
    assert stream.packing == kind
    assert stream.head == DATA[: len(stream.head)]
    assert everything(stream) == DATA * pieces
    assert stream.broken is None


@pytest.mark.parametrize("kind", PACKERS)
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_packed_data_that_is_cut_off_gives_what_is_whole_and_says_so(kind, share):
    packed = PACKERS[kind](DATA)
    stream = opened(packed[: int(len(packed) * share)])
    got = everything(stream)
    assert DATA.startswith(got)
    assert len(got) > len(DATA) * (share - 0.6)
    assert "ends early" in stream.broken


def test_a_damaged_byte_in_gzip_is_a_break():
    packed = bytearray(gzip.compress(DATA))
    packed[len(packed) // 2] ^= 0xFF
    stream = opened(bytes(packed))
    everything(stream)
    assert "damaged" in stream.broken


def test_padding_after_gzip_is_ignored():
    stream = opened(gzip.compress(DATA) + b"\0" * 500)
    assert everything(stream) == DATA
    assert stream.broken is None


@pytest.mark.parametrize("kind", PACKERS)
def test_a_bomb_is_refused_while_it_unpacks(monkeypatch, kind):
    monkeypatch.setattr(streams, "FREE_BYTES", 1 << 20)
    with pytest.raises(DataError, match="times its size"):
        everything(opened(PACKERS[kind](b"\0" * (40 << 20))))


def test_gzip_gives_no_more_than_was_asked_for():
    stream = opened(gzip.compress(b"a" * (16 << 20)))
    sizes = []
    while data := stream.read(1 << 16):
        sizes.append(len(data))
    assert sum(sizes) == 16 << 20
    assert max(sizes) <= 1 << 16


def test_a_disk_error_is_a_break():
    class Failing(io.BytesIO):
        def read(self, size=-1, /):
            if self.tell() > 200_000:
                raise OSError("I/O error")
            return super().read(size)

    stream = ByteStream(SOURCE, Failing(DATA))
    assert DATA.startswith(everything(stream))
    assert "I/O error" in stream.broken


@given(st.lists(st.binary(max_size=9), max_size=9), st.integers(1, 5), st.integers(1, 12))
def test_lines_are_what_split_gives_cut_to_the_limit(pieces, chunk, limit):
    pieces = [p.replace(b"\n", b"x") for p in pieces]
    data = b"\n".join(pieces)

    class Chunks:
        left = data

        def read(self):
            out, self.left = self.left[:chunk], self.left[chunk:]
            return out

    expected = data.split(b"\n")
    if not expected[-1]:
        expected.pop()
    got = list(lines(Chunks(), limit))
    assert [(raw, length) for _, raw, length in got] == [(p[:limit], len(p)) for p in expected]
    assert [number for number, _, _ in got] == list(range(1, len(expected) + 1))


@given(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1),
    st.sampled_from(["utf-16", "utf-32", "utf-8-sig"]),
)
def test_marked_encodings_become_utf_8(text, encoding):
    stream = Utf8Stream(opened(text.encode(encoding)), Counter())
    assert everything(stream) == text.encode()
    assert stream.marked


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_unmarked_utf_16_is_seen_by_its_nul_bytes(encoding):
    assert encoding_of('{"instruction": "什么 is it?", "output": "x"}'.encode(encoding)) == (encoding, 0)


def test_text_with_a_few_nul_bytes_is_not_utf_16():
    assert encoding_of(b'{"a": "x\0y"}\n' * 30) == ("utf-8", 0)


def test_utf_16_that_is_cut_inside_a_character_is_a_break():
    stream = Utf8Stream(opened("ab😀".encode("utf-16")[:-1]), Counter())
    everything(stream)
    assert "not valid UTF-16" in stream.broken
