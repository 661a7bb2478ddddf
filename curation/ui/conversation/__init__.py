"""A conversation to read: roles, code, tool calls, long messages folded, words marked. No text becomes HTML.

Everything is cut into runs of text here (see `pieces`), and the browser only makes text nodes of them.
"""

from __future__ import annotations

from curation.ui.conversation.component import conversation
from curation.ui.conversation.pieces import Find, Mark, conversation_data, find_words

__all__ = ["Find", "Mark", "conversation", "conversation_data", "find_words"]
