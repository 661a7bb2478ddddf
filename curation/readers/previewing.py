"""A look at sources before they are read: what was detected, the first rows, what would be rejected and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping as Dict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from curation.core.dataset import Row
from curation.readers._record import Record, Reject
from curation.readers.containers import open_source
from curation.readers.containers.base import Container
from curation.readers.forms import Match, converter_for
from curation.readers.mapping import FormName, Mapping
from curation.readers.reading import Part, Rejected, header_for, notes_of, outcome, parts, reason_of, rejected_of
from curation.readers.sources import Source, clean, expand

COUNT_BYTES = 50_000_000
"""Sources up to this size are counted to the end; it takes about a second."""
SHOWN_REJECTED = 5


@dataclass(frozen=True)
class SourcePreview:
    """What is known of one source, or of one split of it, before it is read.

    Args:
        label: What its rows will carry as `source`.
        path: The file or hub id.
        container: "json", "jsonl", "csv", "parquet", ... with ".gz", ".zst", ".zip" where packed.
        split: Name of the split, or None.
        form: The form detected or given; None where none fits.
        mapping: Which field plays which role; None where no form fits.
        why: A sentence on the choice.
        others: Other forms that fit, most telling first.
        fields: Names of the records' fields.
        rows: The first converted rows.
        looked_at: Records that were tried.
        rejected: How many of these would be rejected.
        reasons: Reason → count.
        examples: The first rejected records.
        total: Number of records, None where counting would take long.
        notes: What else the user should hear.
    """

    label: str
    path: str
    container: str
    split: str | None
    form: FormName | None
    mapping: Mapping | None
    why: str
    others: tuple[Match, ...]
    fields: list[str]
    rows: list[Row]
    looked_at: int
    rejected: int
    reasons: dict[str, int]
    examples: list[Rejected]
    total: int | None
    notes: list[str]


@dataclass(frozen=True)
class Preview:
    """A look at several sources.

    Args:
        sources: One entry per source or split.
    """

    sources: list[SourcePreview] = field(default_factory=list)

    @property
    def total(self) -> int | None:
        """Records in all, None where one source was not counted."""
        counts = [source.total for source in self.sources]
        return None if None in counts else sum(count or 0 for count in counts)

    @property
    def rejected(self) -> int:
        """Records among those looked at that would be rejected."""
        return sum(source.rejected for source in self.sources)


def preview(
    paths: Sequence[str | Path],
    mapping: Mapping | Dict[str, Mapping] | None = None,
    *,
    rows: int = 5,
    sample: int = 1000,
) -> Preview:
    """Look at the first records of every source without keeping any.

    Bad records never raise; a source that no form fits comes back with `form` None and the reason in `why`.

    Args:
        paths: As for `read`.
        mapping: As for `read`.
        rows: Converted rows to show of each source.
        sample: Records to try of each source.

    Raises:
        DataError: if a path cannot be read at all.
        MissingDependency: for a hub id without the package datasets.
    """
    return Preview([seen for source in expand(paths) for seen in _look(source, mapping, rows, sample)])


def _look(source: Source, mapping: Mapping | Dict[str, Mapping] | None, rows: int, sample: int) -> list[SourcePreview]:
    count_all = not source.hub and source.size <= COUNT_BYTES
    seen = []
    with open_source(source, header_for(mapping, source), take=sample) as container:
        for part in parts(container, source, mapping, strict=False):
            look = _Look(part, rows)
            for position, item in enumerate(islice(part.items, sample)):
                look.at(item, position)
            total = container.total() if part.split is None else None
            if total is None and (count_all or look.looked_at < sample):
                total = look.looked_at + sum(1 for _ in part.items)
            seen.append((look, total))
            if not count_all and part.split is not None and not source.hub:
                break  # reaching the next split of a large file would mean reading it all
        notes = notes_of(container.notes)
        return [look.result(source, container, total, notes) for look, total in seen]


class _Look:
    def __init__(self, part: Part, rows: int) -> None:
        self._part, self._wanted = part, rows
        self._convert = converter_for(part.mapping) if part.mapping else None
        self._rows: list[Row] = []
        self._reasons: Counter[str] = Counter()
        self._notes: Counter[str] = Counter()
        self._examples: list[Rejected] = []
        self.looked_at = 0

    def at(self, item: Any, position: int) -> None:
        """Try one record."""
        self.looked_at += 1
        verdict = outcome(item, self._convert)
        if isinstance(verdict, Reject):
            rejected = rejected_of(item, verdict, self._part.label, position)
            self._reasons[reason_of(rejected)] += 1
            if len(self._examples) < SHOWN_REJECTED:
                self._examples.append(rejected)
            return
        messages, tools, note = verdict
        if note is not None:
            self._notes[note] += 1
        if len(self._rows) < self._wanted and isinstance(item, Record) and self._part.mapping:
            self._rows.append(Row(messages, item.text, self._part.label, position, self._part.mapping.form, tools))

    def result(self, source: Source, container: Container, total: int | None, notes: list[str]) -> SourcePreview:
        """What was seen."""
        part = self._part
        return SourcePreview(
            label=part.label,
            path=clean(source.path),
            container=container.kind,
            split=part.split,
            form=part.mapping.form if part.mapping else None,
            mapping=part.mapping,
            why=part.why,
            others=part.others,
            fields=part.sample.fields,
            rows=self._rows,
            looked_at=self.looked_at,
            rejected=sum(self._reasons.values()),
            reasons=dict(self._reasons.most_common()),
            examples=self._examples,
            total=total,
            notes=notes + notes_of(self._notes),
        )
