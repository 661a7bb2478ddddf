"""Plain text to complete: one text, all of it learned. It becomes one assistant message; the prompt is empty."""

from __future__ import annotations

from typing import Any

from curation.readers._record import Converted, Converter, Form, Reject, Sample, getter, text_of
from curation.readers.mapping import Mapping
from curation.readers.prompt_completion import without_marker


def guess(sample: Sample) -> Mapping | None:
    """A text by name, or records that are texts themselves."""
    name = sample.first("text", "content", ".")
    return None if name is None else Mapping(form="text", text=name)


def converter(mapping: Mapping) -> Converter:
    """Records → messages by a mapping of this form."""
    get, where = getter(mapping.text), None if mapping.text == "." else mapping.text

    def convert(record: Any) -> Converted:
        value = get(record)
        if value is None:
            raise Reject(where, "is null, a text is needed")
        text, note = without_marker(text_of(value, where))
        return Converted([{"role": "assistant", "content": text}], None, note)

    return convert


FORM = Form("text", "Plain text", guess, converter)
