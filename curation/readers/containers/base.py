"""What every container gives: records, what is broken, and what is known of the whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Protocol

from curation.readers._record import Broken, Record


class Container(Protocol):
    """An opened source.

    Attributes:
        kind: "json", "jsonl", "csv", "tsv", "parquet", "arrow" or "hub", with ".gz" or ".zst" where packed.
        notes: Things the user should hear, with the number of times they happened.
        facts: What is needed to write the records back in their own form.
        label_names: Names of numbered labels by column.
    """

    kind: str
    notes: Counter[str]
    facts: dict[str, Any]
    label_names: dict[str, list[str]]

    def items(self) -> Iterator[Record | Broken]:
        """Records and broken places in order; those of one split follow each other."""

    def position(self) -> int:
        """Bytes of the source read so far."""

    def total(self) -> int | None:
        """Number of records where the file says it, else None."""
