"""The texts of an evaluation set, indexed by their runs of words, so that a pool can be streamed past them."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from curation.core.artifacts import NO_ROW
from curation.models.words import segment, spaceless_share

TEMPLATE_ROWS = 10  # evaluation rows that may share a run of words whatever their share
SPACELESS = 0.5
MATRIX = 1 << 18
PAIRS_AT_ONCE = 1 << 20
"""Places of shared runs in evaluation texts that are looked at together."""

Unit = Literal["words", "characters"]


def plain(text: str) -> str:
    """A text in one spelling: marks composed, letters of usual width, one apostrophe, no invisible characters."""
    return text if text.isascii() else unicodedata.normalize("NFKC", text).translate(_ONE_SPELLING)


_ONE_SPELLING = {
    **dict.fromkeys(map(ord, "\u2018\u2019\u02bc\u00b4"), "'"),
    **dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u2060\ufeff")),
}


def units(text: str) -> tuple[Unit, list[str]]:
    """A text without case and punctuation: its words, or its letters where most stand without spaces between words."""
    text = plain(text)
    words = segment(text)
    if words and spaceless_share(text) > SPACELESS:
        return "characters", list("".join(words))
    return "words", words


def readings(text: str) -> dict[Unit, list[str]]:
    """A text as `units` may give a part of it: its words, and its letters where any stand without spaces.

    A question may lie in a text that is mostly of another script.
    """
    text = plain(text)
    words = segment(text)
    found: dict[Unit, list[str]] = {"words": words}
    if spaceless_share(text) > 0:
        found["characters"] = list("".join(words))
    return found


class Overlap(NamedTuple):
    """What a text and an evaluation row have in common.

    Args:
        row: The evaluation row; -1 when no run is shared with any.
        share: Share of its words that lie in shared runs, 0 to 1.
        longest: Words (or letters) of the longest shared run.
    """

    row: int
    share: float
    longest: int


NOTHING_SHARED = Overlap(NO_ROW, 0.0, 0)


@dataclass(frozen=True)
class _Part:
    """One text of an evaluation row: its words as numbers."""

    row: int
    unit: Unit
    ids: np.ndarray


@dataclass(frozen=True)
class _Runs:
    """All runs of one length in the evaluation texts that have runs of this length, one text after the other.

    Args:
        words: int32, the words of these texts as numbers.
        text: int64: to which text each word belongs, counted from 0.
        rows: int64: the evaluation row of each text.
        hashes: uint64 `[m]`, of the different runs, sorted; equal runs have equal hashes, and no others.
        starts: int64 `[m + 1]`: which part of `places` belongs to each.
        places: int64: where runs begin in `words`.
    """

    words: np.ndarray
    text: np.ndarray
    rows: np.ndarray
    hashes: np.ndarray
    starts: np.ndarray
    places: np.ndarray


class EvaluationIndex:
    """Runs of words of an evaluation set, for finding them in other texts.

    A run is `words` words long (`characters` letters in a text written without spaces). A shorter evaluation text is
    one run if it has `shortest` words at least, and has none otherwise. Runs that more than 10 evaluation rows and more
    than `template_share` of them hold are the template of the set and no sign of contamination. What is found is
    compared word by word, so a clash of hashes cannot lead to a wrong answer.

    Memory is that of the evaluation set, about 50 bytes a word.

    Args:
        texts: For each evaluation row its texts.
        words: Words in a run.
        characters: Letters in a run of a text written without spaces.
        shortest: Words of the shortest text that is one run; in letters the same share of `characters`.
        template_share: See above.
    """

    def __init__(
        self,
        texts: Sequence[Sequence[str]],
        *,
        words: int = 13,
        characters: int = 20,
        shortest: int = 8,
        template_share: float = 0.05,
    ) -> None:
        self._vocabulary: dict[Unit, dict[str, int]] = {"words": {}, "characters": {}}
        usual: dict[Unit, int] = {"words": words, "characters": characters}
        least: dict[Unit, int] = {
            "words": min(shortest, words), "characters": min(characters, max(1, round(shortest * characters / words)))
        }  # fmt: skip
        by_kind: dict[tuple[Unit, int], list[_Part]] = defaultdict(list)
        self._parts: list[list[_Part]] = [[] for _ in texts]
        self.totals = np.zeros(len(texts), np.int64)  # words of each row
        for row, some in enumerate(texts):
            for text in some:
                unit, tokens = units(text)
                known = self._vocabulary[unit]
                ids = np.array([known.setdefault(token, len(known)) for token in tokens], np.int32)
                self.totals[row] += len(ids)
                if len(ids) >= least[unit]:
                    part = _Part(row, unit, ids)
                    self._parts[row].append(part)
                    by_kind[unit, min(usual[unit], len(ids))].append(part)
        self.template_runs = 0
        self.comparable = np.zeros(len(texts), bool)  # rows with a run that can be looked for
        most_rows = max(TEMPLATE_ROWS, template_share * len(texts))
        seed = 0
        while not self._index(by_kind, most_rows, seed):  # two runs with one hash: another function
            seed += 1

    def __len__(self) -> int:
        """Number of evaluation rows."""
        return len(self._parts)

    def _index(self, by_kind: dict[tuple[Unit, int], list[_Part]], most_rows: float, seed: int) -> bool:
        """Sorts all runs by a hash; False if two different runs have the same."""
        generator = np.random.default_rng(seed)
        self._values: dict[Unit, np.ndarray] = {
            unit: generator.integers(0, 1 << 64, len(known) + 1, np.uint64) for unit, known in self._vocabulary.items()
        }
        self._multiplier = generator.integers(0, 1 << 63, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
        self._runs: dict[tuple[Unit, int], _Runs] = {}
        self.template_runs = 0
        for (unit, length), parts in by_kind.items():
            words = np.concatenate([part.ids for part in parts])
            sizes = np.array([len(part.ids) for part in parts])
            text, rows = np.repeat(np.arange(len(parts)), sizes), np.array([part.row for part in parts], np.int64)
            last = np.repeat(np.cumsum(sizes), sizes) - length  # no run goes from text to text
            places = np.flatnonzero(np.arange(len(words)) <= last)
            hashes = self._hashes(self._values[unit][words], places, length)
            order = np.argsort(hashes, kind="stable")
            hashes, places = hashes[order], places[order]
            first = np.ones(len(hashes), bool)
            first[1:] = hashes[1:] != hashes[:-1]
            number = np.cumsum(first) - 1
            if not _equal_runs(words, places, words, places[first][number], length).all():
                return False
            of_row = rows[text[places]]
            new = np.ones(len(hashes), bool)  # a run may come several times in one row; places are increasing
            new[1:] = first[1:] | (of_row[1:] != of_row[:-1])
            usual = np.bincount(number[new]) <= most_rows
            self.template_runs += int((~usual).sum())
            keep = usual[number]
            starts = np.concatenate([[0], np.cumsum(np.bincount(number)[usual])]).astype(np.int64)
            self._runs[unit, length] = _Runs(words, text, rows, hashes[first][usual], starts, places[keep])
            self.comparable[of_row[keep]] = True
        return True

    def _hashes(self, values: np.ndarray, starts: np.ndarray, length: int) -> np.ndarray:
        """A number for the run that begins at each start, uint64."""
        total = np.zeros(len(starts), np.uint64)
        for offset in range(length):
            total = total * self._multiplier + values[starts + offset]
        return total

    # ------------------------------------------------------------------ looking

    def overlaps(self, texts: Sequence[Sequence[str]]) -> list[Overlap]:
        """For each row the evaluation row of which most words lie in runs that the row shares with it.

        Equal shares go to the evaluation row with more words, then to the lowest. Costs one lookup a word, and a few
        operations for each run that a row and an evaluation row share.

        Args:
            texts: For each row its texts.
        """
        ids: dict[Unit, list[np.ndarray]] = {"words": [], "characters": []}
        owners: dict[Unit, list[int]] = {"words": [], "characters": []}
        for number, some in enumerate(texts):
            for text in some:
                for unit, tokens in readings(text).items():
                    known = self._vocabulary[unit]
                    if tokens and known:
                        ids[unit].append(np.array([known.get(token, NO_ROW) for token in tokens], np.int32))
                        owners[unit].append(number)
        found = [self._covered(ids[unit], owners[unit], unit, length) for unit, length in self._runs]
        made = [NOTHING_SHARED] * len(texts)
        if not any(len(pair) for pair, _ in found):
            return made
        pair, inverse = np.unique(np.concatenate([pair for pair, _ in found]), return_inverse=True)
        words = np.bincount(inverse, np.concatenate([covered for _, covered in found])).astype(np.int64)
        owner, row = np.divmod(pair, len(self))
        share = words / self.totals[row]
        order = np.lexsort((row, -words, -share, owner))
        best = order[np.flatnonzero(np.diff(owner[order], prepend=-1))]
        texts_of: dict[int, list[tuple[Unit, np.ndarray]]] = defaultdict(list)
        for unit in ids:
            for own, number in zip(ids[unit], owners[unit], strict=True):
                texts_of[number].append((unit, own))
        for at in best.tolist():
            number, other = int(owner[at]), int(row[at])
            here = [(p.ids, own) for p in self._parts[other] for unit, own in texts_of[number] if unit == p.unit]
            made[number] = Overlap(other, float(share[at]), max(longest_run(one, own) for one, own in here))
        return made

    def _covered(
        self, ids: list[np.ndarray], owners: list[int], unit: Unit, length: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Pairs that share a run, row · len(self) + evaluation row, and how many words of the latter lie in such runs.

        Only runs of this length are looked at.
        """
        none = np.empty(0, np.int64)
        runs = self._runs[unit, length]
        if not ids or not len(runs.hashes):
            return none, none
        gap = np.array([NO_ROW], np.int32)
        joined = np.concatenate([piece for part in ids for piece in (part, gap)])  # no run goes from text to text
        owner_of = np.repeat(owners, [len(part) + 1 for part in ids])
        unknown = np.concatenate([[0], np.cumsum(joined == NO_ROW)])
        starts = np.flatnonzero(unknown[length:] == unknown[:-length])
        hashes = self._hashes(self._values[unit][joined], starts, length)
        run = np.minimum(np.searchsorted(runs.hashes, hashes), len(runs.hashes) - 1)
        hit = np.flatnonzero(runs.hashes[run] == hashes)
        first = runs.places[runs.starts[run[hit]]]
        hit = hit[_equal_runs(joined, starts[hit], runs.words, first, length)]
        owner, run = np.divmod(np.unique(owner_of[starts[hit]] * len(runs.hashes) + run[hit]), len(runs.hashes))
        # a part of the rows at a time: thousands of rows may share a run with hundreds of evaluation rows
        upto = np.cumsum(np.diff(runs.starts)[run])
        ends = np.flatnonzero(np.diff(owner, append=-1)) + 1
        found, begin = [(none, none)], 0
        while begin < len(run):
            limit = (upto[begin - 1] if begin else 0) + PAIRS_AT_ONCE
            full = np.searchsorted(upto[ends - 1], limit, side="right")  # one row at least, however much it shares
            end = int(ends[max(full - 1, np.searchsorted(ends, begin, side="right"))])
            number, row, covered = _coverage(runs, owner[begin:end], run[begin:end], length)
            found.append((number * len(self) + row, covered))
            begin = end
        return np.concatenate([pair for pair, _ in found]), np.concatenate([covered for _, covered in found])


def _equal_runs(one: np.ndarray, at: np.ndarray, other: np.ndarray, there: np.ndarray, length: int) -> np.ndarray:
    """Whether runs are the same word by word, boolean for each pair of places."""
    same = np.ones(len(at), bool)
    for offset in range(length):
        same &= one[at + offset] == other[there + offset]
    return same


def _coverage(
    runs: _Runs, owner: np.ndarray, run: np.ndarray, length: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row, evaluation row and its words in shared runs, a text of it at a time, for pairs of a row and a run."""
    held = np.diff(runs.starts)[run]
    offset = np.arange(int(held.sum())) - np.repeat(np.cumsum(held) - held, held)
    owner, place = np.repeat(owner, held), runs.places[np.repeat(runs.starts[run], held) + offset]
    order = np.lexsort((place, owner))
    owner, place = owner[order], place[order]
    text = runs.text[place]
    words = np.full(len(place), length, np.int64)
    together = (owner[1:] == owner[:-1]) & (text[1:] == text[:-1])  # runs of one text may overlap
    words[:-1][together] = np.minimum(np.diff(place)[together], length)
    first = np.concatenate([[0], np.flatnonzero(~together) + 1])
    return owner[first], runs.rows[text[first]], np.add.reduceat(words, first)


def longest_run(one: np.ndarray, other: np.ndarray) -> int:
    """Words of the longest run that two texts share, given as numbers."""
    if len(one) * len(other) > MATRIX:  # a row of the matrix at a time
        longest, before = 0, np.zeros(len(other) + 1, np.int64)
        for word in one:
            before[1:], before[0] = np.where(other == word, before[:-1] + 1, 0), 0
            longest = max(longest, int(before.max(initial=0)))
        return longest
    at, there = np.nonzero(one[:, None] == other)
    order = np.argsort((there - at) * len(one) + at, kind="stable")  # along the diagonals
    at, there = at[order], there[order]
    breaks = np.flatnonzero((np.diff(at) != 1) | (np.diff(there) != 1))
    return int(np.diff(np.concatenate([[-1], breaks, [len(at) - 1]])).max(initial=0))
