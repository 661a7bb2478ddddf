"""Alpaca: instruction, input and output, with the optional system and history that LLaMA-Factory reads.

The prompt is instruction, newline, input, as LLaMA-Factory joins them (data/converter.py, AlpacaDatasetConverter). Each
pair of `history` is an earlier user and assistant turn.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from curation.core.dataset import Message
from curation.readers._images import with_images
from curation.readers._json import unpacked
from curation.readers._record import (
    MISSING,
    Converted,
    Converter,
    Form,
    Reject,
    Sample,
    getter,
    kind_of,
    needs_object,
    optional_text,
    text_of,
)
from curation.readers.mapping import Mapping


def guess(sample: Sample) -> Mapping | None:
    """Instruction and output (or response) by name."""
    prompt, response = sample.first("instruction", "instructions"), sample.first("output", "response")
    if prompt is None or response is None:
        return None
    return Mapping(
        form="alpaca",
        prompt=prompt,
        response=response,
        input=sample.first("input") or "input",
        system=sample.first("system") or "system",
        history=sample.first("history") or "history",
        images=sample.first("images", "image") or "images",
    )


def converter(mapping: Mapping) -> Converter:
    """Records → messages by a mapping of this form; `dolly` uses it too, with other names."""
    read_prompt = prompt_reader(mapping.prompt, mapping.input)
    read_before = before_reader(mapping.system, mapping.history)
    get_response, get_images = getter(mapping.response), getter(mapping.images)
    plain = mapping.system is None and mapping.history is None and mapping.images is None

    def convert(record: Any) -> Converted:
        needs_object(record)
        prompt, response = read_prompt(record), text_of(get_response(record), mapping.response)
        turns: list[Message] = [{"role": "user", "content": prompt}, {"role": "assistant", "content": response}]
        if plain:
            return Converted(turns)
        return Converted(with_images(read_before(record) + turns, get_images(record), mapping.images))

    return convert


def prompt_reader(prompt: str | None, extra: str | None) -> Callable[[Any], str]:
    """A function that joins prompt and input by a newline; an empty one of them leaves the other.

    It refuses (Reject) a record in which both are missing or null.
    """
    get_prompt, get_extra = getter(prompt), getter(extra)

    def read(record: Any) -> str:
        first, second = get_prompt(record), get_extra(record)
        nothing = first is MISSING or first is None
        if nothing and (second is MISSING or second is None or second == ""):
            raise Reject(prompt, "is missing" if first is MISSING else "is null, a prompt is needed")
        before = "" if nothing else text_of(first, prompt)
        after = "" if second is MISSING else text_of(second, extra)
        return f"{before}\n{after}" if before and after else before or after

    return read


def before_reader(system: str | None, history: str | None) -> Callable[[Any], list[Message]]:
    """A function that gives the messages before the prompt: system text, then the pairs of the history."""
    read_system, get_history = optional_text(system), getter(history)

    def read(record: Any) -> list[Message]:
        messages: list[Message] = []
        text = read_system(record)
        if text:
            messages.append({"role": "system", "content": text})
        pairs = unpacked(get_history(record))
        if pairs is MISSING or pairs is None or pairs == "":
            return messages
        if not isinstance(pairs, list):
            raise Reject(history, f"is {kind_of(pairs)}, a list of [question, answer] is needed")
        for i, pair in enumerate(pairs):
            if not isinstance(pair, list | tuple) or len(pair) != 2:
                raise Reject(f"{history}[{i}]", "is no pair of question and answer")
            messages.append({"role": "user", "content": text_of(pair[0], f"{history}[{i}][0]")})
            messages.append({"role": "assistant", "content": text_of(pair[1], f"{history}[{i}][1]")})
        return messages

    return read


FORM = Form("alpaca", "Alpaca (instruction, input, output)", guess, converter)
