"""CSV: a table for spreadsheets. Cells that a spreadsheet would run as a formula are defused."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from curation.exporters._base import TableExporter
from curation.exporters._forms import Form
from curation.exporters.parquet import arrow_form


class Csv(TableExporter):
    """A table for spreadsheets; nested values are JSON text, cells that look like formulas get an apostrophe.

    The apostrophe is taken away by `curation.exporters.unescape_cell`; turn it off for files that only programs read.
    """

    title: ClassVar[str] = "CSV"
    weakness: ClassVar[str] = "CSV readers of trainers take 'None', 'NA' and numbers for something else than text."
    source: ClassVar[str] = "RFC 4180; https://owasp.org/www-community/attacks/CSV_Injection"
    suffix: ClassVar[str] = ".csv"

    columns: Literal["alpaca", "messages", "prompt_completion"] = Field(
        "alpaca", description="Record form whose columns the file has."
    )
    escape_formulas: Literal["auto", "yes", "no"] = Field(
        "auto",
        description="Put an apostrophe before cells that begin with = + - @, tab or a line end; auto: yes, unless the "
        "file is for a trainer, which would learn the apostrophe.",
    )

    def escapes(self) -> bool:
        """Whether formulas are defused."""
        return self.escape_formulas == "yes" or (self.escape_formulas == "auto" and self.trainer == "none")

    def form(self) -> Form:
        """The record form."""
        return arrow_form(self.columns)
