"""Contamination: rows that hold a row of an evaluation set, word for word, in long runs of words, or in meaning."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
from pydantic import Field

from curation.core.artifacts import NO_ROW, Features, Labels, Missing
from curation.core.dataset import Dataset, WhichText
from curation.core.errors import CurationError
from curation.core.method import Labeller, Size
from curation.core.runtime import Runtime
from curation.labellers._evaluation import EvaluationIndex
from curation.labellers.exact_duplicates import normalise
from curation.linalg.distances import unit_rows
from curation.linalg.queries import QuerySearch

CLEAN = "clean"
EXACT = "contaminated (exact)"
NGRAM = "contaminated (n-gram)"
SEMANTIC = "contaminated (semantic)"
NAMES = (CLEAN, EXACT, NGRAM, SEMANTIC)
CHECK = "contamination"
"""`info["check"]` of these labels, by which an export knows them."""

TEXT_BLOCK = 2048
VECTOR_BLOCK = 65_536


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
