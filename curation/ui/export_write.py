"""Writing an export from the app: into a folder of this machine, or as one archive for the browser."""

from __future__ import annotations

import io
import os
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from curation.api import beside
from curation.core.artifacts import Export, Labels, Score, Selection
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.exporters import EXPORTERS, export_rows
from curation.exporters._export import slug
from curation.ui import pool
from curation.ui.pool import Stored
from curation.ui.session import FOLDER_VARIABLE
from curation.workspace import Workspace

TRAINERS = {"none": "no check", "llama-factory": "LLaMA-Factory", "axolotl": "Axolotl", "trl": "TRL"}
CONFIGS = {
    "llama-factory": ("dataset_info.json", "llamafactory.yaml"),
    "axolotl": ("axolotl.yaml",),
    "trl": ("train_trl.py",),
    "none": (),
}
LANGUAGES = {".json": "json", ".yaml": "yaml", ".py": "python"}


@dataclass(frozen=True)
class Order:
    """What is to be exported.

    Args:
        stored: A selection, None = all rows.
        format: One of `curation.exporters.FORMATS`.
        trainer: Whose rules are applied, "none" for nobody's.
        options: Further fields of the format.
    """

    stored: Stored | None
    format: str
    trainer: str = "none"
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def selection(self) -> Selection | None:
        """The rows."""
        return None if self.stored is None else self.stored.selection


def file_name(dataset: Dataset, order: Order) -> str:
    """A name for the output: the dataset, how many rows, and the format's own ending."""
    rows = len(dataset) if order.selection is None else len(order.selection)
    stem = f"{slug(Path(dataset.name).stem)}-{rows}"
    if order.format == "original":
        return stem
    return stem + EXPORTERS[order.format].suffix


def folder_of(text: str) -> Path:
    """A folder that the user typed, relative to where `curate app` was called.

    Raises:
        CurationError: if nothing was typed, or it is a file.
    """
    if not text.strip():
        raise CurationError("no folder was named", "type the folder to write into")
    path = Path(os.environ.get(FOLDER_VARIABLE) or Path.cwd()) / Path(text.strip()).expanduser()
    if path.exists() and not path.is_dir():
        raise CurationError(f"{path} is a file", "name a folder")
    return path


def write(workspace: Workspace, dataset: Dataset, order: Order, target: Path, *, overwrite: bool = False) -> Export:
    """Write an export with its companions.

    Raises:
        CurationError: see `curation.exporters.export_rows`.
    """
    recipe, coverage = "", None
    scores: dict[str, Score] = {}
    labels: dict[str, Labels] = {}
    if order.stored is not None:
        recipe = str(workspace.manifest(order.stored.key).get("recipe", ""))
        scores, labels = beside(workspace, order.stored.key)
        coverage = pool.coverage_of(dataset.fingerprint, order.stored.key)
    return export_rows(
        dataset, order.selection, format=order.format, output=target, recipe=recipe, scores=scores, labels=labels,
        coverage=coverage, trainer=order.trainer, overwrite=overwrite, **order.options,
    )  # fmt: skip


def files_of(target: Path) -> list[Path]:
    """Every file of an export: the data, and its companions."""
    parts = [target, target.with_name(f"{target.name}.d")]
    return [f for part in parts for f in ([part] if part.is_file() else sorted(part.rglob("*"))) if f.is_file()]


def pack(target: Path, out: IO[bytes]) -> None:
    """Write all files of an export as one zip archive."""
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for file in files_of(target):
            packed.write(file, file.relative_to(target.parent))


def zipped(target: Path) -> bytes:
    """All files of an export as one zip archive."""
    out = io.BytesIO()
    pack(target, out)
    return out.getvalue()


def archive(workspace: Workspace, dataset: Dataset, order: Order) -> bytes:
    """An export as one zip archive, made in a scratch folder."""
    with tempfile.TemporaryDirectory(dir=workspace.root / "tmp") as folder:
        return zipped(Path(write(workspace, dataset, order, Path(folder) / file_name(dataset, order)).path))


def configs_of(made: Export, trainer: str) -> dict[str, str]:
    """Name → text of the files that the trainer reads beside the data."""
    folder = Path(str(made.info.get("companions", f"{made.path}.d")))
    found = {name: folder / name for name in CONFIGS[trainer]}
    return {name: path.read_text(encoding="utf-8") for name, path in found.items() if path.is_file()}
