"""Reading sources into a Dataset, row by row, with every record accounted for: read + rejected = records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Mapping as Dict
from dataclasses import dataclass
from itertools import chain, groupby
from pathlib import Path
from typing import Any

from curation.core.dataset import DatasetWriter, Row
from curation.core.errors import DataError
from curation.readers._record import EXCERPT_CHARS, Broken, Converter, Record, Reject, Sample
from curation.readers.containers import open_source
from curation.readers.containers.base import Container
from curation.readers.forms import Match, converter_for, matches
from curation.readers.mapping import Mapping
from curation.readers.sources import Source, clean, expand

Facts = dict[str, Any]
DETECT_RECORDS = 200
PROGRESS_EVERY = 1000


@dataclass(frozen=True)
class Rejected:
    """One record that did not become a row.

    Args:
        source: The source it lies in, as rows name it.
        line: 1-based line of the file where it begins; for Parquet, Arrow and hub data its 1-based number.
        field: Which field is wrong ("conversations[3].value"), or None where the record as a whole is.
        reason: What is wrong.
        excerpt: The record's text, at most 2,000 characters.
        record: Its 0-based position in the source.
    """

    source: str
    line: int
    field: str | None
    reason: str
    excerpt: str
    record: int


@dataclass(frozen=True)
class Part:
    """One split of a source, or the whole of one that has none, with its form found.

    Args:
        label: What its rows carry as `source`.
        split: Name of the split.
        mapping: How its records are read, None where nothing fits.
        why: A sentence on the choice, or on why there is none.
        others: Forms that would fit as well.
        items: Records and broken places from the first on; to be used once.
        sample: The first records.
    """

    label: str
    split: str | None
    mapping: Mapping | None
    why: str
    others: tuple[Match, ...]
    items: Iterator[Record | Broken]
    sample: Sample


def _no_progress(done: float, total: float, note: str) -> None:
    return None


def read(
    paths: Sequence[str | Path],
    writer: DatasetWriter,
    *,
    mapping: Mapping | Dict[str, Mapping] | None = None,
    reject: Callable[[Rejected], None],
    progress: Callable[[float, float, str], None] = _no_progress,
) -> Facts:
    """Read files, folders, archives or hub ids into a writer, in a stream.

    Args:
        paths: What to read, in order; a hub id is `owner/name` or `owner/name:config`.
        writer: Takes the rows. It is neither finished nor abandoned here.
        mapping: How to read all sources, or one mapping per source by label, file name or path; None = detect.
        reject: Called for every record that does not become a row.
        progress: Called now and then with (bytes done, bytes in all, note); what it raises ends the reading.

    Returns:
        JSON-able facts: `sources`, a list with path, name, split, container, form, mapping, rows, rejected, reasons,
        notes and what is needed to write the records back in their own form.

    Raises:
        DataError: if a path cannot be read at all, or no form fits, or not one row of a file can be read.
        MissingDependency: for a hub id without the package datasets.
    """
    sources = expand(paths)
    total, done = sum(source.size for source in sources), 0
    facts: list[dict[str, Any]] = []
    for source in sources:
        own: list[dict[str, Any]] = []
        first: Rejected | None = None
        with open_source(source, header_for(mapping, source)) as container:
            for part in parts(container, source, mapping):
                run = _Run(part, container, writer, reject)
                run.go(progress, done, max(total, 1))
                own.append(run.facts(source, container))
                first = first or run.first_rejected
        done += source.size
        if not any(fact["rows"] for fact in own):
            raise _nothing_read(source, sum(fact["rejected"] for fact in own), first)
        facts += own
    progress(max(total, 1), max(total, 1), "read")
    return {"sources": facts}


def _nothing_read(source: Source, rejected: int, first: Rejected | None) -> DataError:
    if first is None:
        return DataError("holds no record", "fetch or make the file again", file=source.label)
    what = f"field '{first.field}' {first.reason}" if first.field else first.reason
    return DataError(
        f"not one of {rejected:,} records can be read; line {first.line:,}: {what}",
        "look at the file, or name its fields with a mapping",
        file=source.label,
    )


def _mapping_for(mapping: Mapping | Dict[str, Mapping] | None, source: Source, label: str) -> Mapping | None:
    if mapping is None or isinstance(mapping, Mapping):
        return mapping
    for name in (label, source.label, source.path, Path(source.path).name):
        if name in mapping:
            return mapping[name]
    return None


def header_for(mapping: Mapping | Dict[str, Mapping] | None, source: Source) -> bool | None:
    """Whether the user said that a CSV source has a header line."""
    own = _mapping_for(mapping, source, source.label)
    return None if own is None else own.header


def parts(
    container: Container,
    source: Source,
    mapping: Mapping | Dict[str, Mapping] | None = None,
    *,
    strict: bool = True,
) -> Iterator[Part]:
    """The splits of an opened source, one after another; use up one before asking for the next.

    Raises:
        DataError: if no form fits, with the fields found; with `strict` False the Part has no mapping instead.
    """
    for split, items in groupby(container.items(), key=lambda item: item.split):
        label = source.label if split is None else f"{source.label}/{split}"
        head: list[Record | Broken] = []
        records: list[Any] = []
        for item in items:
            head.append(item)
            if isinstance(item, Record):
                records.append(item.value)
                if len(records) == DETECT_RECORDS:
                    break
        sample = Sample(records, container.label_names)
        chosen, found, why = _mapping_for(mapping, source, label), [], "as given"
        if chosen is None:
            found = matches(sample)
            chosen, why = (found[0].mapping, found[0].why) if found else (None, _unknown(sample))
        if chosen is None and records and strict:
            raise DataError(why, _hint(sample), file=label)
        yield Part(label, split, chosen, why, tuple(found[1:]), chain(head, items), sample)  # noqa: B031 - one pass


def _unknown(sample: Sample) -> str:
    if not sample.records:
        return "no record could be read"
    if not sample.fields:
        return "no known form fits: the records are bare values without fields"
    shown = ", ".join(sample.fields[:20]) + (", ..." if len(sample.fields) > 20 else "")
    return f"no known form fits; the records have the fields {shown}"


def _hint(sample: Sample) -> str:
    first, second = ([*sample.fields, "a", "b"])[:2]
    return (
        "say which field is what, with a mapping such as "
        f"Mapping(form='prompt-completion', prompt='{first}', response='{second}')"
    )


class _Run:
    """Converting the records of one part and counting what happens to them."""

    def __init__(
        self, part: Part, container: Container, writer: DatasetWriter, reject: Callable[[Rejected], None]
    ) -> None:
        self._part, self._container, self._writer, self._reject = part, container, writer, reject
        self.rows = self.rejected = 0
        self.first_rejected: Rejected | None = None
        self._notes: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()

    def go(self, progress: Callable[[float, float, str], None], done: int, total: int) -> None:
        """Convert, write or reject every record; `done` of `total` bytes were read before this source."""
        part, add = self._part, self._writer.add
        repeats, ids, repeated_ids = self._writer.repeats, set[int](), 0
        convert = converter_for(part.mapping) if part.mapping else None
        form = part.mapping.form if part.mapping else ""
        for position, item in enumerate(part.items):
            if position % PROGRESS_EVERY == 0:
                progress(done + self._container.position(), total, f"{part.label}: {self.rows:,} rows")
            verdict = outcome(item, convert)
            if isinstance(verdict, Reject):
                self._refuse(item, verdict, position)
                continue
            messages, tools, note = verdict
            if note is not None:
                self._notes[note] += 1
            assert isinstance(item, Record)  # a Broken is a Reject
            fields = item.value if isinstance(item.value, dict) else ()
            add(Row(messages, item.text, part.label, position, form, tools), fields)
            self.rows += 1
            if "id" in fields:
                key = hash(repr(item.value["id"]))  # 8 bytes, whatever the id is
                repeated_ids += key in ids
                ids.add(key)
        self._count("rows equal to an earlier one, kept", self._writer.repeats - repeats)
        self._count("records with the `id` of an earlier one, kept", repeated_ids)

    def _count(self, what: str, rows: int) -> None:
        if rows:
            self._notes[f"{what}: {rows:,}"] += 1

    def _refuse(self, item: Record | Broken, verdict: Reject, position: int) -> None:
        rejected = rejected_of(item, verdict, self._part.label, position)
        self.rejected += 1
        self._reasons[reason_of(rejected)] += 1
        self.first_rejected = self.first_rejected or rejected
        self._reject(rejected)

    def facts(self, source: Source, container: Container) -> dict[str, Any]:
        mapping, facts = self._part.mapping, dict(container.facts)
        if isinstance(facts.get("arrow_schema"), dict):
            facts["arrow_schema"] = facts["arrow_schema"].get(self._part.split)
        return {
            "path": clean(source.path),
            "member": source.member and clean(source.member),
            "name": self._part.label,
            "split": self._part.split,
            "container": container.kind,
            "form": mapping.form if mapping else None,
            "mapping": mapping.model_dump(exclude_defaults=True) if mapping else None,
            "rows": self.rows,
            "rejected": self.rejected,
            "reasons": dict(self._reasons.most_common(20)),
            "notes": notes_of(container.notes + self._notes),
            **facts,
        }


def outcome(item: Record | Broken, convert: Converter | None) -> Any:
    """What becomes of a record: what the form made of it, or the Reject that says why nothing."""
    if isinstance(item, Broken):
        return Reject(item.field, item.reason)
    if convert is None:
        return Reject(None, "no known form fits")
    try:
        return convert(item.value)
    except Reject as reject:
        return reject


def rejected_of(item: Record | Broken, verdict: Reject, label: str, position: int) -> Rejected:
    """The report of one record that did not become a row."""
    excerpt = item.text if isinstance(item, Record) else item.excerpt
    return Rejected(label, item.line, verdict.field, verdict.reason, excerpt[:EXCERPT_CHARS], position)


def reason_of(rejected: Rejected) -> str:
    """Field and reason without positions, for counting alike ones together."""
    where = ""
    if rejected.field:
        where = "".join(c for c in rejected.field if not c.isdigit()) + " "
    return where + "".join(c for c in rejected.reason if not c.isdigit())


def notes_of(counts: Counter[str]) -> list[str]:
    """Notes as sentences, with how often where that is more than once."""
    return [note if count == 1 else f"{note} ({count:,} times)" for note, count in counts.items()]
