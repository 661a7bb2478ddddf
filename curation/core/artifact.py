"""The base of everything that methods make: it belongs to one Dataset, and is saved as plain files."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from curation.core.errors import CurationError
from curation.core.saving import load_value, save_value, to_json


@dataclass(frozen=True)
class Artifact:
    """Base of all artifacts: the fingerprint of the Dataset, and saving.

    Args:
        dataset: Fingerprint of the Dataset that the rows belong to.
    """

    kind: ClassVar[str] = "artifact"
    row_aligned: ClassVar[bool] = True
    dataset: str

    def save(self, folder: Path) -> None:
        """Write into an existing empty folder: one `.npy` per array, string arrays as Parquet, the rest as JSON."""
        plain: dict[str, Any] = {}
        for f in dataclasses.fields(self):
            save_value(folder, f.name, getattr(self, f.name), plain)
        text = to_json({"kind": self.kind, "fields": plain})
        (folder / "artifact.json").write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read back; arrays are memory-mapped and read-only."""
        plain = json.loads((folder / "artifact.json").read_text(encoding="utf-8"))
        if plain["kind"] != cls.kind:
            raise CurationError(f"{folder.name} holds {plain['kind']}, not {cls.kind}")
        return cls(**{f.name: load_value(folder, f.name, plain["fields"]) for f in dataclasses.fields(cls)})

    # row-aligned artifacts implement these three; engine code calls them, methods never need to

    def __len__(self) -> int:
        raise TypeError(f"{self.kind} has no rows")

    def take(self, rows: np.ndarray, dataset: str) -> Self:
        """The artifact of a subset of the rows, in the given order."""
        raise TypeError(f"{self.kind} cannot be cut to rows")

    def scatter(self, rows: np.ndarray, n: int, dataset: str, outside: str) -> Self:
        """The reverse of take: rows not named are missing because of `outside`."""
        raise TypeError(f"{self.kind} cannot be spread over rows")
