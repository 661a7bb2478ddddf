"""Text and label: classification data. The text is the prompt, the label the response.

Labels that are numbers are written out as text, or as their names where the file knows these (Hugging Face ClassLabel).
A second text (`input`: the hypothesis of a pair) follows the first after a newline.
"""

from __future__ import annotations

import json
from typing import Any

from curation.readers._record import MISSING, Converted, Converter, Form, Reject, Sample, getter, kind_of, needs_object
from curation.readers.alpaca import prompt_reader
from curation.readers.mapping import Mapping

TEXTS = (
    *("text", "sentence", "utterance", "query", "question", "review", "comment", "tweet", "title"),
    *("premise", "sentence1", "question1"),
)
SECONDS = ("hypothesis", "sentence2", "question2")
LABELS = ("label", "category", "intent", "class", "labels", "target", "sentiment", "topic", "emotion", "label_text")


def guess(sample: Sample) -> Mapping | None:
    """A text's and a label's name, or lists of two."""
    text, label = sample.first(*TEXTS), sample.first(*LABELS)
    if text is None and sample.fields == ["0", "1"]:
        text, label = "0", "1"
    if text is None or label is None:
        return None
    names = sample.label_names.get(label, [])
    return Mapping(form="text-label", text=text, input=sample.first(*SECONDS), label=label, label_names=names)


def converter(mapping: Mapping) -> Converter:
    """Records → messages by a mapping of this form."""
    read_text, get_label = prompt_reader(mapping.text, mapping.input), getter(mapping.label)
    names = mapping.label_names

    def label_of(value: Any) -> str:
        if value is MISSING:
            raise Reject(mapping.label, "is missing")
        if value is None:
            return ""
        if isinstance(value, dict | list):
            raise Reject(mapping.label, f"is {kind_of(value)}, a label is needed")
        if type(value) is int and names:
            if value == -1:  # Hugging Face's mark for "no label", as in hidden test sets
                return ""
            if not 0 <= value < len(names):
                raise Reject(mapping.label, f"is {value}, but there are names for 0 to {len(names) - 1}")
            return names[value]
        return value if type(value) is str else json.dumps(value)

    def convert(record: Any) -> Converted:
        needs_object(record)
        text, label = read_text(record), label_of(get_label(record))
        return Converted([{"role": "user", "content": text}, {"role": "assistant", "content": label}])

    return convert


FORM = Form("text-label", "Text and label", guess, converter)
