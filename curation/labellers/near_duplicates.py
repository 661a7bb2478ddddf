"""Near duplicates: rows that share most of their phrases, found by MinHash and checked exactly."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import ClassVar

import numpy as np
import scipy.sparse as sp
from pydantic import Field

from curation.core.artifacts import NO_ROW, Labels
from curation.core.dataset import Dataset, WhichText
from curation.core.method import Labeller, Size
from curation.core.runtime import Runtime
from curation.labellers._groups import group_labels
from curation.linalg.groups import Links, link
from curation.models.words import segment, spaceless_share

PERMUTATIONS = 128
MISS = 1e-3
"""Highest probability that a pair exactly at the threshold shares no band; more similar pairs are missed far less."""

WINDOW = 512
"""In a band that more rows share, each row is compared with so many rows before it only."""

TEXT_BLOCK = 2000
PAIR_BLOCK = 2_000_000  # phrases of the pairs that are compared in one product
SPACELESS = 0.5

Progress = Callable[[int, int], None]


def shingles(text: str, words: int, characters: int) -> frozenset[str]:
    """The phrases of a text: runs of words, or of letters where words are not set apart by spaces.

    Args:
        text: Any string.
        words: Words in a phrase.
        characters: Letters in a phrase of a text that is mostly Chinese, Japanese, Thai or the like.

    Returns:
        The distinct phrases; a shorter text is one phrase, a text without letters and digits has none.
    """
    parts = segment(text)
    if not parts:
        return frozenset()
    if spaceless_share(text) > SPACELESS:
        run = "".join(parts)
        return frozenset(run[i : i + characters] for i in range(max(1, len(run) - characters + 1)))
    return frozenset(" ".join(parts[i : i + words]) for i in range(max(1, len(parts) - words + 1)))


def bands_for(min_similarity: float) -> tuple[int, int]:
    """How to cut the sketch: the longest bands that still find nearly every pair at the threshold.

    Two rows of Jaccard similarity s agree on a band of r values with probability s^r, so b bands all miss with (1 −
    s^r)^b.

    Args:
        min_similarity: In (0, 1].

    Returns:
        Number of bands, and values in a band.
    """
    fitting = [r for r in range(1, 17) if (1 - min_similarity**r) ** (PERMUTATIONS // r) <= MISS]
    rows = max(fitting, default=1)
    return PERMUTATIONS // rows, rows


def near_duplicates(
    texts: Sequence[str],
    min_similarity: float,
    *,
    words: int = 3,
    characters: int = 5,
    seed: int = 1,
    progress: Progress | None = None,
) -> Links:
    """Links rows whose sets of phrases have a Jaccard similarity of at least `min_similarity`.

    Every link is checked on the full sets. A pair is overlooked with a probability of at most 0.1 % at the threshold
    and far less above it; where more than `WINDOW` rows share a band, pairs far apart in it may be linked through
    others instead of directly. Cost: about 1 s for 10,000 rows of 70 words, plus the pairs that share a band.

    Args:
        texts: Any strings; those without letters and digits are never linked.
        min_similarity: In (0, 1].
        words: Words in a phrase.
        characters: Letters in a phrase of a text written without spaces.
        seed: Of the sketch.
        progress: Called with (rows sketched, rows).

    Returns:
        The maximum spanning forest of the links, `similarity` being Jaccard's.
    """
    sketches = np.empty((len(texts), PERMUTATIONS), np.uint32)
    twin_of = np.full(len(texts), NO_ROW, np.int64)  # the lowest row with the same set; itself for that row
    first: dict[bytes, int] = {}
    for start in range(0, len(texts), TEXT_BLOCK):
        # sorted, because the order of a set of strings differs from process to process
        lists = [sorted(shingles(text, words, characters)) for text in texts[start : start + TEXT_BLOCK]]
        sketches[start : start + TEXT_BLOCK] = _sketches(lists, seed)
        for row, phrases in enumerate(lists, start):
            if phrases:
                twin_of[row] = first.setdefault(_digest(phrases), row)
        if progress is not None:
            progress(min(start + TEXT_BLOCK, len(texts)), len(texts))

    everyone = np.arange(len(texts))
    twins = np.flatnonzero((twin_of >= 0) & (twin_of != everyone))
    pairs = _candidates(sketches, np.flatnonzero(twin_of == everyone), min_similarity)
    similarity = _jaccard(texts, pairs, lambda text: shingles(text, words, characters))
    keep = similarity >= min_similarity
    return link(
        len(texts),
        np.concatenate([twins, pairs[keep, 0]]),
        np.concatenate([twin_of[twins], pairs[keep, 1]]),
        np.concatenate([np.ones(len(twins)), similarity[keep]]),
    )


def _sketches(lists: list[list[str]], seed: int) -> np.ndarray:
    """MinHash values uint32 `[n, PERMUTATIONS]`."""
    from rensa import RMinHash

    matrix = RMinHash.digest_matrix_from_token_sets(lists, PERMUTATIONS, seed)
    return np.array(matrix.to_rows(), np.uint32).reshape(len(lists), PERMUTATIONS)


def _digest(phrases: list[str]) -> bytes:
    return hashlib.blake2b("\n".join(phrases).encode(), digest_size=16).digest()


def _candidates(sketches: np.ndarray, rows: np.ndarray, min_similarity: float) -> np.ndarray:
    """Pairs of `rows` that share a band, int64 `[m, 2]`, each once, lower row first."""
    n = len(sketches)
    bands, width = bands_for(min_similarity)
    # odd multipliers mix a band into one number; a clash only costs one comparison more
    mix = np.random.default_rng(0).integers(0, 1 << 63, width, np.uint64) * np.uint64(2) + np.uint64(1)
    found = np.empty(0, np.int64)
    for band in range(bands):
        values = sketches[rows, band * width : (band + 1) * width].astype(np.uint64)  # [m, width]
        keys = (values * mix).sum(axis=1, dtype=np.uint64)
        order = np.argsort(keys, kind="stable")
        keys, sorted_rows = keys[order], rows[order]
        new = []
        for offset in range(1, min(WINDOW, len(rows) - 1) + 1):
            equal = np.flatnonzero(keys[offset:] == keys[:-offset])
            if not len(equal):
                break
            low, high = sorted_rows[equal], sorted_rows[equal + offset]
            new.append(np.minimum(low, high) * n + np.maximum(low, high))
        found = np.union1d(found, np.concatenate(new)) if new else found
    return np.stack([found // n, found % n], axis=1) if len(found) else np.empty((0, 2), np.int64)


def _jaccard(texts: Sequence[str], pairs: np.ndarray, cut: Callable[[str], frozenset[str]]) -> np.ndarray:
    """Jaccard similarity of the phrase sets of each pair, float64 `[m]`, exact."""
    rows, place = np.unique(pairs, return_inverse=True)
    place = place.reshape(pairs.shape)
    # phrases are told apart by 64 bits of hash, the same within this process: a clash among 10⁷ has odds of 3 in 10⁶
    hashes = [np.fromiter(map(hash, cut(texts[row])), np.int64) for row in rows.tolist()]
    ends = np.concatenate([[0], np.cumsum([len(h) for h in hashes], dtype=np.int64)])
    distinct, columns = np.unique(np.concatenate([np.empty(0, np.int64), *hashes]), return_inverse=True)
    shape = (len(rows), max(len(distinct), 1))
    sets = sp.csr_array((np.ones(len(columns), np.int32), columns, ends), shape=shape)
    sizes = np.diff(ends)
    similarity = np.empty(len(pairs))
    block = np.cumsum(sizes[place].sum(axis=1)) // PAIR_BLOCK
    for rows_of_block in np.split(np.arange(len(pairs)), np.flatnonzero(np.diff(block)) + 1):
        left, right = place[rows_of_block].T
        common = sets[left].multiply(sets[right]).sum(axis=1)
        similarity[rows_of_block] = common / (sizes[left] + sizes[right] - common)
    return similarity


class NearDuplicates(Labeller):
    """Groups of rows that are the same but for a few words, by MinHash, every link checked on the full texts.

    The similarity is Jaccard's over phrases of three words (five letters in Chinese, Japanese, Thai …): one changed
    word in a text of 30 words leaves 0.81, in one of 12 words 0.54. Groups are chains: a row belongs to a group when
    it is similar enough to any member. Rows without a duplicate have no group. Columns: `of`, the row that this one is
    linked to (-1 = none), and `similarity`. From these the groups of any higher threshold follow without computing
    again (`selector/deduplicate`, field `min_similarity`).
    """

    title: ClassVar[str] = "Near duplicates"
    weakness: ClassVar[str] = "Blind to paraphrase; in short texts one changed word counts a lot, in templates little."
    source: ClassVar[str] = "MinHash: Broder 1997, doi:10.1109/SEQUEN.1997.666900; R-MinHash in the rensa package"

    text: WhichText = Field("both", description="which text to compare")
    min_similarity: float = Field(0.7, ge=0.1, le=1, description="share of common phrases (Jaccard) of duplicates")
    words: int = Field(3, ge=1, le=20, description="words in a phrase")
    characters: int = Field(5, ge=1, le=40, description="letters in a phrase, for text written without spaces")
    seed: int = Field(
        1, ge=0, le=2**32 - 1, description="of the sketch; decides which pairs near the threshold are seen"
    )

    def label(self, pool: Dataset, runtime: Runtime) -> Labels:
        """Label every row; none is missing."""
        links = near_duplicates(
            pool.texts(self.text),
            self.min_similarity,
            words=self.words,
            characters=self.characters,
            seed=self.seed,
            progress=lambda done, total: runtime.progress(done, total, "rows sketched"),
        )
        return group_labels(pool.fingerprint, links, "near-duplicate", self.min_similarity)

    def memory(self, size: Size) -> float:
        """Texts, sketches, and the phrases of the rows that have a candidate."""
        return 128e6 + 8.0 * size.chars + (4.0 * PERMUTATIONS + 800) * size.rows
