"""Several tags per row: from a field of the records, or from other labels as a stand-in for tags."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from curation.core.artifacts import NO_ROW, Labels, Missing
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.method import Labeller, Size
from curation.core.runtime import Runtime

NO_TAGS = "no tags"
RARE = "all its tags are too rare"


def tags_in(value: Any, separator: str = ",", *, lower: bool = True) -> list[str]:
    """The different tags in a value of a record, in its order.

    A list holds one tag each; so does text that is a JSON list; other text is cut at the separator. An object in a list
    is a tag with an explanation, `{"tag": …}`, as InsTagger writes it. White space at both ends is cut off, empty tags
    are none.

    Args:
        value: Of any type.
        separator: At which text is cut.
        lower: "Math" and "math" are one tag.
    """
    if isinstance(value, str):
        text = value.strip()
        value = _listed(text) if text.startswith("[") else None
        value = text.split(separator) if value is None else value
    if not isinstance(value, list):
        value = [value]
    parts = [part.get("tag") if isinstance(part, dict) else part for part in value]
    texts = [str(part).strip() for part in parts if part is not None and not isinstance(part, list | dict)]
    return list(dict.fromkeys(text.lower() if lower else text for text in texts if text))


def _listed(text: str) -> list[Any] | None:
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, list) else None


def frequent(rows: Sequence[Sequence[str]], least: int) -> list[list[str]]:
    """The tags of each row that at least so many rows have."""
    counts = Counter(tag for tags in rows for tag in tags)
    return [[tag for tag in tags if counts[tag] >= least] for tags in rows]


def tag_labels(dataset: str, rows: Sequence[Sequence[str]], reasons: Sequence[str | None], **info: Any) -> Labels:
    """Labels whose code is a row's first tag and whose column `tags` holds all of them.

    Args:
        dataset: Fingerprint.
        rows: Different tags of each row.
        reasons: Why a row has none; not read for others.
        **info: Plain facts.

    Returns:
        Labels; `columns["tags"]` is int32 `[n, t]`, indices into `names`, −1 where a row has fewer than t tags.
    """
    names = tuple(sorted({tag for tags in rows for tag in tags}))
    code = {name: i for i, name in enumerate(names)}
    table = np.full((len(rows), max((len(tags) for tags in rows), default=0) or 1), NO_ROW, np.int32)
    for i, tags in enumerate(rows):
        table[i, : len(tags)] = [code[tag] for tag in tags]
    missing = Missing.from_list([None if tags else reason for tags, reason in zip(rows, reasons, strict=True)])
    return Labels(dataset, table[:, 0].copy(), names, missing, {"tags": table}, info)


class Tags(Labeller):
    """Several tags per row, for selectors that cover tags.

    From a `field` of the records: a list, or text cut at a separator. Without one, from other labels: a row has the
    label of each as a tag, so that clusters, coarse and fine, stand in for tags; `info` then says `proxy`. Both
    together are joined. A row's first tag is its label; all of them are in the column `tags`, int32 `[n, t]`.
    """

    title: ClassVar[str] = "Tags"
    weakness: ClassVar[str] = "Takes tags as they are written: synonyms count twice, and clusters are no tags."
    source: ClassVar[str] = (
        "The file; dropping rare tags as in InsTag (Lu et al. 2023, arXiv 2308.07074), whose least count is 20"
    )

    field: str | None = Field(
        None, min_length=1, description="field of the records that holds the tags", examples=["category"]
    )
    separator: str = Field(",", min_length=1, max_length=20, description="where the text of the field is cut into tags")
    lower: bool = Field(True, description="upper and lower case are the same tag")
    min_count: int = Field(1, ge=1, le=1_000_000_000, description="rows that a tag must have, or it is dropped")
    most: int = Field(64, ge=1, le=1000, description="tags of one row that are read, the first ones")

    def label(self, pool: Dataset, runtime: Runtime, *, labels: list[Labels] | None = None) -> Labels:
        """Read the tags.

        Args:
            pool: The rows.
            runtime: Not used.
            labels: Labels whose values are tags as well.

        Raises:
            DataError: if no record has the field.
            CurationError: if there is neither a field nor labels.
        """
        if self.field is None and not labels:
            raise CurationError("it is not said where tags come from", "set field: NAME, or labels: [$clusters]")
        rows: list[list[str]] = [[] for _ in range(len(pool))]
        if self.field is not None:
            rows = [tags_in(value, self.separator, lower=self.lower) for value in pool.field(self.field)]
        for one in labels or []:
            _join(rows, one)
        cut = sum(len(tags) > self.most for tags in rows)
        rows = [tags[: self.most] for tags in rows]
        kept = frequent(rows, self.min_count)
        reasons = [RARE if tags else NO_TAGS for tags in rows]
        return tag_labels(pool.fingerprint, kept, reasons, proxy=self.field is None, rows_cut=cut)

    def disk(self, size: Size) -> float:
        """Some tags for each row."""
        return 48.0 * size.rows


def _join(rows: list[list[str]], labels: Labels) -> None:
    """Add the label of each row to its tags; a name that stands for another tag already gets a number."""
    taken = {tag for tags in rows for tag in tags}
    names = []
    for name in labels.names:
        free, number = name, 1
        while free in taken:
            number += 1
            free = f"{name} ({number})"
        taken.add(free)
        names.append(free)
    for i in np.flatnonzero(np.asarray(labels.codes) >= 0).tolist():
        rows[i].append(names[int(labels.codes[i])])
