"""Rows that a generator made, from Python: a Pool like any other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import curation
from curation.core.errors import CurationError


def test_made_rows_are_a_pool(tmp_path: Path) -> None:
    rows = [{"instruction": f"name a river in country {i}", "input": "", "output": f"river {i}"} for i in range(6)]
    (tmp_path / "pool.json").write_text(json.dumps(rows))
    pool = curation.load(tmp_path / "pool.json", workspace=tmp_path / "ws")
    expanded = pool.run("generator/lift-expand", connection="stand-in", rounds=1)
    made = expanded.made()
    assert len(made) == 12 and made.dataset.name.startswith("pool (")
    assert sum(parent is not None for parent in made.dataset.column("parent").to_pylist()) == 12
    assert made.score("length").artifact.dataset == made.dataset.fingerprint
    with pytest.raises(CurationError, match="holds no rows"):
        pool.score("length").made()
