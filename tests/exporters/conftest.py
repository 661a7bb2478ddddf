"""Builders of small datasets for the exporters' tests."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from curation.core.artifacts import Selection
from curation.core.dataset import Dataset, DatasetWriter, Row, in_memory

Make = Callable[..., Dataset]


@pytest.fixture
def make() -> Make:
    """A Dataset from conversations; records default to a messages record."""

    def build(*conversations: list[dict[str, Any]], records: list[Any] | None = None, tools: Any = None) -> Dataset:
        rows = []
        for i, messages in enumerate(conversations):
            record = records[i] if records else {"messages": messages}
            rows.append(Row(messages, json.dumps(record, ensure_ascii=False), "made", i, "messages", tools))
        return in_memory(rows, "made")

    return build


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Dataset]:
    """Read files with the real readers."""

    def read_files(*paths: Path) -> Dataset:
        from curation.readers import read

        folder = tmp_path / f"loaded-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        writer = DatasetWriter(folder, paths[0].name)
        facts = read(list(paths), writer, reject=lambda rejected: None)
        writer.finish(facts)
        return Dataset.open(folder)

    return read_files


@pytest.fixture
def pick() -> Callable[..., Selection]:
    """A Selection of the named rows, in that order, with a reason for the others."""

    def build(dataset: Dataset, rows: list[int], **more: Any) -> Selection:
        stage = np.ones(len(dataset), np.int16)
        stage[rows] = 0
        return Selection(
            dataset.fingerprint,
            len(dataset),
            np.array(rows, np.int64),
            stage=stage,
            stages=("beyond the budget",),
            **more,
        )

    return build


@pytest.fixture
def ask() -> Callable[..., list[dict[str, Any]]]:
    """A conversation from texts: user, assistant, user, ..."""

    def build(*texts: str, system: str = "") -> list[dict[str, Any]]:
        turns = [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(texts)]
        return [{"role": "system", "content": system}, *turns] if system else turns

    return build
