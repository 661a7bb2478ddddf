"""Answers of a language model: every prompt of the rows answered anew by a model that a step made."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, Self

import numpy as np
from pydantic import Field

from curation.core.artifacts import Missing, Model
from curation.core.dataset import Dataset
from curation.core.errors import ModelError
from curation.core.generated import Made
from curation.core.method import Generator, MethodClass, Size
from curation.core.row import Message, Row
from curation.core.runtime import Runtime
from curation.generators._answers import EMPTY, IfEmpty, answered_row, asked_in
from curation.models.causal import CausalLM, Precision, causal_precision, load_causal
from curation.models.chat.local_model import ROOM, TOO_LONG
from curation.models.generation import Continuation, Prompt, go_on, text_window
from curation.models.rendering import encode_prompts

CPU_TOKENS = 16_384
"""Of a batch on a CPU: writing is one token a row at a time, so it takes more rows than reading to keep one busy."""
KEPT = "answers.jsonl"


class Written(NamedTuple):
    """What a model wrote for one row.

    Args:
        text: Special tokens decoded away, white space around it removed.
        finish: "stop" where the model ended it, "length" where it was cut.
        tokens: Written, without the one that ends the text.
    """

    text: str
    finish: str
    tokens: int


class Answer(Generator):
    """Every row with a new answer, which the language model of a step writes.

    For each row one new row is made: the same messages up to the last answer, then what the model says to them, in the
    order of the pool. Records are in Alpaca form where they can be, else lists of messages, and say `answer_by` (the
    model), `answer_parent` (the id of the row), `answer_tokens` and `answer_finish` ("length" where the text was cut at
    `max_new_tokens` or at the model's window). Bring a score of the new rows back to those they were made from with
    scorer/from-children.

    The most likely token is taken every time, unless `temperature` is above 0; draws then follow from the seed and the
    row. Of a model in folds, each row is answered by the network that was not trained on it. Rows that the scratch
    model was pre-trained on are answered too, and counted in the facts.

    Rows without a prompt, with parts that are no text, or longer than the model reads are missing; so are empty
    answers, unless they are to be kept. Answers are kept while the step runs, so a killed run goes on where it was.
    """

    title: ClassVar[str] = "Answers of a language model"
    method_class: ClassVar[MethodClass] = "zero-order"
    weakness: ClassVar[str] = "Base models and scratch do not know when to stop: many answers are cut at the limit."
    source: ClassVar[str] = (
        "MoDS (Du, Zong & Zhang 2023, arXiv:2311.15653), which writes with 4 beams; greedy search here"
    )

    template: Literal["auto", "chat", "alpaca", "plain", "chatml"] = Field(
        "auto", description="how prompts are written; auto = the model's chat template if it has one, else alpaca"
    )
    max_new_tokens: int = Field(256, ge=1, le=131_072, description="tokens of an answer, at most")
    temperature: float = Field(0.0, ge=0, le=2, description="0 = always the most likely token; above, tokens are drawn")
    top_p: float = Field(1.0, gt=0, le=1, description="share of the probability that tokens are drawn from")
    seed: int = Field(0, ge=0, le=2**32 - 1, description="seed of the draws")
    empty: IfEmpty = Field("missing", description="an empty answer makes no row, or a row with an empty response")
    precision: Precision = Field("auto", description="auto = fp32 on a CPU, bf16 on CUDA, fp16 on Apple GPUs")

    elsewhere: ClassVar[tuple[str, ...]] = ("model",)  # a model answers any rows, not only those it was trained on

    def resolve(self, runtime: Runtime) -> Self:
        """Fixes the precision, which the answers depend on."""
        return self.model_copy(update={"precision": causal_precision(runtime.device, self.precision)})

    def generate(self, pool: Dataset, runtime: Runtime, *, model: Model) -> Made:
        """Answer every row once.

        Args:
            pool: The rows.
            runtime: Device, progress, a folder in which finished answers outlive a kill.
            model: A causal language model: of trainer/base or trainer/causal.

        Raises:
            ModelError: it is none, cannot be loaded, cannot write, or one row does not fit into memory.
        """
        if model.role != "causal":
            raise ModelError(
                f"'{model.name}' is no causal language model", "use the model of trainer/base or trainer/causal"
            )
        found = [asked_in(pool.messages(row)) for row in range(len(pool))]
        asked = {row: messages for row, messages in enumerate(found) if not isinstance(messages, str)}
        reasons: list[str | None] = [why if isinstance(why, str) else None for why in found]
        written = self._written(pool, runtime, model, asked, reasons)
        rows: list[Row] = []
        parents: list[int] = []
        for row, one in sorted(written.items()):
            if not one.text and self.empty == "missing":
                reasons[row] = EMPTY
                continue
            fields = {"answer_by": model.name, "answer_finish": one.finish, "answer_tokens": one.tokens}
            rows.append(answered_row(pool, row, asked[row], one.text, **fields))
            parents.append(row)
        seen = int(np.isin(pool.contents[parents], model.seen).sum())
        info = self._info(model, [written[row] for row in parents], seen)
        return Made(rows, np.array(parents, np.int64), Missing.from_list(reasons), "answers", info)

    def _info(self, model: Model, written: list[Written], seen: int) -> dict[str, Any]:
        return {
            "model": model.name,
            "weak": model.weak,
            "template": self.template,
            "precision": self.precision,
            "answers": len(written),
            "cut at the limit of tokens": sum(one.finish == "length" for one in written),
            "empty": sum(not one.text for one in written),
            "mean tokens": round(float(np.mean([one.tokens for one in written])), 1) if written else None,
            "of rows that the model was pre-trained on": seen,
        }

    def _written(
        self,
        pool: Dataset,
        runtime: Runtime,
        model: Model,
        asked: dict[int, list[Message]],
        reasons: list[str | None],
    ) -> dict[int, Written]:
        """What the networks of a model write; why not is put into `reasons`."""
        names = [content.hex() for content in pool.contents]
        kept = _Kept(runtime.keep / KEPT if runtime.keep is not None else None)
        written = {row: one for row in asked if (one := kept.found.get(f"{row}-{names[row]}")) is not None}
        left = np.array([row for row in asked if row not in written], np.int64)
        folds = model.fold_of(pool.contents[left])

        def progress() -> bool:
            runtime.progress(len(written), len(asked), f"{len(written):,} of {len(asked):,} rows answered")
            return False

        with kept:
            for fold in np.unique(folds).tolist():
                lm = load_causal(model.folder(fold), device=runtime.device, precision=self.precision)
                prompts = self._prompts(lm, pool, left[folds == fold], asked, reasons)
                rows, decode = [*prompts], lm.tokenizer.decode

                def done(
                    place: int, made: Continuation, rows: list[int] = rows, decode: Callable[..., Any] = decode
                ) -> None:
                    row = rows[place]
                    text = str(decode(made.ids, skip_special_tokens=True)).strip()
                    written[row] = Written(text, made.finish, len(made.ids))
                    kept.add(f"{row}-{names[row]}", written[row])

                size = CPU_TOKENS if runtime.device == "cpu" else None
                go_on(lm, [*prompts.values()], batch_tokens=size, done=done, stop=progress)
        progress()
        return written

    def _prompts(
        self,
        lm: CausalLM,
        pool: Dataset,
        rows: np.ndarray,
        asked: dict[int, list[Message]],
        reasons: list[str | None],
    ) -> dict[int, Prompt]:
        """What a network goes on from, of those rows that leave room for an answer."""
        encoded = encode_prompts(lm, [(asked[row], pool.tools(row)) for row in rows], template=self.template)
        room = text_window(lm) - min(self.max_new_tokens, ROOM)
        contents = pool.contents
        found: dict[int, Prompt] = {}
        for row, ids in zip(rows.tolist(), encoded, strict=True):
            if isinstance(ids, str):
                reasons[row] = ids
            elif len(ids) > room:
                reasons[row] = TOO_LONG
            else:
                # rows of one content are told apart, so that copies of a prompt get different draws
                seed = int(np.random.SeedSequence([self.seed, int.from_bytes(contents[row]), row]).generate_state(1)[0])
                found[row] = Prompt(ids, self.max_new_tokens, self.temperature, self.top_p, seed)
        return found

    def work(self, size: Size) -> float:
        """Tokens written at most, times the network's weights."""
        return float((size.chars / 4 + size.rows * self.max_new_tokens + 1) * size.parameters)

    def shortened(self) -> Self:
        """Short answers."""
        return self.model_copy(update={"max_new_tokens": min(self.max_new_tokens, 16)})

    def memory(self, size: Size) -> float:
        """PyTorch and what a batch has read, the network's weights, all prompts and answers."""
        weights = (4.0 if self.precision in ("auto", "fp32") else 2.0) * size.parameters
        return 1.5e9 + weights + 8.0 * (size.chars + 4.0 * self.max_new_tokens * size.rows)

    def disk(self, size: Size) -> float:
        """The new rows, each written twice: as messages and as a record."""
        return 2.0 * (size.chars + 4.0 * self.max_new_tokens * size.rows)


class _Kept:
    """Finished answers in a file, a line each; half a line that a kill left behind is cut off."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.found: dict[str, Written] = {}
        self._file: Any = None
        if path is None or not path.is_file():
            return
        whole = path.read_bytes()
        lines = whole[: whole.rfind(b"\n") + 1]
        if len(lines) < len(whole):
            path.write_bytes(lines)
        for line in lines.decode("utf-8").splitlines():
            name, *facts = json.loads(line)
            self.found[name] = Written(*facts)

    def __enter__(self) -> Self:
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("a", encoding="utf-8")
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, name: str, one: Written) -> None:
        """Keep an answer, at once."""
        if self._file is not None:
            self._file.write(json.dumps([name, *one]) + "\n")
            self._file.flush()
