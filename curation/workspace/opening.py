"""Making a workspace, and names for what goes in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from curation.core.errors import CurationError
from curation.workspace.files import read_facts, write_atomically

SCHEMA_VERSION = 1
AREAS = ("datasets", "results", "orders", "rows", "keep", "jobs", "decisions", "exports", "cache", "locks", "tmp")


def prepared(path: Path) -> Any:
    """Make what is missing of a workspace; returns its schema."""
    marker = path / "workspace.json"
    if path.exists() and not path.is_dir():
        raise CurationError(f"{path} is a file, not a workspace folder", "name a folder with --workspace")
    if not marker.exists():
        if path.exists() and any(path.iterdir()) and not (path / "locks").exists():
            raise CurationError(
                f"{path} has other files in it and is not a workspace", "name a new or empty folder with --workspace"
            )
        for area in ("locks", *AREAS):  # locks first: it marks a workspace that a killed process left half made
            (path / area).mkdir(parents=True, exist_ok=True)
        write_atomically(marker, json.dumps({"schema": SCHEMA_VERSION}))
    for area in AREAS:
        if not (path / area).is_dir():
            (path / area).mkdir(exist_ok=True)
    return read_facts(marker).get("schema")


def default_name(path: str | Path) -> str:
    """A dataset's name from its first file: the name without endings."""
    name = Path(str(path)).name
    for ending in (".gz", ".zst", ".zip", ".json", ".jsonl", ".csv", ".tsv", ".parquet", ".arrow", ".ndjson"):
        name = name.removesuffix(ending)
    return name or "dataset"
