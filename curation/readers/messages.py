"""OpenAI messages: {role, content}, the content a text or typed parts, with tool calls and loss weights.

Typed parts are kept as they are, images included; the message's text is that of its text parts, one per line.
"""

from __future__ import annotations

from curation.readers._record import Form, Sample
from curation.readers.mapping import Mapping
from curation.readers.sharegpt import converter, guess_conversation


def guess(sample: Sample) -> Mapping | None:
    """A list of turns whose speaker is under `role`."""
    return guess_conversation(sample, "messages")


FORM = Form("messages", "OpenAI messages (role and content)", guess, converter)
