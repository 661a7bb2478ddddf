"""Labels that the file itself gives: a field of its records, or the file a row came from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from curation.core.artifacts import NO_ROW, Labels, Missing
from curation.core.dataset import Dataset
from curation.core.method import Labeller
from curation.core.runtime import Runtime

ABSENT = "no value"
NOT_ONE_VALUE = "a list or an object, not one value"


def as_label(value: Any) -> tuple[str | None, str | None]:
    """The label that a value of a record stands for, or None with the reason why it stands for none.

    Text is stripped of white space at both ends; numbers and truth values become their text; nothing, empty text,
    lists and objects are no labels.
    """
    if value is None:
        return None, ABSENT
    if isinstance(value, list | dict):
        return None, NOT_ONE_VALUE
    text = value.strip() if isinstance(value, str) else str(value)
    return (text, None) if text else (None, ABSENT)


def labels_of(dataset: str, values: Sequence[Any]) -> Labels:
    """Labels from one value per row; names are sorted.

    Args:
        dataset: Fingerprint.
        values: Of any type, see `as_label`.
    """
    found = [as_label(value) for value in values]
    names = tuple(sorted({label for label, _ in found if label is not None}))
    code = {name: i for i, name in enumerate(names)}
    codes = np.array([NO_ROW if label is None else code[label] for label, _ in found], np.int32)
    return Labels(dataset, codes, names, Missing.from_list([reason for _, reason in found]))


class Column(Labeller):
    """The value of a field of the records, or the source of each row.

    `meta.topic` reaches into the object `meta`. Text and numbers are labels; rows whose field is absent or empty, or
    holds a list or an object, have none.
    """

    title: ClassVar[str] = "Column"
    source: ClassVar[str] = "The file"
    weakness: ClassVar[str] = "Two spellings are two labels; what the file calls a category may mean something else."

    field: str | None = Field(
        None,
        min_length=1,
        description="field of the records; nothing = the file that a row came from",
        examples=["category"],
    )

    def label(self, pool: Dataset, runtime: Runtime) -> Labels:
        """Read the values.

        Raises:
            DataError: if no record has the field.
        """
        return labels_of(pool.fingerprint, pool.sources if self.field is None else pool.field(self.field))
