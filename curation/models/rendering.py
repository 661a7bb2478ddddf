"""Rows as token ids for a causal language model, and which of them are scored.

A conversation is written by the model's chat template or by a named one, as pieces of text: what the model reads, and
what it should say. Every piece is tokenised by itself and the ids are put one after another, so that the border between
prompt and response never falls inside a token and is never searched for in the text. Scored are the tokens of every
assistant turn whose weight is not 0, and the token that ends it. A row's own text is read as trainers read it: what
looks like a control token of the model in it becomes that token.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from curation.core.dataset import Dataset
from curation.core.errors import ModelError
from curation.core.row import Message
from curation.models._templates import NAMED, ChatTemplate, Piece, Template, Unrenderable, is_scored, said
from curation.models._vision import ImagePiece, has_images, image_piece, images_of

if TYPE_CHECKING:
    from curation.models.causal import CausalLM

__all__ = ["TEMPLATES", "AloneStart", "Encoded", "Part", "encode_prompts", "encode_rows", "render", "resolve_template"]

Part = Literal["conversation", "response", "prompt", "text"]
AloneStart = Literal["header", "bos", "none"]
TEMPLATES = ("auto", "chat", *NAMED)

ROWS_AT_ONCE = 2048  # tokenised together; bounds the memory of texts


@dataclass(frozen=True)
class Encoded:
    """One row, ready for a causal language model.

    Args:
        ids: int32 `[T]`, at most max_tokens.
        scored: Boolean `[T]`, true where this token is part of a response or ends one (a *target*); never the first.
        reason: Why the row cannot be scored; empty = it can.
        extra: What the processor made of the row's images, by name of the model's input.
    """

    ids: np.ndarray
    scored: np.ndarray
    reason: str = ""
    extra: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)


def encode_rows(
    lm: CausalLM,
    pool: Dataset,
    *,
    template: str = "auto",
    max_tokens: int = 512,
    part: Part = "conversation",
    alone_start: AloneStart = "header",
    end: bool = True,
) -> list[Encoded]:
    """Write every row in a template and tokenise it.

    Cost: two renderings of the template and one pass of the tokenizer a row, about 1 ms for 500 tokens.

    Args:
        lm: The model that will read them.
        pool: n rows.
        template: "auto" (the model's chat template if it has one, else "alpaca"), "chat", "alpaca", "plain", "chatml".
        max_tokens: Longer rows keep their first tokens; never more than the model's own window.
        part: "conversation" = responses are scored given what came before; "text" = all of it is scored, the prompt
            too; "prompt" = what comes before the first response is scored; "response" = the assistant's turns alone,
            without the prompts (for IFD).
        alone_start: What stands before a response that is scored alone: what the template writes before responses
            ("header"), the token that begins a text ("bos"), or nothing but what the tokenizer itself puts there.
            Without anything before it the first token has no left context and is not scored.
        end: Whether the token that ends a response is scored with it.

    Returns:
        n rows in order; rows that cannot be scored say why in `reason`.

    Raises:
        ModelError: there is no such template, or it does not show what stands before a response where that is needed.
    """
    name = resolve_template(lm, template)
    written = _template(lm, name)
    bos = _text_start(lm) if name != "chat" else []
    header = _header(lm, written) if part == "response" and alone_start == "header" else ""
    if part == "response":
        bos = _begin_id(lm) if alone_start == "bos" else _text_start(lm)
    limit = min(max_tokens, _window(lm))
    found: list[Encoded] = []
    for start in range(0, len(pool), ROWS_AT_ONCE):
        rows = range(start, min(start + ROWS_AT_ONCE, len(pool)))
        pieces = [_pieces_or_reason(lm, written, pool, row, part, header, end) for row in rows]
        ids = _tokenise(lm, [p.text for row in pieces if not isinstance(row, str) for p in row if p.text])
        found += [
            _unscorable(row)
            if isinstance(row, str)
            else _assemble(lm, row, ids, bos, limit, part in ("text", "prompt"))
            for row in pieces
        ]
    return found


def encode_prompts(
    lm: CausalLM, asked: Sequence[tuple[Sequence[Message], Any]], *, template: str = "auto"
) -> list[np.ndarray | str]:
    """Write conversations up to where the model begins to speak, with the same tokens as training has them there.

    Args:
        lm: The model that will answer.
        asked: Conversations without the answer, and the tools offered in each (None = none).
        template: See `encode_rows`. Where a chat template lets reasoning be switched off it is.

    Returns:
        Token ids int64 of each, not cut, or why it cannot be written.

    Raises:
        ModelError: there is no such template.
    """
    name = resolve_template(lm, template)
    written = _template(lm, name)
    if isinstance(written, ChatTemplate) and not written.parts:
        written = dataclasses.replace(written, apply=partial(written.apply, enable_thinking=False))
    before = np.array(_text_start(lm) if name != "chat" else [], np.int64)
    found: list[np.ndarray | str] = []
    for start in range(0, len(asked), ROWS_AT_ONCE):
        pieces = [_prompt_pieces(written, messages, tools) for messages, tools in asked[start : start + ROWS_AT_ONCE]]
        ids = _tokenise(lm, [text for row in pieces if not isinstance(row, str) for text in row])
        found += [
            row if isinstance(row, str) else np.concatenate([before, *(ids[text] for text in row)]).astype(np.int64)
            for row in pieces
        ]
    return found


def render(lm: CausalLM, messages: Sequence[Message], tools: Any = None, *, template: str = "auto") -> list[Piece]:
    """The pieces of one conversation, as `encode_rows` tokenises them.

    Raises:
        Unrenderable: the template cannot write it.
        ModelError: there is no such template.
    """
    return _template(lm, resolve_template(lm, template))(messages, tools)


def resolve_template(lm: CausalLM, template: str) -> str:
    """What "auto" means for a model: "chat" where it has a chat template, else "alpaca".

    Raises:
        ModelError: there is no such template, or the model has no chat template.
    """
    if template not in TEMPLATES:
        raise ModelError(f"there is no template '{template}'", f"use one of {', '.join(TEMPLATES)}")
    has_one = bool(_chat_source(lm).chat_template)
    if template == "auto":
        return "chat" if has_one else "alpaca"
    if template == "chat" and not has_one:
        raise ModelError(f"{lm.name} has no chat template", f"use one of {', '.join(NAMED)}, or auto")
    return template


# ---------------------------------------------------------------------- templates


def _chat_source(lm: CausalLM) -> Any:
    processor = lm.processor
    return processor if processor is not None and getattr(processor, "chat_template", None) else lm.tokenizer


def _template(lm: CausalLM, name: str) -> Template:
    tokenizer = lm.tokenizer
    known = tokenizer.get_vocab()
    if name == "chatml":
        return NAMED[name]("<|im_end|>" if "<|im_end|>" in known else tokenizer.eos_token or "<|im_end|>")
    if name != "chat":
        return NAMED[name](tokenizer.eos_token or "")
    source = _chat_source(lm)
    special = {str(token) for token in tokenizer.added_tokens_decoder.values() if token.special}
    stops = tuple(sorted({*special, *tokenizer.all_special_tokens} - {tokenizer.bos_token} | {tokenizer.eos_token}))
    stops = tuple(s for s in stops if s)
    return ChatTemplate(source.apply_chat_template, stops, tokenizer.eos_token or "", source is lm.processor)


def _header(lm: CausalLM, written: Template) -> str:
    """What stands directly before a response.

    Raises:
        ModelError: the chat template does not show it.
    """
    if isinstance(written, ChatTemplate):
        try:
            return written.header()
        except Unrenderable as error:
            raise ModelError(
                f"the chat template of {lm.name} does not show what it writes before a response: {error}",
                f"name a template: {', '.join(NAMED)}; for IFD alone_start bos or none does as well",
            ) from error
    asked: list[Message] = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]
    return "".join(piece.text for piece in written(asked, None) if piece.kind == "header")


# ---------------------------------------------------------------------- pieces


def _pieces_or_reason(
    lm: CausalLM, written: Template, pool: Dataset, row: int, part: Part, header: str, end: bool
) -> list[Piece | ImagePiece] | str:
    """The pieces of one row, or why it cannot be scored."""
    messages, tools = pool.messages(row), pool.tools(row)
    turns = [m for m in messages if is_scored(m)]
    responses = part in ("conversation", "response")
    if responses and not turns:
        weightless = any(m["role"] == "assistant" for m in messages)
        return "every response has weight 0" if weightless else "no response"
    if responses and not any(said(m).strip() for m in turns):
        return "the response is empty"
    try:
        pieces: list[Piece | ImagePiece] = list(written(messages, tools))
        if part == "prompt":
            first = next((i for i, p in enumerate(pieces) if p.scored), len(pieces))
            header = _header(lm, written) if first < len(pieces) else ""
            pieces = _without_header(pieces[:first], header)
        if part == "response":
            pieces = list(_alone([p for p in pieces if isinstance(p, Piece)], header))
        elif any(map(has_images, messages)):
            pieces = _with_images(lm, pieces, messages)
    except Unrenderable as error:
        return str(error)
    if not end:
        pieces = [Piece(p.text) if isinstance(p, Piece) and p.kind == "end" else p for p in pieces]
    return pieces


def _prompt_pieces(written: Template, messages: Sequence[Message], tools: Any) -> list[str] | str:
    """Texts of what comes before an answer, or why there is nothing."""
    try:
        if isinstance(written, ChatTemplate):
            return [written.text(messages, tools, prompt=True)]
        pieces = written([*messages, {"role": "assistant", "content": ""}], tools)
    except Unrenderable as error:
        return str(error)
    answer = max(i for i, piece in enumerate(pieces) if piece.kind == "response")
    return [piece.text for piece in pieces[:answer] if piece.text]


def _without_header(pieces: list[Piece | ImagePiece], header: str) -> list[Piece | ImagePiece]:
    """The pieces without the header of the response that follows; those of earlier turns stay, as their texts do."""
    last = pieces[-1] if pieces else None
    if header and isinstance(last, Piece) and last.text.endswith(header):
        return [*pieces[:-1], Piece(last.text.removesuffix(header))]
    return pieces


def _alone(pieces: Sequence[Piece], header: str) -> list[Piece]:
    made: list[Piece] = []
    for piece in pieces:
        if piece.kind == "response" and header:
            made.append(Piece(header))
        if piece.scored:
            made.append(piece)
    return made


def _with_images(
    lm: CausalLM, pieces: list[Piece | ImagePiece], messages: Sequence[Message]
) -> list[Piece | ImagePiece]:
    """Pieces in which the processor has put the images.

    Raises:
        Unrenderable: the model reads text only, an image is not to be had, or the template does not show it.
    """
    if lm.processor is None:
        raise Unrenderable("the row shows an image, and the model reads text only")
    waiting = images_of(messages)
    mark = str(getattr(lm.processor, "image_token", "<image>"))
    made: list[Piece | ImagePiece] = []
    for piece in pieces:
        wanted = piece.text.count(mark) if isinstance(piece, Piece) else 0
        if not wanted:
            made.append(piece)
            continue
        if not isinstance(piece, Piece) or piece.scored:
            raise Unrenderable("the row shows an image inside a response")
        made.append(image_piece(lm.processor, piece.text, waiting[:wanted]))
        waiting = waiting[wanted:]
    if waiting:
        raise Unrenderable("the model's template does not show the row's images")
    return made


# ---------------------------------------------------------------------- ids


def _tokenise(lm: CausalLM, texts: Sequence[str]) -> dict[str, np.ndarray]:
    """Ids of every different text, without special tokens around."""
    unique = list(dict.fromkeys(texts))
    if not unique:
        return {}
    ids = lm.tokenizer(unique, add_special_tokens=False, verbose=False)["input_ids"]
    return {text: np.asarray(found, np.int32) for text, found in zip(unique, ids, strict=True)}


def _assemble(
    lm: CausalLM,
    pieces: Sequence[Piece | ImagePiece],
    ids: dict[str, np.ndarray],
    before: Sequence[int],
    limit: int,
    score_all: bool,
) -> Encoded:
    parts: list[np.ndarray] = [np.asarray(before, np.int32)]
    marks: list[np.ndarray] = [np.zeros(len(before), bool)]
    shown: list[tuple[int, ImagePiece]] = []
    length, full = len(before), False
    last = max((i for i, p in enumerate(pieces) if p.scored), default=-1)
    # what follows the last response changes no score, and is no text of the row either
    wanted = pieces if score_all and last < 0 else pieces[: last + 1]
    for piece in wanted:
        if not piece.text:
            continue
        if isinstance(piece, ImagePiece):
            if length + len(piece.ids) > limit:
                full = True  # half an image is none
                break
            shown.append((length, piece))
        found = piece.ids if isinstance(piece, ImagePiece) else ids[piece.text]
        parts.append(found)
        marks.append(np.full(len(found), piece.scored or (score_all and not isinstance(piece, ImagePiece))))
        length += len(found)
        full = length >= limit
        if full:
            break
    row, scored = np.concatenate(parts)[:limit], np.concatenate(marks)[:limit]
    scored[:1] = False  # nothing comes before the first token
    if not scored.any():
        short = "one token, with nothing before it to predict it from" if len(row) else "the row is empty"
        return Encoded(row, scored, f"the prompt fills all {limit} tokens" if full else short)
    extra = _joined_extra(shown, len(row)) if shown else {}
    return Encoded(row, scored, "", extra)


def _joined_extra(shown: Sequence[tuple[int, ImagePiece]], length: int) -> dict[str, Any]:
    """The processor's tensors of several pieces as those of one row; those with one value a token are spread."""
    import torch

    out: dict[str, Any] = {}
    for name, first in shown[0][1].extra.items():
        values = [piece.extra[name] for _, piece in shown]
        if name in shown[0][1].per_token:
            out[name] = torch.zeros((1, length), dtype=first.dtype)
            for (start, piece), value in zip(shown, values, strict=True):
                out[name][:, start : start + len(piece.ids)] = value
        else:
            out[name] = torch.cat(values)
    return out


def _unscorable(reason: str) -> Encoded:
    return Encoded(np.empty(0, np.int32), np.empty(0, bool), reason)


def _text_start(lm: CausalLM) -> list[int]:
    """Ids that the tokenizer puts before a text by itself."""
    whole = list(lm.tokenizer("two words")["input_ids"])
    bare = list(lm.tokenizer("two words", add_special_tokens=False)["input_ids"])
    start = next((i for i in range(len(whole) - len(bare) + 1) if whole[i : i + len(bare)] == bare), 0)
    return whole[:start]


def _begin_id(lm: CausalLM) -> list[int]:
    """The token that begins a text; models without one (GPT-2) were trained with the end of the text before."""
    token = lm.tokenizer.bos_token_id
    token = lm.tokenizer.eos_token_id if token is None else token
    if token is None:
        raise ModelError(f"the tokenizer of {lm.name} has no token that begins a text", "set alone_start to header")
    return [int(token)]


def _window(lm: CausalLM) -> int:
    """Tokens that the model can read at once."""
    config = lm.model.config.get_text_config()
    limits = [getattr(config, name, None) for name in ("max_position_embeddings", "n_positions")]
    return min((int(limit) for limit in limits if isinstance(limit, int) and limit > 0), default=1 << 30)
