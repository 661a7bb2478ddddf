"""What the chat server of LIFT's test says: it rewrites, answers and judges by rules that the test can follow."""

from __future__ import annotations

import re

from tests.loopback.judges import Asked

BLOCK = re.compile(r"\[(\w+) prompt\]\n(.*)\n\[\1 end of prompt\]", re.DOTALL)
WORDS = ("comet", "violin", "statute", "yeast", "glacier", "ledger", "tempo", "nebula", "verdict", "dough")


def points(text: str) -> int:
    """The judge's total for whatever it is shown."""
    return 10 + sum(map(ord, text)) % 81


def reply(asked: Asked) -> str:
    """By what stands in the request."""
    block = BLOCK.search(asked.last)
    if block:
        number = sum(map(ord, block[2]))
        return (
            f"<new_prompt>{block[2]} And what of a {WORDS[number % 10]} with a {WORDS[number // 10 % 10]}?</new_prompt>"
        )
    if "scale from 0 to 5" in asked.text:  # AlpaGasus
        return f"{points(asked.text) % 11 / 2}\nBecause."
    if "larity" in asked.text and "xplanation" in asked.text:
        return f"{points(asked.text)}\nBecause."
    return f"The answer to '{asked.last[-60:]}' is {' '.join(WORDS[ord(c) % 10] for c in asked.last[-12:])}."
