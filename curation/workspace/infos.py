"""What the workspace tells about its contents."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from curation.core.dataset import Dataset
from curation.workspace.files import folder_bytes, read_facts


@dataclass(frozen=True)
class Added:
    """What `Workspace.add` did.

    Args:
        dataset: The new Dataset (or the old one, when the same rows were there already).
        rejected: Records in the quarantine file.
        facts: Per source: form, counts, notes.
        existed: True when the same rows were there already.
    """

    dataset: Dataset
    rejected: int
    facts: dict[str, Any]
    existed: bool


@dataclass(frozen=True)
class DatasetInfo:
    """One line of the list of datasets; `made_from` is the fingerprint of the one whose rows a step made it from."""

    name: str
    fingerprint: str
    rows: int
    rejected: int
    sources: list[dict[str, Any]]
    created: float
    bytes: int
    made_from: str = ""


@dataclass(frozen=True)
class ResultInfo:
    """One line of the list of results; `manifest` has the rest."""

    key: str
    kind: str
    use: str
    step: str
    dataset: str
    seconds: float
    created: float
    bytes: int
    manifest: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Pruned:
    """What `prune` removed or would remove."""

    bytes: int
    paths: list[str]


def info_of(folder: Path) -> ResultInfo | None:
    """A result by its folder, None when that is not whole."""
    m = read_facts(folder / "manifest.json")
    if not m:
        return None
    return ResultInfo(
        key=folder.name,
        kind=m["kind"],
        use=m.get("use", ""),
        step=m.get("step", ""),
        dataset=m["dataset"],
        seconds=m.get("seconds") or 0.0,
        created=m["created"],
        bytes=folder_bytes(folder),
        manifest=m,
    )
