"""Parquet: typed columns in one compressed file."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from curation.exporters._base import TableExporter
from curation.exporters._forms import Form
from curation.exporters.alpaca import ALPACA
from curation.exporters.messages import messages_form
from curation.exporters.prompt_completion import TEXTS, TURNS_FOR_ARROW
from curation.exporters.sharegpt import SHAREGPT

FormChoice = Literal["alpaca", "sharegpt", "messages", "prompt_completion"]


def arrow_form(name: str) -> Form:
    """A record form for typed columns: tool arguments and tools are JSON text, images a column of paths."""
    forms = {"alpaca": ALPACA, "sharegpt": SHAREGPT, "prompt_completion": TEXTS}
    return forms[name] if name in forms else messages_form(tools_as_text=True, images="marks")


class Parquet(TableExporter):
    """Typed columns in one compressed Parquet file, in one of the record forms."""

    title: ClassVar[str] = "Parquet"
    weakness: ClassVar[str] = "Extra fields of mixed or nested values become JSON text."
    source: ClassVar[str] = "https://parquet.apache.org"
    suffix: ClassVar[str] = ".parquet"

    columns: FormChoice = Field("messages", description="Record form whose columns the file has.")

    def form(self) -> Form:
        """The record form."""
        return arrow_form(self.columns)

    def second_form(self) -> Form | None:
        """Lists of messages where texts cannot say a row."""
        return TURNS_FOR_ARROW if self.columns == "prompt_completion" else None
