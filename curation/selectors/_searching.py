"""Keyword search: what a query means, which texts it is found in, and where in a text it stands.

Everything is matched by RE2, whose time is linear in the text, so the rows that are found and the places that are
marked in them follow one rule. Capitals are folded letter by letter for all scripts (Unicode simple case folding).
"""

from __future__ import annotations

import re
import time
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.core.errors import CurationError
from curation.selectors._patterns import MOST_STATES, checked_pattern, pattern_states

MOST_LETTERS = 500
MOST_WORDS = 30
REGEX_BYTES = 256 << 10
"""Text that one call of the largest pattern is given, more for smaller ones: between calls the time is looked at."""
TIME_LIMIT_S = 60.0
_WORD = r"\pL\pN\pM_"
_GAP = r"[\s\pZ]+"
_TOKEN = re.compile(r'(-?)(?:["“”„]([^"“”„]*)(?:["“”„]|$)|(\S+))')


@dataclass(frozen=True)
class Query:
    """A query that was understood.

    Args:
        needed: RE2 patterns that must all be found.
        excluded: RE2 patterns of which none may be found.
        marks: Patterns of what `needed` looks for, without what must stand around it.
        whole: Only whole words count.
        own: The pattern is the user's own, and may be slow.
    """

    needed: tuple[str, ...]
    excluded: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    whole: bool = False
    own: bool = False


def read_query(text: str, *, whole: bool = False, regex: bool = False, case: bool = False) -> Query:
    """What a query means.

    Args:
        text: Words that must all be found, in any order; `"several words"` in a row, with any white space between;
            `-word` and `-"several words"` that must not be found. With `regex` one RE2 pattern.
        whole: A word must not be part of a longer one; letters, digits, marks and _ of all scripts make words.
        regex: See `text`.
        case: Capitals matter.

    Raises:
        ValueError: saying what is wrong.
    """
    if len(text) > MOST_LETTERS:
        raise ValueError(f"the query has {len(text):,} letters, at most {MOST_LETTERS} are read")
    flags = "(?s)" if case else "(?is)"
    if regex:
        pattern = flags + checked_pattern(text)
        checked_pattern(pattern)
        return Query((pattern,), marks=(pattern,), own=True)
    needed, excluded, marks = [], [], []
    for sign, phrase, word in _TOKEN.findall(text):
        pattern = _GAP.join(re.escape(part) for part in (phrase or word).replace("\0", "").split())
        if not pattern:
            continue
        framed = f"(?:^|[^{_WORD}])(?:{pattern})(?:$|[^{_WORD}])" if whole else pattern
        if sign:
            excluded.append(flags + framed)
        else:
            needed.append(flags + framed)
            marks.append(flags + pattern)
    if not needed and not excluded:
        raise ValueError("the query names no word")
    if len(needed) + len(excluded) > MOST_WORDS:
        raise ValueError(f"the query has {len(needed) + len(excluded)} words, at most {MOST_WORDS} are read")
    return Query(tuple(needed), tuple(excluded), tuple(marks), whole)


def found_in(columns: Sequence[pa.ChunkedArray], query: Query, *, time_limit: float = TIME_LIMIT_S) -> np.ndarray:
    """Rows in which a query is found.

    Streams over the texts: memory for the answer and one chunk. One word in 10⁶ rows (500 MB of text) takes some 1 s of
    one core, two words 2 s, whole words up to 9 s where most rows have them.

    Args:
        columns: Texts, each `[n]`: a word counts when any of them has it.
        query: What to look for.
        time_limit: Seconds, looked at between chunks.

    Returns:
        bool `[n]`.

    Raises:
        CurationError: if it takes too long.
    """
    found = np.zeros(len(columns[0]), bool)
    begun, at = time.monotonic(), 0
    for parts in _parts(columns, query):
        if time.monotonic() - begun > time_limit:
            raise CurationError(f"the search took more than {time_limit:g} s", "look for a simpler pattern")
        found[at : at + len(parts[0])] = _found(parts, query)
        at += len(parts[0])
    return found


def _parts(columns: Sequence[pa.ChunkedArray], query: Query) -> Iterator[list[pa.Array]]:
    table = pa.table([pa.chunked_array(c) for c in columns], names=[str(i) for i in range(len(columns))])
    for batch in table.to_batches():
        if not query.own:
            yield batch.columns
            continue
        each = max(sum(column.nbytes for column in batch.columns) // max(len(batch), 1), 1)
        step = max(1, REGEX_BYTES * MOST_STATES // pattern_states(query.needed[0]) // each)
        for start in range(0, len(batch), step):
            yield batch.slice(start, step).columns


def _found(parts: Sequence[pa.Array], query: Query) -> np.ndarray:
    alive = np.arange(len(parts[0]))
    wanted = [(p, True) for p in query.needed] + [(p, False) for p in query.excluded]
    if query.whole:  # a part of a word is looked for first: that is several times as fast
        wanted = [(p, True) for p in query.marks] + wanted
    for pattern, there in wanted:
        if not len(alive):
            break
        some = parts if len(alive) == len(parts[0]) else [part.take(pa.array(alive)) for part in parts]
        hit = _matches(some[0], pattern)
        for part in some[1:]:
            rest = np.flatnonzero(~hit)
            hit[rest] = _matches(part.take(pa.array(rest)) if len(rest) < len(hit) else part, pattern)
        alive = alive[hit == there]
    found = np.zeros(len(parts[0]), bool)
    found[alive] = True
    return found


def _matches(texts: pa.Array, pattern: str) -> np.ndarray:
    found = pc.match_substring_regex(texts, pattern).fill_null(False)
    return np.asarray(found.to_numpy(zero_copy_only=False)).copy()


# ---------------------------------------------------------------------- where it stands in a text


@dataclass(frozen=True)
class Snippet:
    """A piece of a text around the first place that was found.

    Args:
        text: The piece, as it stands.
        spans: Places in the piece: (start, end), in order, none touching another.
        before: Something was cut off before it.
        after: Something was cut off after it.
    """

    text: str
    spans: tuple[tuple[int, int], ...]
    before: bool
    after: bool


def spans_in(text: str, query: Query) -> list[tuple[int, int]]:
    """Where a query stands in a text: (start, end) in letters, in order, joined where they touch; O(text · words)."""
    found = [span for pattern in query.marks for span in _spans(text, pattern)]
    if query.whole:
        found = [(a, b) for a, b in found if not _in_word(text, a, -1) and not _in_word(text, b - 1, 1)]
    joined: list[tuple[int, int]] = []
    for a, b in sorted(found):
        if joined and a <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(b, joined[-1][1]))
        else:
            joined.append((a, b))
    return joined


def _spans(text: str, pattern: str) -> Iterator[tuple[int, int]]:
    """Places of one pattern, told by two letters that the text does not have, put around them by RE2."""
    free = (chr(c) for c in range(0xF0000, 0xFFFFE) if chr(c) not in text)
    begin, end = next(free), next(free)
    marked = pc.replace_substring_regex(pa.array([text], pa.large_string()), pattern, f"{begin}\\0{end}")[0].as_py()
    at = 0
    for piece in marked.split(begin)[1:] if begin in marked else ():
        if at == 0:
            at = marked.index(begin)
        inside, _, rest = piece.partition(end)
        if inside:
            yield at, at + len(inside)
        at += len(inside) + len(rest)


def _in_word(text: str, place: int, step: int) -> bool:
    """True when the letter beside a place goes on the word."""
    beside = place + step
    if not 0 <= beside < len(text):
        return False
    return text[beside] == "_" or unicodedata.category(text[beside])[0] in "LNM"


def snippet(text: str, query: Query, width: int = 160) -> Snippet:
    """The piece of a text around the first place where a query stands; its beginning where it does not.

    Args:
        text: Any.
        query: What was looked for.
        width: Letters of the piece, at most.
    """
    spans = spans_in(text, query)
    first = spans[0][0] if spans else 0
    start = max(0, min(first - width // 3, len(text) - width))
    end = min(len(text), start + width)
    here = [(max(a, start) - start, min(b, end) - start) for a, b in spans if a < end and b > start]
    return Snippet(text[start:end], tuple(here), start > 0, end < len(text))
