"""The parameters that all exporters share, and their verb."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from curation.core.artifacts import Coverage, Export, Labels, Score, Selection
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.method import Exporter, Size
from curation.core.runtime import Runtime
from curation.exporters._export import Beside, carry_out
from curation.exporters._forms import Form
from curation.exporters._records import Checking, Written, plan_for, write_records
from curation.models.tokens import PACKAGED

JSON_SUFFIXES = {".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl"}


class FileExporter(Exporter):
    """Writes rows as a file or folder, with a folder of companions `<output>.d` beside it."""

    suffix: ClassVar[str] = ""  # given to an output without one; "" for folders

    path: str = Field("", description="Output file or folder; empty: a file in the run's own folder.")
    name: str = Field("", description="Name of the data set in the trainer's config; empty: from the file name.")
    trainer: Literal["none", "llama-factory", "axolotl", "trl"] = Field(
        "none", description="Trainer whose acceptance rules are applied and whose config is written."
    )
    base_model: str = Field(
        "Qwen/Qwen2.5-0.5B-Instruct", description="Model to be trained, as written into the trainer's config."
    )
    template: str = Field("qwen", description="LLaMA-Factory's name for the chat template of that model.")
    cutoff_len: int | None = Field(
        None, ge=16, le=1_048_576, description="Longest row in tokens for the trainer; empty: 2,048."
    )
    tokenizer: str = Field(PACKAGED, description="Tokenizer for counting: 'packaged', a folder or a Hugging Face name.")
    order: Literal["dataset", "pick"] = Field("dataset", description="Order of rows: as in the pool, or as picked.")
    drop_unusable: bool = Field(
        False, description="Leave out rows that the trainer would drop or fail on; they are listed."
    )
    overwrite: bool = Field(False, description="Replace an output that exists.")

    def export(
        self,
        pool: Dataset,
        runtime: Runtime,
        *,
        selection: Selection | None = None,
        scores: dict[str, Score] | None = None,
        labels: dict[str, Labels] | None = None,
        coverage: Coverage | None = None,
    ) -> Export:
        """Write the selected rows (all rows without a selection) and their companions.

        Args:
            pool: The rows.
            runtime: Its context gives "folder", "recipe" (YAML), "command" and "results" of the run, if there is one.
            selection: Which rows, and why.
            scores: Shown before and after in the card, and row by row in `decisions.parquet`.
            labels: The same.
            coverage: Shown in the card.

        Raises:
            CurationError: if the output exists, the trainer cannot read such a file, or artifacts of another Dataset
                are given.
            MissingDependency: if the format needs a package that is not installed.
        """
        return carry_out(self, pool, runtime, Beside(selection, scores or {}, labels or {}, coverage))

    def write(self, pool: Dataset, rows: np.ndarray, path: Path, runtime: Runtime) -> Written:
        """Write the data file or folder only; `export` calls it."""
        checking = Checking(self.trainer, self.cutoff_len, self.tokenizer)
        plan = plan_for(pool, rows, (self.form(), self.second_form()), self.container(path), self.trainer, runtime)
        return write_records(
            pool, plan, path, checking, runtime, escape=self.escapes(), drop_unusable=self.drop_unusable
        )

    def escapes(self) -> bool:
        """Whether formulas in CSV cells are defused."""
        return False

    def default_suffix(self, pool: Dataset) -> str:
        """What an output without a suffix gets."""
        return self.suffix

    def container(self, path: Path) -> str:
        """The container for an output path: "json", "jsonl", "csv", "parquet" or "hf".

        Raises:
            CurationError: if the path's suffix is that of another container.
        """
        raise NotImplementedError

    def form(self) -> Form:
        """The record form for these parameters."""
        raise NotImplementedError

    def second_form(self) -> Form | None:
        """The form to use for all rows when the first cannot say some of them; None = leave those out."""
        return None

    def work(self, size: Size) -> float:
        """Characters, twice: once to look, once to write."""
        return 2.0 * size.chars + 1

    def disk(self, size: Size) -> float:
        """The text, and the decisions."""
        return 1.2 * size.chars + 100.0 * size.rows


class JsonExporter(FileExporter):
    """Writes a JSON list (`.json`) or JSON lines (`.jsonl`)."""

    def container(self, path: Path) -> str:
        """The container for an output path, by its suffix."""
        found = JSON_SUFFIXES.get(path.suffix.lower())
        if found is None:
            raise CurationError(
                f"{path.name}: {type(self).__name__.lower()} is written as .json or .jsonl",
                "name such a file, or use --format parquet, csv or hf, which take a form of their own",
            )
        return found


class TableExporter(FileExporter):
    """Writes a table, in one of the record forms."""

    def container(self, path: Path) -> str:
        """The container for an output path, which must have the format's own suffix or none of the others."""
        if path.suffix.lower() != self.suffix:
            raise CurationError(
                f"{path.name}: this format is written as {self.suffix}", f"end the name in {self.suffix}"
            )
        return self.suffix.removeprefix(".")
