"""Contamination: rows that hold a row of an evaluation set, word for word, in long runs of words, or in meaning."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
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

Unit = Literal["words", "characters"]


def units(text: str) -> tuple[Unit, list[str]]:
    """A text without case and punctuation: its words, or its letters where most stand without spaces between words."""
    words = segment(text)
    if words and spaceless_share(text) > SPACELESS:
        return "characters", list("".join(words))
    return "words", words


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


@dataclass
class _Grams:
    """All runs of one length in evaluation rows.

    Args:
        hashes: uint64 `[m]`, sorted, distinct.
        starts: int64 `[m + 1]`: which part of `rows` belongs to each.
        rows: int64: evaluation rows that hold the run.
    """

    hashes: np.ndarray
    starts: np.ndarray
    rows: np.ndarray


@dataclass
class _Part:
    """One text of an evaluation row: its words as numbers, the length of its runs, and which of them count."""

    unit: Unit
    ids: np.ndarray
    length: int
    counts: np.ndarray = field(default_factory=lambda: np.empty(0, bool))


class EvaluationIndex:
    """Runs of words of an evaluation set, for finding them in other texts.

    A run is `words` words long (`characters` letters in a text written without spaces). A shorter evaluation text is
    one run if it has `shortest` words at least, and has none otherwise. Runs that more than 10 evaluation rows and more
    than `template_share` of them hold are the template of the set and no sign of contamination. What is found is
    compared word by word, so a clash of hashes cannot lead to a wrong answer.

    Memory is that of the evaluation set, about 30 bytes a word.

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
        self._parts: list[list[_Part]] = []
        self.totals = np.zeros(len(texts), np.int64)  # words of each row
        for row, some in enumerate(texts):
            parts = []
            for text in some:
                unit, tokens = units(text)
                known = self._vocabulary[unit]
                ids = np.array([known.setdefault(token, len(known)) for token in tokens], np.int32)
                self.totals[row] += len(ids)
                if len(ids) >= least[unit]:
                    parts.append(_Part(unit, ids, min(usual[unit], len(ids))))
            self._parts.append(parts)
        generator = np.random.default_rng(0)
        self._values: dict[Unit, np.ndarray] = {
            unit: generator.integers(0, 1 << 64, len(known) + 1, np.uint64) for unit, known in self._vocabulary.items()
        }
        self._multiplier = generator.integers(0, 1 << 63, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
        self._grams: dict[tuple[Unit, int], _Grams] = {}
        self.template_runs = 0
        self._index(max(TEMPLATE_ROWS, template_share * len(texts)))

    def __len__(self) -> int:
        """Number of evaluation rows."""
        return len(self._parts)

    @property
    def comparable(self) -> np.ndarray:
        """Evaluation rows with a run that can be looked for, boolean `[n]`."""
        return np.array([any(part.counts.any() for part in parts) for parts in self._parts], bool)

    def _index(self, most_rows: float) -> None:
        found: dict[tuple[Unit, int], list[tuple[int, _Part, np.ndarray]]] = defaultdict(list)
        for row, parts in enumerate(self._parts):
            for part in parts:
                starts = np.arange(len(part.ids) - part.length + 1)
                hashes = self._hashes(self._values[part.unit][part.ids], starts, part.length)
                found[part.unit, part.length].append((row, part, hashes))
        for kind, entries in found.items():
            hashes = np.concatenate([h for _, _, h in entries])
            rows = np.repeat([row for row, _, _ in entries], [len(h) for _, _, h in entries])
            order = np.lexsort((rows, hashes))
            hashes, rows = hashes[order], rows[order]
            new = np.ones(len(hashes), bool)  # a run may come several times in one row
            new[1:] = (hashes[1:] != hashes[:-1]) | (rows[1:] != rows[:-1])
            hashes, rows = hashes[new], rows[new]
            distinct, held = np.unique(hashes, return_counts=True)
            template = distinct[held > most_rows]
            self.template_runs += len(template)
            for _, part, own in entries:
                part.counts = ~np.isin(own, template)
            keep = held <= most_rows
            starts = np.concatenate([[0], np.cumsum(held[keep])]).astype(np.int64)
            self._grams[kind] = _Grams(distinct[keep], starts, rows[np.repeat(keep, held)].astype(np.int64))

    def _hashes(self, values: np.ndarray, starts: np.ndarray, length: int) -> np.ndarray:
        """A number for the run that begins at each start, uint64."""
        total = np.zeros(len(starts), np.uint64)
        for offset in range(length):
            total = total * self._multiplier + values[starts + offset]
        return total

    # ------------------------------------------------------------------ looking

    def overlaps(self, texts: Sequence[Sequence[str]]) -> list[Overlap]:
        """For each row the evaluation row of which most words lie in runs that the row shares with it.

        Equal shares go to the longer run, then to the lowest evaluation row. Costs one lookup a word, and for rows that
        share a run the comparison with the evaluation rows that hold it.

        Args:
            texts: For each row its texts.
        """
        ids: dict[Unit, list[np.ndarray]] = {"words": [], "characters": []}
        owners: dict[Unit, list[int]] = {"words": [], "characters": []}
        for row, some in enumerate(texts):
            for text in some:
                unit, tokens = units(text)
                known = self._vocabulary[unit]
                if tokens and known:
                    ids[unit].append(np.array([known.get(token, NO_ROW) for token in tokens], np.int32))
                    owners[unit].append(row)
        candidates: dict[int, set[int]] = defaultdict(set)
        for (unit, length), grams in self._grams.items():
            for part, row in self._hits(ids[unit], unit, length, grams):
                candidates[owners[unit][part]].add(row)
        found = [NOTHING_SHARED] * len(texts)
        own: dict[int, dict[Unit, list[np.ndarray]]] = defaultdict(lambda: {"words": [], "characters": []})
        for unit in ids:
            for part_ids, row in zip(ids[unit], owners[unit], strict=True):
                if row in candidates:
                    own[row][unit].append(part_ids)
        for row, rows in candidates.items():
            shared = _Shared(own[row])
            best = max((self._compare(shared, other) for other in rows), key=lambda o: (o.share, o.longest, -o.row))
            if best.share > 0:
                found[row] = best
        return found

    def _hits(self, ids: list[np.ndarray], unit: Unit, length: int, grams: _Grams) -> Iterator[tuple[int, int]]:
        """(number of a text, evaluation row) pairs that share a run, as far as hashes tell."""
        if not ids or not len(grams.hashes):
            return
        gap = np.array([NO_ROW], np.int32)
        joined = np.concatenate([piece for part in ids for piece in (part, gap)])  # no run goes from text to text
        part_of = np.repeat(np.arange(len(ids)), [len(part) + 1 for part in ids])
        if len(joined) < length:
            return
        unknown = np.concatenate([[0], np.cumsum(joined == NO_ROW)])
        starts = np.flatnonzero(unknown[length:] == unknown[:-length])
        hashes = self._hashes(self._values[unit][joined], starts, length)
        place = np.minimum(np.searchsorted(grams.hashes, hashes), len(grams.hashes) - 1)
        hit = np.flatnonzero(grams.hashes[place] == hashes)
        pairs = np.unique(np.stack([part_of[starts[hit]], place[hit]], axis=1), axis=0)
        for part, gram in pairs.tolist():
            for row in grams.rows[grams.starts[gram] : grams.starts[gram + 1]].tolist():
                yield part, row

    def _compare(self, shared: _Shared, row: int) -> Overlap:
        covered, longest = 0, 0
        for part in self._parts[row]:
            hits = shared.hits(part)
            counted = np.array([bool(h) for h in hits]) & part.counts
            if not counted.any():
                continue
            inside = np.zeros(len(part.ids) + 1, np.int64)
            at = np.flatnonzero(counted)
            np.add.at(inside, at, 1)
            np.add.at(inside, at + part.length, -1)
            covered += int((np.cumsum(inside)[:-1] > 0).sum())
            longest = max(longest, _longest(hits) + part.length - 1)
        return Overlap(row, covered / max(int(self.totals[row]), 1), longest) if covered else NOTHING_SHARED


class _Shared:
    """The runs of one row, by length, made when they are asked for."""

    def __init__(self, texts: dict[Unit, list[np.ndarray]]) -> None:
        self._texts = texts
        self._places: dict[tuple[Unit, int], dict[bytes, list[tuple[int, int]]]] = {}

    def hits(self, part: _Part) -> list[list[tuple[int, int]]]:
        """For each run of an evaluation text the places (text, position) where the row has it."""
        key = (part.unit, part.length)
        if key not in self._places:
            places: dict[bytes, list[tuple[int, int]]] = defaultdict(list)
            for number, ids in enumerate(self._texts[part.unit]):
                for start in range(len(ids) - part.length + 1):
                    places[ids[start : start + part.length].tobytes()].append((number, start))
            self._places[key] = places
        here = self._places[key]
        runs = range(len(part.ids) - part.length + 1)
        return [here.get(part.ids[start : start + part.length].tobytes(), []) for start in runs]


def _longest(hits: list[list[tuple[int, int]]]) -> int:
    """Most runs in a row that go on in the same place of the same text."""
    longest = 0
    before: dict[tuple[int, int], int] = {}
    for places in hits:
        now = {(text, at): before.get((text, at - 1), 0) + 1 for text, at in places}
        longest = max(longest, max(now.values(), default=0))
        before = now
    return longest


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
        same_kind = self.text in ("both", self.evaluation_text)
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
            if same_kind:
                like = _texts(pool, self.evaluation_text, start, stop)
                for row, some in enumerate(like, start):
                    other = whole.get(_normal(some))
                    if other is not None:
                        codes[row], columns["evaluation_row"][row] = NAMES.index(EXACT), other
            runtime.progress(stop, n, "rows compared")

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
        rules = [
            "the same text but for case and spacing",
            f"a shared run of {self.words} words ({self.characters} letters where words are not set apart)"
            + (f" and {self.min_share:.0%} of the evaluation text in such runs" if self.min_share else ""),
        ]
        if semantic:
            rules.append(f"a cosine of at least {self.min_similarity:g}")
        found = columns["evaluation_row"][columns["evaluation_row"] != NO_ROW]
        return {
            "check": CHECK,
            "evaluation": evaluation.name,
            "evaluation_fingerprint": evaluation.fingerprint,
            "evaluation_rows": len(evaluation),
            "evaluation_rows_found": len(np.unique(found)),
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
