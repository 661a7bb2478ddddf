"""The component: what `pieces` made goes to the browser as JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from curation.core.row import Message
from curation.ui.conversation.pieces import Find, Mark, conversation_data

_HERE = Path(__file__).parent
_show = st.components.v2.component(
    "curation.conversation",
    html="<section class='conversation'></section>",
    css=(_HERE / "conversation.css").read_text(encoding="utf-8"),
    js=(_HERE / "conversation.js").read_text(encoding="utf-8"),
)


def conversation(
    messages: Sequence[Message],
    *,
    key: str,
    tools: Any = None,
    words: Sequence[str] = (),
    marks: Sequence[Mark] = (),
    find: Find | None = None,
    label: str = "Conversation",
) -> None:
    """Show a conversation. Nothing of it is loaded, followed or run: text stays text.

    Args:
        messages: As `Dataset.messages` gives them.
        key: Of the component.
        tools: The tools offered, plain data.
        words: To mark wherever they stand in a message, letter case apart.
        marks: Further places to mark: (message, first character, character after the last), in code points.
        find: Says of a text where to mark it, as a search does.
        label: What a screen reader calls it.
    """
    data = conversation_data(messages, tools=tools, words=words, marks=marks, find=find)
    text = json.dumps(data, ensure_ascii=True)
    # the browser draws anew only when something is new, so that what was unfolded or selected stays so
    version = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
    _show(key=key, data={"version": version, "label": label, "json": text})
