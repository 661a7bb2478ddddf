"""Contamination: rows that hold a row of an evaluation set, word for word, in long runs of words, or in meaning."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
from pydantic import Field

from curation.core.artifacts import NO_ROW, Features, Labels, Missing
from curation.core.dataset import Dataset, WhichText
from curation.core.errors import CurationError
from curation.core.method import Labeller, Size
from curation.core.runtime import Runtime
from curation.labellers.exact_duplicates import normalise
from curation.linalg.distances import unit_rows
from curation.linalg.queries import QuerySearch
from curation.models.words import segment, spaceless_share

CLEAN = "clean"
EXACT = "contaminated (exact)"
NGRAM = "contaminated (n-gram)"
SEMANTIC = "contaminated (semantic)"
NAMES = (CLEAN, EXACT, NGRAM, SEMANTIC)
CHECK = "contamination"
"""`info["check"]` of these labels, by which an export knows them."""

TEMPLATE_ROWS = 10  # evaluation rows that may share a run of words whatever their share
SPACELESS = 0.5
TEXT_BLOCK = 2048
VECTOR_BLOCK = 65_536
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


class Evidence(NamedTuple):
    """Why a row counts as contaminated.

    Args:
        row: Of the pool.
        evaluation_row: Of the evaluation set.
        rule: "exact", "n-gram" or "semantic".
        value: 1 for exact, the share of the evaluation row's words, or the cosine.
        longest_run: Words of the longest shared run; 0 where no run is shared.
    """

    row: int
    evaluation_row: int
    rule: str
    value: float
    longest_run: int


def evidence(labels: Labels) -> Iterator[Evidence]:
    """The pairs behind the labels that `labeller/contamination` made, in row order."""
    rules = {EXACT: "exact", NGRAM: "n-gram", SEMANTIC: "semantic"}
    for row in np.flatnonzero(np.asarray(labels.codes) > 0).tolist():
        rule = rules[labels.names[labels.codes[row]]]
        value = {"exact": 1.0, "n-gram": labels.columns["share"][row], "semantic": labels.columns["similarity"][row]}
        other, run = int(labels.columns["evaluation_row"][row]), int(labels.columns["longest_run"][row])
        yield Evidence(row, other, rule, float(value[rule]), run)


class Contamination(Labeller):
    """Which rows hold a row of an evaluation set: `clean`, or contaminated by the first rule that finds one.

    Three rules, the strictest first. Exact: the same text but for case, width and spacing, prompt compared with prompt
    and response with response. n-gram: a run of 13 words of the evaluation text occurs, without case and punctuation
    (20 letters in Chinese, Japanese, Thai …); an evaluation text of 8 to 12 words has to occur whole, a shorter one
    only counts when it is exactly the same. Semantic, where vectors of both sets are given: a cosine of at least
    `min_similarity`.

    Columns: `evaluation_row`, the row behind the label in the evaluation set (-1 = none); `share` of that row's words
    in shared runs and `longest_run` in words, for the row in `ngram_row`; `similarity`, the highest cosine, to the row
    in `similar_row`. The pairs are listed by `evidence`. `selector/where` with the value `clean` keeps the other rows.
    """

    title: ClassVar[str] = "Contamination by an evaluation set"
    weakness: ClassVar[str] = "A translation or a thorough rewording goes unseen; a long quotation in both is a match."
    source: ClassVar[str] = "13-grams: Brown et al. 2020, arXiv 2005.14165, appendix C; the other rules are ours"
    version: ClassVar[int] = 2
    elsewhere: ClassVar[tuple[str, ...]] = ("evaluation_features",)

    text: WhichText = Field("both", description="which text of the pool is searched")
    evaluation_text: WhichText = Field("prompt", description="which text of the evaluation rows is looked for")
    words: int = Field(13, ge=1, le=200, description="words in a run")
    characters: int = Field(20, ge=1, le=400, description="letters in a run, for text written without spaces")
    shortest: int = Field(8, ge=1, le=200, description="words from which a text too short for a run counts as one")
    min_share: float = Field(
        0.0, ge=0, le=1, description="share of the evaluation row's words in shared runs; 0: one run is enough"
    )
    template_share: float = Field(
        0.05, gt=0, le=1, description="runs in more evaluation rows than this share (and 10) are its template, no sign"
    )
    min_similarity: float = Field(0.95, ge=-1, le=1, description="cosine from which two rows mean the same")

    def label(
        self,
        pool: Dataset,
        runtime: Runtime,
        *,
        evaluation: Dataset,
        features: Features | None = None,
        evaluation_features: Features | None = None,
    ) -> Labels:
        """Label every row; none is missing but those without features, where features are given.

        Args:
            pool: The rows.
            runtime: Device, progress.
            evaluation: The evaluation set.
            features: Vectors of the pool, for the semantic rule.
            evaluation_features: Vectors of the evaluation set, by the same encoder of the same kind of text.

        Raises:
            CurationError: if the evaluation set is the pool itself or holds no text, or vectors are given for one of
                the two only, or do not compare.
        """
        if evaluation.fingerprint == pool.fingerprint.partition("/")[0]:
            raise CurationError("the evaluation set is the pool itself", "name another file:  evaluation: $INPUT")
        n = len(pool)
        index, whole = self._evaluation(evaluation)
        columns = _empty_columns(n)
        codes = np.zeros(n, np.int32)
        self._compare_texts(pool, index, whole, columns, codes, runtime)
        vectors = self._vectors(pool, evaluation, features, evaluation_features)
        if vectors is not None:
            _nearest(*vectors, columns, runtime.device)
            alike = (codes == 0) & (columns["similarity"] >= self.min_similarity)
            codes[alike] = NAMES.index(SEMANTIC)
            columns["evaluation_row"][alike] = columns["similar_row"][alike]
        return Labels(
            pool.fingerprint,
            codes,
            NAMES,
            Missing.none(n),
            columns,
            self._facts(evaluation, index, codes, columns, semantic=vectors is not None),
        )

    def _evaluation(self, evaluation: Dataset) -> tuple[EvaluationIndex, dict[tuple[str, ...], int]]:
        """The runs of the evaluation set, and its whole texts → the lowest row."""
        texts = list(_texts(evaluation, self.evaluation_text, 0, len(evaluation)))
        if not any(text.strip() for some in texts for text in some):
            raise CurationError(
                f"no evaluation row has a text in its {self.evaluation_text}", "choose another evaluation_text"
            )
        index = EvaluationIndex(
            texts,
            words=self.words,
            characters=self.characters,
            shortest=self.shortest,
            template_share=self.template_share,
        )
        whole: dict[tuple[str, ...], int] = {}
        for row, some in enumerate(texts):
            key = _normal(some)
            if any(key):
                whole.setdefault(key, row)
        return index, whole

    def _compare_texts(
        self,
        pool: Dataset,
        index: EvaluationIndex,
        whole: dict[tuple[str, ...], int],
        columns: dict[str, np.ndarray],
        codes: np.ndarray,
        runtime: Runtime,
    ) -> None:
        n = len(pool)
        for start in range(0, n, TEXT_BLOCK):
            stop = min(start + TEXT_BLOCK, n)
            searched = list(_texts(pool, self.text, start, stop))
            for row, overlap in enumerate(index.overlaps(searched), start):
                if overlap.row == NO_ROW:
                    continue
                columns["share"][row], columns["longest_run"][row] = overlap.share, overlap.longest
                columns["ngram_row"][row] = overlap.row
                if overlap.share >= self.min_share:
                    codes[row], columns["evaluation_row"][row] = NAMES.index(NGRAM), overlap.row
            if self._same_kind():
                like = _texts(pool, self.evaluation_text, start, stop)
                for row, some in enumerate(like, start):
                    other = whole.get(_normal(some))
                    if other is not None:
                        codes[row], columns["evaluation_row"][row] = NAMES.index(EXACT), other
            runtime.progress(stop, n, "rows compared")

    def _same_kind(self) -> bool:
        """True when texts of the pool are searched that can be the same as evaluation texts."""
        return self.text in ("both", self.evaluation_text)

    def _vectors(
        self, pool: Dataset, evaluation: Dataset, features: Features | None, theirs: Features | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """Vectors of the pool, unit vectors of evaluation rows and which rows these are; None without features."""
        if features is None and theirs is None:
            return None
        if features is None or theirs is None:
            raise CurationError(
                f"vectors are given for {'the evaluation set' if features is None else 'the pool'} only",
                "give both:  features: $embed  and  evaluation_features: $embed_evaluation,  or neither",
            )
        ours, others = np.asarray(features.values), np.asarray(theirs.values)
        if ours.shape[1] != others.shape[1]:
            raise CurationError(
                f"evaluation_features have {others.shape[1]} numbers each, features {ours.shape[1]}",
                "embed both with the same encoder and parameters",
            )
        names = (features.info.get("encoder"), theirs.info.get("encoder"))
        if all(names) and (names[0] != names[1] or names[0] == "tfidf"):
            raise CurationError(
                f"vectors by {names[0]} and by {names[1]} of two files do not compare",
                "embed both with encoder/sentence and the same parameters",
            )
        if len(others) == len(evaluation) and theirs.dataset != evaluation.fingerprint:
            raise CurationError(
                "evaluation_features are of another dataset than the evaluation set",
                "embed the same file that is given as evaluation",
            )
        if len(others) != len(evaluation):
            raise CurationError(
                f"evaluation_features are of {len(others):,} rows, the evaluation set has {len(evaluation):,}",
                "embed the same file that is given as evaluation",
            )
        there = np.flatnonzero(~theirs.missing.mask)
        unit = unit_rows(others[there])
        if not len(unit.kept):
            raise CurationError("no evaluation row has a usable vector", "look at the step that made their features")
        return ours, unit.values, there[unit.kept]

    def _facts(
        self,
        evaluation: Dataset,
        index: EvaluationIndex,
        codes: np.ndarray,
        columns: dict[str, np.ndarray],
        *,
        semantic: bool,
    ) -> dict[str, Any]:
        rules = ["the same text but for case and spacing"] if self._same_kind() else []
        rules.append(
            f"a shared run of {self.words} words ({self.characters} letters where words are not set apart)"
            + (f" and {self.min_share:.0%} of the evaluation text in such runs" if self.min_share else "")
        )
        if self.shortest < self.words:
            rules.append(f"the whole of an evaluation text of {self.shortest} words or more that is shorter than a run")
        if semantic:
            rules.append(f"a cosine of at least {self.min_similarity:g}")
        found = np.bincount(columns["evaluation_row"] + 1, minlength=len(evaluation) + 1)[1:]
        return {
            "check": CHECK,
            "evaluation": evaluation.name,
            "evaluation_fingerprint": evaluation.fingerprint,
            "evaluation_rows": len(evaluation),
            "evaluation_rows_found": int((found > 0).sum()),
            "most_rows_by_one": int(found.max()),
            "evaluation_rows_without_run": int((~index.comparable).sum()),
            "template_runs": index.template_runs,
            "rows": len(codes),
            "rules": rules,
        }

    def memory(self, size: Size) -> float:
        """A block of texts, the columns, and the evaluation set, which is taken to be small."""
        return 256e6 + 60.0 * size.rows

    def disk(self, size: Size) -> float:
        """Codes and six columns."""
        return 54.0 * size.rows


def _empty_columns(n: int) -> dict[str, np.ndarray]:
    return {
        "evaluation_row": np.full(n, NO_ROW, np.int64),
        "share": np.zeros(n),
        "longest_run": np.zeros(n, np.int64),
        "ngram_row": np.full(n, NO_ROW, np.int64),
        "similarity": np.full(n, np.nan),
        "similar_row": np.full(n, NO_ROW, np.int64),
    }


def _texts(rows: Dataset, which: WhichText, start: int, stop: int) -> Iterator[tuple[str, ...]]:
    """The texts of some rows, prompt and response apart: a run of words does not go from one to the other."""
    names = ("prompt", "response") if which == "both" else (which,)
    columns = [rows.column(name).slice(start, stop - start).to_pylist() for name in names]
    yield from zip(*columns, strict=True)


def _normal(texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(normalise(text, "case and spacing") for text in texts)


def _nearest(
    values: np.ndarray, evaluation: np.ndarray, rows: np.ndarray, columns: dict[str, np.ndarray], device: str
) -> None:
    """Writes the highest cosine of every row to an evaluation row, and to which (the lowest of equals)."""
    for start in range(0, len(values), VECTOR_BLOCK):
        unit = unit_rows(values[start : start + VECTOR_BLOCK])
        if not len(unit.kept):
            continue
        found = QuerySearch(evaluation, unit.values, device=device).nearest(1)
        columns["similarity"][start + unit.kept] = 1 - found.squared[:, 0] / 2
        columns["similar_row"][start + unit.kept] = rows[found.rows[:, 0]]
