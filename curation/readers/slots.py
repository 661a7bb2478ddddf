"""Tokens, tags and intent: utterances of voice assistants, their slots as BIO tags.

The tokens joined by blanks are the prompt, the intent the response; without an intent the tags are.
"""

from __future__ import annotations

from typing import Any

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
    text_of,
)
from curation.readers.mapping import Mapping


def guess(sample: Sample) -> Mapping | None:
    """Tokens by name, holding lists, and tags or an intent beside them."""
    tokens = sample.first("tokens", "words")
    tags = sample.first("tags", "slots", "ner_tags", "labels", "bio")
    intent = sample.first("intent", "label", "domain")
    if not any(isinstance(v, list) for v in map(unpacked, sample.values(tokens))) or (tags is None and intent is None):
        return None
    return Mapping(form="slots", tokens=tokens, tags=tags, intent=intent)


def converter(mapping: Mapping) -> Converter:
    """Records → messages by a mapping of this form."""
    get_tokens, get_tags, get_intent = getter(mapping.tokens), getter(mapping.tags), getter(mapping.intent)

    def convert(record: Any) -> Converted:
        needs_object(record)
        tokens = _texts(get_tokens(record), mapping.tokens)
        tags: list[str] = []
        if mapping.tags is not None:
            tags = _texts(get_tags(record), mapping.tags, numbers=True)
            if len(tags) != len(tokens):
                raise Reject(mapping.tags, f"holds {len(tags)} tags for {len(tokens)} tokens")
        response = " ".join(tags) if mapping.intent is None else text_of(get_intent(record), mapping.intent)
        return Converted([{"role": "user", "content": " ".join(tokens)}, {"role": "assistant", "content": response}])

    return convert


def _texts(value: Any, name: str | None, numbers: bool = False) -> list[str]:
    value = unpacked(value)
    if not isinstance(value, list):
        raise Reject(name, "is missing" if value is MISSING else f"is {kind_of(value)}, a list is needed")
    for position, item in enumerate(value):
        if not isinstance(item, str) and not (numbers and type(item) is int):
            raise Reject(f"{name}[{position}]", f"is {kind_of(item)}, a text is needed")
    return [str(item) for item in value]


FORM = Form("slots", "Tokens, tags and intent", guess, converter)
