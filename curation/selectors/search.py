"""Rows in whose text words are found."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
from pydantic import Field, model_validator

from curation.core.artifacts import Selection
from curation.core.dataset import Dataset, WhichText
from curation.core.method import Ask, Selector, Size
from curation.core.runtime import Runtime
from curation.selectors._build import selection
from curation.selectors._searching import MOST_LETTERS, Query, found_in, read_query


def search_rows(pool: Dataset, query: Query, inside: WhichText = "both") -> np.ndarray:
    """Rows in which a query is found, bool `[n]`: one pass over the texts, in chunks.

    Args:
        pool: The rows.
        query: From `read_query`.
        inside: Where to look; with both each word may stand in either text.

    Raises:
        CurationError: if it takes too long.
    """
    names = ("prompt", "response") if inside == "both" else (inside,)
    return found_in([pool.column(name) for name in names], query)


class Search(Selector):
    """All rows in which the words are found, in row order.

    All words must be found, in any order, anywhere in the text, also inside longer words: `river bank`. `"river bank"`
    in quotes is found as it stands, whatever white space is between; `-lake` and `-"salt lake"` must not be found.
    Capitals are folded in all scripts; accents are not, and a letter that is written in two ways (é as one sign or as
    two) is found only as it was typed. With `regex` the query is one RE2 pattern, whose time is linear in the text.
    """

    title: ClassVar[str] = "Keyword search"
    when: ClassVar[str] = "You know a word that the rows have, or must not have."
    weakness: ClassVar[str] = "Finds spellings, not meanings: synonyms and other languages are missed."
    source: ClassVar[str] = "Boolean keyword search"

    query: str = Field(
        min_length=1, max_length=MOST_LETTERS, description='words, "phrases" and -excluded ones', examples=["river"]
    )
    inside: WhichText = Field("both", description="where to look")
    whole: bool = Field(False, description="find whole words only")
    regex: bool = Field(False, description="the query is one regular expression (RE2)")
    case: bool = Field(False, description="capitals matter")

    @model_validator(mode="after")
    def _understood(self) -> Self:
        self.read()
        return self

    def read(self) -> Query:
        """What the query means."""
        return read_query(self.query, whole=self.whole, regex=self.regex, case=self.case)

    def select(self, pool: Dataset, ask: Ask, runtime: Runtime) -> Selection:
        """Look through the texts: linear in their letters.

        Raises:
            CurationError: if it takes too long.
        """
        found = search_rows(pool, self.read(), self.inside)
        rows = np.asarray(ask.eligible, np.int64)
        return selection(pool, ask, rows[found[rows]], stages=("the words are not found",))

    def work(self, size: Size) -> float:
        """Letters, once for every word."""
        query = self.read()
        return float(size.chars * (len(query.needed) + len(query.excluded)) + 1)
