"""ShareGPT: `conversations` of {from, value}, with `system`, `tools`, function calls and observations.

A function_call turn becomes an assistant message with `tool_calls` and no text, an observation a message of the role
"tool". The record's `system` comes first, unless the turns begin with a system turn of their own: then that one wins,
as in LLaMA-Factory.
"""

from __future__ import annotations

from typing import Any

from curation.readers._images import with_images
from curation.readers._record import Converted, Converter, Form, Sample, getter, needs_object, optional_text
from curation.readers._turns import LISTS, TurnsReader, guess_turns, tools_reader, turns_in
from curation.readers.mapping import FormName, Mapping


def guess(sample: Sample) -> Mapping | None:
    """A list of turns whose speaker is under `from`."""
    return guess_conversation(sample, "sharegpt")


def guess_conversation(sample: Sample, form: FormName) -> Mapping | None:
    """The list of turns and the keys inside it; ShareGPT's speaker is under `from`, everybody else's is not."""
    name = sample.first(*LISTS)
    if sample.fields[:1] == ["0"]:  # each record is itself a list of turns
        name, turns = ".", [turn for record in sample.records if isinstance(record, list) for turn in record]
    else:
        turns = turns_in(sample, name)
    keys = guess_turns(turns)
    if name is None or keys is None or (keys["role"] == "from") != (form == "sharegpt"):
        return None
    return Mapping(
        form=form,
        conversations=name,
        system=sample.first("system", "system_prompt") or "system",
        tools=sample.first("tools", "functions") or "tools",
        images=sample.first("images", "image") or "images",
        **keys,
    )


def converter(mapping: Mapping) -> Converter:
    """Records → messages by a mapping of this form; `messages` uses it too."""
    get_turns, get_images = getter(mapping.conversations), getter(mapping.images)
    read_turns, read_system, read_tools = (
        TurnsReader(mapping),
        optional_text(mapping.system),
        tools_reader(mapping.tools),
    )

    def convert(record: Any) -> Converted:
        needs_object(record)
        where = mapping.conversations or ""
        messages = read_turns(get_turns(record), "turn" if where == "." else where)
        system = read_system(record)
        if system and messages[0]["role"] != "system":
            messages.insert(0, {"role": "system", "content": system})
        return Converted(with_images(messages, get_images(record), mapping.images), read_tools(record))

    return convert


FORM = Form("sharegpt", "ShareGPT (conversations of from and value)", guess, converter)
