"""A Hugging Face data set folder, as `datasets.Dataset.save_to_disk` writes it."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from curation.exporters._base import FileExporter
from curation.exporters._forms import Form
from curation.exporters.parquet import FormChoice, arrow_form
from curation.exporters.prompt_completion import TURNS_FOR_ARROW


class Hf(FileExporter):
    """A folder that `datasets.load_from_disk` opens, in one of the record forms."""

    title: ClassVar[str] = "Hugging Face folder"
    weakness: ClassVar[str] = "LLaMA-Factory cannot open it. Extra fields of mixed or nested values become JSON text."
    source: ClassVar[str] = "https://huggingface.co/docs/datasets"

    columns: FormChoice = Field("messages", description="Record form whose columns the data set has.")

    def container(self, path: Path) -> str:
        """Always a folder."""
        return "hf"

    def form(self) -> Form:
        """The record form."""
        return arrow_form(self.columns)

    def second_form(self) -> Form | None:
        """Lists of messages where texts cannot say a row."""
        return TURNS_FOR_ARROW if self.columns == "prompt_completion" else None
