"""Prompt and completion: two texts, or two lists of messages where a row is more than one question and one answer."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, ClassVar, Literal

from pydantic import Field

from curation.exporters._base import JsonExporter
from curation.exporters._forms import (
    Form,
    InexpressibleError,
    flat_text,
    pairs,
    put_media,
    split_system,
    tools_text,
    turn_fields,
    usual_weights,
)
from curation.exporters.messages import to_messages


def to_prompt_completion(messages: list[dict[str, Any]], tools: Any = None, record: Any = None) -> dict[str, Any]:
    """One question and one answer as two texts.

    Args:
        messages: The conversation.
        tools: The tools offered; there must be none.
        record: Not used; every form has the same signature.

    Returns:
        `prompt` and `completion` (None where the question has no answer), and `turn_fields` (JSON text) if any.

    Raises:
        InexpressibleError: for a system message, several turns, tools, images and unusual loss weights.
    """
    usual_weights(messages)
    system, turns = split_system(messages)
    if system:
        raise InexpressibleError("a system message")
    if tools:
        raise InexpressibleError("tools")
    found = pairs(turns)
    if len(found) > 1:
        raise InexpressibleError("several turns")
    media: dict[str, list[str]] = {}
    question, answer = found[0]
    out = {"prompt": flat_text(question, media), "completion": None if answer is None else flat_text(answer, media)}
    if media:
        raise InexpressibleError("images")
    more = turn_fields(messages)
    return {**out, "turn_fields": more} if more else out


def to_prompt_completion_messages(
    messages: list[dict[str, Any]],
    tools: Any = None,
    record: Any = None,
    *,
    arguments: Literal["text", "object"] = "object",
) -> dict[str, Any]:
    """Everything up to the last answer as the prompt, the last answer as the completion, both as lists of messages.

    Trainers learn the completion only, so answers before the last are context here.

    Args:
        messages: The conversation.
        tools: The tools offered, or None.
        record: Not used; every form has the same signature.
        arguments: Arguments of tool calls as JSON text or as objects.

    Returns:
        `prompt` and `completion`, and of `tools` (JSON text), `images`, `videos`, `audios` those needed.

    Raises:
        InexpressibleError: if the last turn is not an answer, or loss weights say something else.
    """
    if len(messages) < 2 or messages[-1]["role"] != "assistant":
        raise InexpressibleError("no answer at the end")
    if any(m.get("weight") for m in messages[:-1]) or messages[-1].get("weight") == 0:
        raise InexpressibleError("loss weights")
    bare = [{k: v for k, v in m.items() if k != "weight"} for m in messages]
    out = to_messages(bare, None, None, arguments=arguments, images="slots" if arguments == "object" else "marks")
    turns = out.pop("messages")
    said: dict[str, Any] = {"prompt": turns[:-1], "completion": turns[-1:]}
    if tools:
        said["tools"] = tools_text(tools)
    return put_media(said, out)


TEXTS = Form("prompt_completion", to_prompt_completion, ("prompt", "completion"), {"turn_fields": None}, "text")
TURNS = Form(
    "prompt_completion",
    to_prompt_completion_messages,
    ("prompt", "completion"),
    {"tools": None, "images": None, "videos": None, "audios": None},
    "messages",
)
TURNS_FOR_ARROW = replace(TURNS, convert=partial(to_prompt_completion_messages, arguments="text"))


class PromptCompletion(JsonExporter):
    """Prompt and completion, one JSON object a line; lists of messages where texts cannot say a row."""

    title: ClassVar[str] = "Prompt and completion (JSONL)"
    weakness: ClassVar[str] = "Only the last answer of a conversation is learnt; earlier answers are context."
    source: ClassVar[str] = "https://huggingface.co/docs/trl/dataset_formats"
    suffix: ClassVar[str] = ".jsonl"

    style: Literal["auto", "text", "messages"] = Field(
        "auto",
        description="Two texts, or two lists of messages; auto: texts when every row is one question and one answer.",
    )

    def form(self) -> Form:
        """The record form; `auto` starts as texts."""
        return TURNS if self.style == "messages" else TEXTS

    def second_form(self) -> Form | None:
        """What to use when the first form cannot say every row."""
        return TURNS if self.style == "auto" else None
