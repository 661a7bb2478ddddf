"""Looking at one record: fields by name, texts, and the small words that refusals use."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from curation.core.dataset import Message
from curation.readers.mapping import FormName, Mapping

MAX_RECORD_BYTES = 32 << 20
"""A longer record is quarantined: no trainer takes a 32 MiB row, and one would stall every page that shows it."""
MAX_DEPTH = 100
"""Deeper nesting is quarantined: the json module gives up near 1,000 levels, less when called deep in a program."""
EXCERPT_CHARS = 2000


class _Missing:
    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()


class Reject(Exception):  # noqa: N818 - not an error of the program: a verdict on one record
    """One record cannot become a row; `field` says where, the message why."""

    def __init__(self, field: str | None, reason: str) -> None:
        super().__init__(reason)
        self.field = field
        self.reason = reason


class Record(NamedTuple):
    """One record as a container gave it.

    Args:
        value: The parsed record.
        text: The record as JSON text.
        line: 1-based line of the file where it begins; for Parquet, Arrow and hub data its 1-based number.
        split: Name of the split it lies in, or None.
    """

    value: Any
    text: str
    line: int
    split: str | None = None


class Broken(NamedTuple):
    """Something in a file that should have been a record and is none."""

    line: int
    field: str | None
    reason: str
    excerpt: str
    split: str | None = None


class Converted(NamedTuple):
    """What a form makes of a record. `note` names a change of the text that the user should hear of."""

    messages: list[Message]
    tools: Any = None
    note: str | None = None


Converter = Callable[[Any], Converted]


@dataclass
class Sample:
    """The first records of a source.

    Args:
        records: Parsed records.
        label_names: Names of numbered labels by column, where the container knows them.
    """

    records: list[Any]
    label_names: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.fields: list[str] = fields_seen(self.records)
        self._by_lower = {name.lower(): name for name in reversed(self.fields)}

    def first(self, *names: str) -> str | None:
        """The first of these names that is a field, whatever its case, as the records spell it."""
        return next((self._by_lower[name] for name in names if name in self._by_lower), None)

    def values(self, name: str | None) -> list[Any]:
        """The values of a field, where present and not null."""
        if name is None:
            return []
        get = getter(name)
        return [v for v in map(get, self.records) if v is not None and v is not MISSING]


@dataclass(frozen=True)
class Form:
    """One shape of records.

    Args:
        name: As in Mapping.form.
        title: What the app calls it.
        guess: Names the fields of a sample, or None where they are not there.
        converter: Makes the function that turns records into messages.
    """

    name: FormName
    title: str
    guess: Callable[[Sample], Mapping | None]
    converter: Callable[[Mapping], Converter]


def fields_seen(records: Iterable[Any]) -> list[str]:
    """Field names in the order they are first seen; positions for lists, "." for bare texts."""
    seen: dict[str, None] = {}
    for record in records:
        if isinstance(record, dict):
            seen.update(dict.fromkeys(record))
        elif isinstance(record, list):
            seen.update(dict.fromkeys(map(str, range(min(len(record), 20)))))
        elif isinstance(record, str):
            seen["."] = None
    return list(seen)


def kind_of(value: Any) -> str:
    """A value's type in a user's words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    names: dict[type, str] = {str: "a text", list: "a list", dict: "an object", tuple: "a list"}
    return names.get(type(value), type(value).__name__)


def getter(name: str | None) -> Callable[[Any], Any]:
    """A function that takes a field from a record, or gives MISSING; always MISSING where no field is named."""
    if name is None:
        return lambda record: MISSING
    if name == ".":
        return lambda record: record
    key, path = name, name.split(".")

    def get(record: Any) -> Any:
        if type(record) is dict:
            value = record.get(key, MISSING)
            return _walk(record, path) if value is MISSING and len(path) > 1 else value
        return _walk(record, path)

    return get


def _walk(value: Any, path: list[str]) -> Any:
    for step in path:
        if isinstance(value, dict):
            value = value.get(step, MISSING)
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return MISSING
    return value


def text_of(value: Any, name: str | None) -> str:
    """A value that must be a text; null is the empty text.

    Raises:
        Reject: if it is anything else, naming what it is.
    """
    if type(value) is str:
        return value
    if value is None:
        return ""
    if value is MISSING:
        raise Reject(name, "is missing")
    raise Reject(name, f"is {kind_of(value)}, a text is needed")


def optional_text(name: str | None) -> Callable[[Any], str]:
    """A function that takes a text from a record; missing and null are the empty text."""
    get = getter(name)

    def read(record: Any) -> str:
        value = get(record)
        return "" if value is MISSING else text_of(value, name)

    return read


def needs_object(record: Any) -> None:
    """Refuse a record that has no fields at all.

    Raises:
        Reject: if the record is no object.
    """
    if not isinstance(record, dict | list):
        raise Reject(None, f"the record is {kind_of(record)}, an object with fields is needed")
