"""Dolly: instruction, context and response. The prompt is instruction, newline, context, as for Alpaca."""

from __future__ import annotations

from curation.readers._record import Form, Sample
from curation.readers.alpaca import converter
from curation.readers.mapping import Mapping


def guess(sample: Sample) -> Mapping | None:
    """All three by name; without `context` the records are Alpaca's or pairs."""
    prompt, context, response = sample.first("instruction"), sample.first("context"), sample.first("response")
    if prompt is None or context is None or response is None:
        return None
    return Mapping(form="dolly", prompt=prompt, input=context, response=response)


FORM = Form("dolly", "Dolly (instruction, context, response)", guess, converter)
