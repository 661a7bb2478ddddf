"""The trainer check: a trainer's own acceptance rules applied to the records that will be exported."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from curation.core.errors import CurationError
from curation.exporters.check import axolotl, llama_factory, trl
from curation.exporters.check.lengths import LengthCheck
from curation.exporters.check.load import FirstChunk, NumberColumns, as_csv_reads
from curation.exporters.check.report import CheckReport, Reading, Segment, Trainer
from curation.models.tokens import PACKAGED, load_tokenizer

__all__ = ["RULES", "CheckReport", "Checker", "Reading", "Segment", "Trainer", "reader", "read_by"]

RULES: dict[str, ModuleType] = {"llama-factory": llama_factory, "axolotl": axolotl, "trl": trl}
"""Trainer → the module that holds its rules."""

ANSWERS = {"alpaca": "output", "prompt_completion": "completion"}
QUESTIONS = {"alpaca": ("instruction", "input"), "prompt_completion": ("prompt",)}
SEVERAL = "several answers: all are trained on unless mask_history: true"

Read = Callable[[dict[str, Any]], Reading]


def reader(trainer: str, form: str, *, tool_calls: bool = False) -> Read:
    """The function that says what a trainer makes of a record in a form.

    Args:
        trainer: "llama-factory", "axolotl" or "trl".
        form: "alpaca", "sharegpt", "messages" or "prompt_completion".
        tool_calls: The file holds messages with `tool_calls`, for which LLaMA-Factory needs `formatting: openai`.
    """
    if trainer == "llama-factory" and form == "messages" and tool_calls:
        return llama_factory.read_openai
    read: Read = getattr(RULES[trainer], f"read_{form}")
    return read


def read_by(record: dict[str, Any], trainer: str, form: str) -> Reading:
    """What a trainer makes of one record: for previews."""
    calls = any(isinstance(t, dict) and t.get("tool_calls") for t in record.get("messages") or [])
    return reader(trainer, form, tool_calls=calls)(record)


def refuse_unreadable(trainer: str, form: str, container: str, style: str = "") -> None:
    """Fail early where a trainer cannot read a kind of file at all.

    Raises:
        CurationError: with the formats that it reads.
    """
    problem = ""
    if trainer == "trl" and form == "alpaca":
        problem = "TRL reads no Alpaca columns"
    elif trainer == "trl" and form == "sharegpt":
        problem = "TRL passes ShareGPT's role names (human, gpt) to the chat template, which does not know them"
    elif trainer == "llama-factory" and container == "hf":
        problem = "LLaMA-Factory cannot open a folder written by save_to_disk"
    elif form == "prompt_completion" and style == "messages" and trainer in ("llama-factory", "axolotl"):
        problem = f"{_name(trainer)} reads prompt and completion as texts only, and some rows are conversations"
    elif container == "csv" and form == "messages" and trainer in ("llama-factory", "trl"):
        problem = f"{_name(trainer)} cannot read conversations from CSV cells"
    if problem:
        raise CurationError(
            problem, "export with --format messages" + ("" if trainer != "llama-factory" else " or sharegpt")
        )


def _name(trainer: str) -> str:
    return {"llama-factory": "LLaMA-Factory", "axolotl": "Axolotl", "trl": "TRL"}[trainer]


class Checker:
    """Takes the records of a file one by one and reports what a trainer will do with them.

    Cost: about 10 µs a record, and 1 µs a character of records that may exceed the limit.

    Args:
        trainer: "llama-factory", "axolotl" or "trl".
        form: The record form.
        container: "json", "jsonl", "csv", "parquet" or "hf".
        style: The form's style.
        tool_calls: The file holds messages with `tool_calls`.
        limit: Length limit in tokens; None = the one written into the trainer's config.
        tokenizer: What to count with, see `curation.models.tokens.count_tokens`.

    Raises:
        CurationError: if the trainer cannot read such a file at all.
        ModelError: if the tokenizer cannot be loaded.
    """

    def __init__(
        self,
        trainer: str,
        form: str,
        container: str = "jsonl",
        *,
        style: str = "",
        tool_calls: bool = False,
        limit: int | None = None,
        tokenizer: str = PACKAGED,
    ) -> None:
        refuse_unreadable(trainer, form, container, style)
        load_tokenizer(tokenizer)  # fail before the work, not after
        self.trainer, self.form, self.container = trainer, form, container
        self.rules = RULES[trainer]
        self.limit = limit or int(self.rules.DEFAULT_LIMIT)
        self._read = reader(trainer, form, tool_calls=tool_calls)
        chat: bool | str = True
        if form == "alpaca" and trainer == "axolotl":
            chat = "alpaca"
        elif form == "prompt_completion" and trainer != "llama-factory" and style != "messages":
            chat = False
        self._lengths = LengthCheck(trainer, self.limit, tokenizer, chat)
        self._total = 0
        self._dropped: dict[str, list[int]] = {}
        self._stops: dict[str, list[int]] = {}
        self._notes: dict[str, list[int]] = {}
        self._used: list[int] = []
        self._chunk = FirstChunk() if container == "jsonl" else None
        self._numbers = NumberColumns((*QUESTIONS.get(form, ()), *filter(None, [ANSWERS.get(form)])))

    def add(self, row: int, record: dict[str, Any], size: int = 0) -> None:
        """Take the record of one row; `size` is its bytes in a JSON-lines file."""
        self._total += 1
        if self._chunk is not None:
            self._chunk.add(row, record, size)
        if self.container == "csv":
            record = as_csv_reads(record)
            self._numbers.add(record)
        reading = self._read(record)
        if reading.verdict != "used":
            self._put(self._dropped if reading.verdict == "dropped" else self._stops, reading.reason, row)
            return
        self._used.append(row)
        notes = reading.notes
        if self.trainer == "llama-factory" and sum(s.trained for s in reading.segments) > 1:
            notes = (*notes, SEVERAL)
        for note in dict.fromkeys(notes):
            self._put(self._notes, note, row)
        self._lengths.add(row, reading.segments)

    @staticmethod
    def _put(found: dict[str, list[int]], reason: str, row: int) -> None:
        found.setdefault(reason, []).append(row)

    def finish(self) -> CheckReport:
        """The report."""
        self._lengths.flush()
        self._csv_numbers()
        out = {row for rows in (*self._dropped.values(), *self._stops.values()) for row in rows}
        cut, answer_cut = [], []
        for length in self._lengths.found:
            if length.row in out:
                continue
            if self.trainer == "axolotl":
                reason = f"longer than {self.rules.LIMIT_NAME}" if length.over else "under 2 tokens"
                self._put(self._dropped, reason, length.row)
            elif length.over and self.trainer == "trl" and length.nothing_left:
                self._put(self._dropped, f"no answer within {self.rules.LIMIT_NAME}", length.row)
            elif length.over:
                cut.append(length.row)
                if length.answer_cut:
                    answer_cut.append(length.row)
        counted, approximate = self._lengths.about()
        return CheckReport(
            self.trainer,
            str(self.rules.VERSION),
            self._total,
            _arrays(self._dropped),
            _arrays(self._stops),
            np.array(cut, np.int64),
            np.array(answer_cut, np.int64),
            _arrays(self._notes),
            str(self.rules.LIMIT_NAME),
            self.limit,
            counted,
            approximate,
            tuple(self._warnings(counted, approximate)),
        )

    def _csv_numbers(self) -> None:
        if self.container != "csv" or not self._used:
            return
        for name in self._numbers.found():
            if name == ANSWERS.get(self.form):
                found, reason = self._dropped, "answers that the CSV loader reads as numbers"
                if self.trainer == "trl":
                    found = self._stops
            else:
                found, reason = self._stops, f"'{name}' that the CSV loader reads as numbers"
            found[reason] = self._used
            self._used = []
            self._notes = {}
            return

    def _warnings(self, counted: str, approximate: bool) -> list[str]:
        out = []
        if self._chunk is not None and self._chunk.warning():
            out.append(self._chunk.warning())
        if self.trainer == "trl" and self.form == "messages":
            out.append("TRL trains on whole conversations, questions too, unless assistant_only_loss=True, as set here")
        if self.trainer == "trl" and self.form == "prompt_completion":
            out.append("TRL trains on the completion only")
        if self.trainer == "axolotl":
            out.append("Axolotl drops rows longer than sequence_len; excess_length_strategy: truncate cuts them")
        about = "an approximation of the model's own count" if approximate else "as the model counts"
        out.append(f"tokens counted with {counted}, {about}")
        return out


def _arrays(found: dict[str, list[int]]) -> dict[str, np.ndarray]:
    return {reason: np.array(rows, np.int64) for reason, rows in found.items()}
