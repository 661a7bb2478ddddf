"""Fixtures of the readers' tests."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from curation.core.dataset import Dataset, DatasetWriter
from curation.readers import Rejected, read


@dataclass
class Loaded:
    """What reading gave."""

    dataset: Dataset
    facts: dict[str, Any]
    rejected: list[Rejected] = field(default_factory=list)

    @property
    def reasons(self) -> list[str]:
        """Every rejected record as "line: field reason"."""
        return [f"{r.line}: {r.field + ' ' if r.field else ''}{r.reason}" for r in self.rejected]

    @property
    def notes(self) -> list[str]:
        """Notes of all sources."""
        return [note for source in self.facts["sources"] for note in source["notes"]]


@pytest.fixture
def load(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Loaded]:
    """Read paths into a Dataset; read + rejected = records is checked on the way."""

    def load(*paths: Path | str, **options: Any) -> Loaded:
        folder = tmp_path_factory.mktemp("dataset")
        rejected: list[Rejected] = []
        writer = DatasetWriter(folder, "test")
        try:
            facts = read(paths, writer, reject=rejected.append, **options)
        except BaseException:
            writer.abandon()
            raise
        json.dumps(facts)
        writer.finish(facts)
        dataset = Dataset.open(folder)
        assert sum(s["rows"] for s in facts["sources"]) == len(dataset)
        assert sum(s["rejected"] for s in facts["sources"]) == len(rejected)
        return Loaded(dataset, facts, rejected)

    return load


@pytest.fixture
def load_records(tmp_path: Path, load: Callable[..., Loaded]) -> Callable[..., Loaded]:
    """Read records through a JSONL file."""

    def load_records(*records: Any, **options: Any) -> Loaded:
        path = tmp_path / "records.jsonl"
        path.write_text("".join(json.dumps(r) + "\n" for r in records), encoding="utf-8")
        return load(path, **options)

    return load_records
