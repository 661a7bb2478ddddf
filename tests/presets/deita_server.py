"""What the chat server of DEITA's tests says: it evolves, ranks and scores by rules that the test can follow.

A text is worth one more for every word of `HARD` in it; a version has one of them more than the one before.
"""

from __future__ import annotations

import re

from tests.loopback.judges import Asked

HARD = ("however", "furthermore", "therefore", "nevertheless", "moreover")
BLOCK = re.compile(r"\[(\w+) (prompt|response|question)(?: \d+)?\]\n(.*?)\n\[\1 end of", re.DOTALL)


def worth(text: str) -> int:
    """1 to 6."""
    return min(6, 1 + sum(text.lower().count(word) for word in HARD))


def reply(asked: Asked) -> str:
    """By what stands in the request."""
    shown = [(found[2], found[3]) for found in BLOCK.finditer(asked.last)]
    versions = [text for label, text in shown if label != "question"]
    if "Reply with the digit alone" in asked.last:
        return str(worth(versions[0] if versions else shown[0][1]))
    if "Score: your score" in asked.last:
        return "\n".join(f"[{k}] Score: {worth(text)}" for k, text in enumerate(versions, 1))
    return f"<new>{versions[0]} And {HARD[(worth(versions[0]) - 1) % 5]} say more.</new>"
