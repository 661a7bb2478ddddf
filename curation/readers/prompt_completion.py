"""Prompt and completion, each a text or a list of turns (TRL), and question and answer under their many names.

An end-of-text marker at the end of a completion stays in the record and is left out of the text: trainers add their
own, and it would count as a word of the answer.
"""

from __future__ import annotations

from typing import Any

from curation.core.dataset import Message
from curation.readers._images import with_images
from curation.readers._record import Converted, Converter, Form, Sample, getter, needs_object, text_of
from curation.readers._turns import TurnsReader, guess_turns, tools_reader, turns_in
from curation.readers.alpaca import before_reader, prompt_reader
from curation.readers.mapping import Mapping

PROMPTS = ("prompt", "question", "query", "instruction", "input", "inputs", "source", "problem", "user")
RESPONSES = ("completion", "response", "answer", "output", "target", "targets", "solution", "assistant", "reply")
END_MARKERS = (
    "<|endoftext|>",
    "<|end_of_text|>",
    "<|im_end|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end|>",
    "<|endofturn|>",
    "<end_of_turn>",
    "<｜end▁of▁sentence｜>",
    "</s>",
    "<eos>",
)
"""Markers of GPT-2, Llama 3, Qwen, Phi, Gemma, DeepSeek and Llama 2 tokenizers."""


def guess(sample: Sample) -> Mapping | None:
    """A prompt's and a completion's name; pairs of texts where the second is no label."""
    prompt, response = sample.first(*PROMPTS), sample.first(*RESPONSES)
    if sample.fields[:2] == ["0", "1"] and not _repeats(sample.values("1")):
        prompt, response = "0", "1"
    if prompt is None or response is None:
        return None
    turns = guess_turns(turns_in(sample, prompt, response)) or {}
    extra = sample.first("context", "input", "passage")
    return Mapping(
        form="prompt-completion",
        prompt=prompt,
        response=response,
        input=None if extra == prompt else extra,
        system=sample.first("system", "system_prompt") or "system",
        tools=sample.first("tools") or "tools",
        images=sample.first("images", "image") or "images",
        **turns,
    )


def _repeats(values: list[Any]) -> bool:
    texts = [v for v in values if isinstance(v, str)]
    return len(texts) < len(values) or len(set(texts)) * 2 <= len(texts)


def without_marker(text: str) -> tuple[str, str | None]:
    """A text without the end-of-text marker it ends in, and a note that names the marker."""
    if text[-1:] in (">", " ", "\n"):
        stripped = text.rstrip()
        for marker in END_MARKERS:
            if stripped.endswith(marker):
                return stripped[: -len(marker)], f"end-of-text marker {marker} kept in the record, left out of the text"
    return text, None


def converter(mapping: Mapping) -> Converter:
    """Records → messages by a mapping of this form."""
    get_prompt, get_response, get_images = getter(mapping.prompt), getter(mapping.response), getter(mapping.images)
    read_text, read_before = prompt_reader(mapping.prompt, mapping.input), before_reader(mapping.system, None)
    read_turns, read_tools = TurnsReader(mapping), tools_reader(mapping.tools)

    def convert(record: Any) -> Converted:
        needs_object(record)
        messages = read_before(record)
        prompt, response = read_turns.turns_or_text(get_prompt(record)), read_turns.turns_or_text(get_response(record))
        note = None
        if isinstance(prompt, list):
            messages += read_turns(prompt, mapping.prompt or "")
        else:
            messages.append({"role": "user", "content": read_text(record)})
        if isinstance(response, list):
            messages += read_turns(response, mapping.response or "")
        else:
            text, note = without_marker(text_of(response, mapping.response))
            answer: Message = {"role": "assistant", "content": text}
            messages.append(answer)
        return Converted(with_images(messages, get_images(record), mapping.images), read_tools(record), note)

    return convert


FORM = Form("prompt-completion", "Prompt and completion (or question and answer)", guess, converter)
