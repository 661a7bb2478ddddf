"""Exact duplicates: rows whose text is the same once what does not matter is taken away."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from curation.core.artifacts import NO_ROW, Labels
from curation.core.dataset import Dataset, WhichText
from curation.core.method import Labeller, Size
from curation.core.runtime import Runtime
from curation.labellers._groups import group_labels
from curation.linalg.groups import Links

Ignore = Literal["nothing", "case and spacing", "punctuation"]


def normalise(text: str, ignore: Ignore) -> str:
    """The text without what is ignored.

    Args:
        text: Any string.
        ignore: "nothing"; "case and spacing": case, width of letters (full, half), kind and number of spaces;
            "punctuation": these and all but letters, digits and marks on them. A text of punctuation alone keeps it.

    Returns:
        A string that is equal for texts that count as equal.
    """
    if ignore == "nothing":
        return text
    folded = " ".join((text if text.isascii() else unicodedata.normalize("NFKC", text)).casefold().split())
    if ignore == "case and spacing":
        return folded
    kept = "".join(c if c.isalnum() or unicodedata.category(c)[0] == "M" else " " for c in folded)
    return " ".join(kept.split()) or folded


def exact_duplicates(texts: Sequence[tuple[str, ...]]) -> Links:
    """Links every row to the lowest row with the same texts.

    Cost: one hash (BLAKE2, 16 bytes) a row.

    Args:
        texts: For each row its texts, normalised; rows are equal when all texts are.

    Returns:
        Links with similarity 1.
    """
    of = np.full(len(texts), NO_ROW, np.int64)
    first: dict[bytes, int] = {}
    for row, parts in enumerate(texts):
        digest = hashlib.blake2b(digest_size=16)
        for part in parts:
            data = part.encode("utf-8", "surrogatepass")
            digest.update(len(data).to_bytes(8, "little") + data)
        of[row] = first.setdefault(digest.digest(), row)
    of[of == np.arange(len(texts))] = NO_ROW
    return Links(of, np.where(of >= 0, 1.0, np.nan))


class ExactDuplicates(Labeller):
    """Groups of rows with the same text. Rows without a duplicate have no group.

    Columns: `of`, the lowest row with the same text (-1 = none), and `similarity`, 1 there. Rows with an empty text are
    duplicates of each other like any others.
    """

    title: ClassVar[str] = "Exact duplicates"
    weakness: ClassVar[str] = "One changed word hides a copy; near duplicates find those too."
    source: ClassVar[str] = "Hash of the normalised text"

    text: WhichText = Field("both", description="which text must be the same; both compares prompt and response")
    ignore: Ignore = Field("case and spacing", description="what does not count as a difference")

    def label(self, pool: Dataset, runtime: Runtime) -> Labels:
        """Label every row; none is missing."""
        parts: tuple[WhichText, ...] = ("prompt", "response") if self.text == "both" else (self.text,)
        columns = [[normalise(text, self.ignore) for text in pool.texts(part)] for part in parts]
        links = exact_duplicates(list(zip(*columns, strict=True)))
        return group_labels(pool.fingerprint, links, "duplicate", 1.0)

    def memory(self, size: Size) -> float:
        """Both copies of the text, and a digest a row."""
        return 64e6 + 4.0 * size.chars + 200.0 * size.rows
