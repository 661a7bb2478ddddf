"""What is said to a chat model and what comes back, as plain values."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Request:
    """One request.

    Args:
        messages: (role, text) in order; roles are system, user and assistant.
        max_tokens: Tokens written at most.
        temperature: 0 = always the most likely token.
        top_p: Share of the probability that is sampled from.
        schema: JSON text of a JSON schema that the reply should follow, "" = free text. A server that cannot be told so
            is asked for JSON in the words of the messages alone.
        logprobs: Alternatives wanted for each of the first tokens with their log-probabilities, 0 = none. A server
            without them answers without.
        choices: Texts of single tokens whose probabilities at the first place are wanted ("1" … "6"), which a local
            model reads off whatever their rank.
        sample: 0 for the first asking; another number asks again where an answer is stored, and is another key.
        pretend: What the stand-in connection answers. Never sent, no part of the key.
    """

    messages: tuple[tuple[str, str], ...]
    max_tokens: int = 256
    temperature: float = 0.0
    top_p: float = 1.0
    schema: str = ""
    logprobs: int = 0
    choices: tuple[str, ...] = ()
    sample: int = 0
    pretend: str = ""

    def key(self, identity: dict[str, Any]) -> bytes:
        """16 bytes that name the reply: everything that is asked, and who is asked.

        Args:
            identity: Endpoint and model, from `Connection.identity`.
        """
        asked = {k: v for k, v in self.__dict__.items() if k != "pretend"}
        text = json.dumps([identity, asked], sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


Alternatives = tuple[tuple[str, float], ...]
"""Token texts with their log-probabilities (natural log), most likely first."""


@dataclass(frozen=True)
class Reply:
    """What came back.

    Args:
        text: Of the reply, as it came.
        finish: Why it ended: "stop", "length", "content_filter", …
        tokens_in: Tokens read, as the server counts them; estimated from characters where it does not.
        tokens_out: Tokens written.
        first: For each of the first tokens written, the most likely ones; () where the server tells none.
        refusal: What the server says instead of a reply, "" = nothing.
        model: Name that the server reports.
        seconds: From sending to the whole reply.
    """

    text: str
    finish: str = "stop"
    tokens_in: int = 0
    tokens_out: int = 0
    first: tuple[Alternatives, ...] = ()
    refusal: str = ""
    model: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Answer:
    """What asking came to: a reply, or the reason why there is none.

    Args:
        reply: None where every try failed.
        reason: One short sentence without row-specific detail (it is counted), "" where there is a reply.
        stored: True when the reply was there already and nothing was sent.
    """

    reply: Reply | None
    reason: str = ""
    stored: bool = False


@dataclass(frozen=True)
class Unparsed:
    """A reply that is not what was asked for.

    Args:
        reason: One short sentence without row-specific detail (it is counted).
    """

    reason: str


_THINK = re.compile(r"\s*<(think|thinking|reasoning)>.*?</\1>\s*", re.DOTALL | re.IGNORECASE)
_OPEN_THINK = re.compile(r"\s*<(think|thinking|reasoning)>", re.IGNORECASE)


def spoken(text: str) -> str:
    """A reply without the thinking that some models put before it; "" when the thinking never ended.

    Some chat templates open the block themselves, so a reply may hold only its end.
    """
    found = _THINK.match(text)
    if found:
        return text[found.end() :]
    if _OPEN_THINK.match(text):
        return ""
    head, end, rest = text.partition("</think>")
    return rest.lstrip() if end and "<think>" not in head else text
