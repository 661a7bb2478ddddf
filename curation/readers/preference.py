"""Preference pairs: a prompt, a chosen and a rejected response. The chosen one is the response; the record keeps both.

Prompt and responses come as texts, as one turn, or as lists of turns (TRL, LLaMA-Factory). Where the chosen list
repeats the whole conversation, it is the conversation. Where there is no prompt and the chosen text is a dialogue
marked "Human:" and "Assistant:", it is split at the marks.
"""

from __future__ import annotations

import re
from typing import Any

from curation.core.dataset import Message
from curation.readers._record import MISSING, Converted, Converter, Form, Reject, Sample, getter, kind_of, needs_object
from curation.readers._turns import LISTS, TurnsReader, guess_turns, tools_reader, turns_in
from curation.readers.alpaca import before_reader, prompt_reader
from curation.readers.mapping import Mapping
from curation.readers.prompt_completion import without_marker

PROMPTS = ("prompt", "instruction", "question", "query", "input")
CHOSEN = ("chosen", "chosen_response", "response_chosen", "preferred", "response_j", "accepted")
REJECTED = ("rejected", "rejected_response", "response_rejected", "dispreferred", "response_k")
_SPEAKER = re.compile(r"(?:^|\n\n)(Human|Assistant): ?")


def guess(sample: Sample) -> Mapping | None:
    """A chosen and a rejected response by name."""
    chosen, rejected = sample.first(*CHOSEN), sample.first(*REJECTED)
    if chosen is None or rejected is None:
        return None
    conversations, prompt = sample.first(*LISTS), sample.first(*PROMPTS)
    if not turns_in(sample, conversations):
        conversations = None
    turns = turns_in(sample, conversations, prompt, chosen)
    extra = sample.first("input", "context")
    return Mapping(
        form="preference",
        chosen=chosen,
        rejected=rejected,
        conversations=conversations,
        prompt=None if conversations else prompt,
        input=None if conversations or extra == prompt else extra,
        system=sample.first("system", "system_prompt") or "system",
        history=None if conversations else "history",
        tools=sample.first("tools") or "tools",
        **(guess_turns(turns) or {}),
    )


def converter(mapping: Mapping) -> Converter:
    """Records → messages by a mapping of this form."""
    get_prompt, get_turns = getter(mapping.prompt), getter(mapping.conversations)
    get_chosen, get_rejected = getter(mapping.chosen), getter(mapping.rejected)
    read_turns, read_tools = TurnsReader(mapping), tools_reader(mapping.tools)
    read_text, read_before = (
        prompt_reader(mapping.prompt, mapping.input),
        before_reader(mapping.system, mapping.history),
    )

    def asked(record: Any) -> list[Message]:
        """The turns before the response."""
        before, turns = read_before(record), get_turns(record)
        if mapping.conversations is not None:
            turns = read_turns(turns, mapping.conversations)
        elif mapping.prompt is None:
            return before
        elif isinstance(prompt := read_turns.turns_or_text(get_prompt(record)), list):
            turns = read_turns(prompt, mapping.prompt)
        else:
            turns = [{"role": "user", "content": read_text(record)}]
        return turns if turns[0]["role"] == "system" else before + turns

    def convert(record: Any) -> Converted:
        needs_object(record)
        chosen, rejected = read_turns.turns_or_text(get_chosen(record)), get_rejected(record)
        for name, value in ((mapping.chosen, chosen), (mapping.rejected, rejected)):
            if not isinstance(value, str | list | dict):
                raise Reject(name, "is missing" if value is MISSING else f"is {kind_of(value)}, a response is needed")
        messages, note = asked(record), None
        if isinstance(chosen, str):
            text, note = without_marker(chosen)
            answer: list[Message] = [{"role": "assistant", "content": text}]
            if mapping.prompt is None and mapping.conversations is None:
                answer = _dialogue(text, mapping.chosen)
        else:
            answer = read_turns(chosen if isinstance(chosen, list) else [chosen], mapping.chosen or "")
        if any(message["role"] == "user" for message in answer):  # it repeats the conversation
            messages = messages[:1] if messages[:1] and messages[0]["role"] == "system" else []
            messages = [] if answer[0]["role"] == "system" else messages
        return Converted(messages + answer, read_tools(record), note)

    return convert


def _dialogue(text: str, name: str | None) -> list[Message]:
    pieces = _SPEAKER.split(text)
    if len(pieces) < 3 or pieces[0].strip():
        raise Reject(name, 'has no prompt beside it and is no dialogue marked "Human:" and "Assistant:"')
    said = zip(pieces[1::2], pieces[2::2], strict=True)
    return [{"role": "user" if who == "Human" else "assistant", "content": text.strip()} for who, text in said]


FORM = Form("preference", "Preference pairs (chosen and rejected)", guess, converter)
