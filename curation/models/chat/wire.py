"""OpenAI's chat protocol as servers really speak it: bodies to send, and replies to read. Pure functions.

Everything that comes in is written by somebody else: whatever its types are, reading it ends in a reply, a `Failed` or
a ModelError, never in a crash.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from curation.models.chat.backend import Failed, tokens_about
from curation.models.chat.refusals import LENGTH, REJECTS, Told, failure
from curation.models.chat.secrets import HIDDEN
from curation.models.chat.types import Alternatives, Reply, Request

FIRST_TOKENS = 16
"""Places of a reply whose alternatives are kept."""


@dataclass(frozen=True)
class Abilities:
    """What a server takes, as far as is known; every field only ever goes down.

    Args:
        structured: How replies in JSON are asked for: "schema", "json" or "none".
        logprobs: Alternatives for each token, at most; 0 = none.
        limit: Name of the field for the most tokens to write.
        swapped: The other name was tried already.
        temperature: Whether temperature and top_p may be set.
        system: Whether there may be a message of the role system; else its text stands before the user's first.
    """

    structured: str = "schema"
    logprobs: int = 20
    limit: str = "max_tokens"
    swapped: bool = False
    temperature: bool = True
    system: bool = True

    def given_up(self, structured: str) -> tuple[str, ...]:
        """In words what the server turned out not to take.

        Args:
            structured: What the connection wanted at best.
        """
        levels = {"schema": "replies by a schema", "json": "replies in JSON"}
        missed = [text for level, text in levels.items() if _LEVELS[structured] >= _LEVELS[level] > self._level()]
        if self.logprobs == 0:
            missed.append("log-probabilities")
        elif self.logprobs < 20:
            missed.append(f"more than {self.logprobs} alternatives for a token")
        if not self.temperature:
            missed.append("temperature (the server uses its own)")
        if not self.system:
            missed.append("system messages (their text stands before the first question)")
        return tuple(missed)

    def _level(self) -> int:
        return _LEVELS[self.structured]


_LEVELS = {"none": 0, "json": 1, "schema": 2}


# ------------------------------------------------------------------------- sending


def body_of(request: Request, model: str, abilities: Abilities) -> dict[str, Any]:
    """What is sent."""
    messages = list(request.messages) if abilities.system else _folded(request.messages)
    body: dict[str, Any] = {
        "model": model,
        "messages": [{"role": role, "content": text.encode("utf-8", "replace").decode()} for role, text in messages],
        abilities.limit: request.max_tokens,
    }
    if abilities.temperature:
        body["temperature"] = request.temperature
        if request.top_p != 1.0:
            body["top_p"] = request.top_p
    if request.schema and abilities.structured == "schema":
        schema = {"name": "reply", "schema": json.loads(request.schema), "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif request.schema and abilities.structured == "json":
        body["response_format"] = {"type": "json_object"}
    if request.logprobs and abilities.logprobs:
        body["logprobs"] = True
        body["top_logprobs"] = min(request.logprobs, abilities.logprobs)
    return body


def _folded(messages: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
    head = "\n\n".join(text for role, text in messages if role == "system")
    rest = [message for message in messages if message[0] != "system"]
    if not head:
        return rest
    if rest and rest[0][0] == "user":
        return [("user", f"{head}\n\n{rest[0][1]}"), *rest[1:]]
    return [("user", head), *rest]


# ------------------------------------------------------------------------- replies


def reply_of(data: bytes, request: Request, seconds: float, secret: str = "") -> Reply:
    """Read the body of a reply with status 200.

    Args:
        data: The body.
        request: What was asked: tokens are estimated from it where the server does not count.
        seconds: From sending to the whole reply.
        secret: Is taken out of every text.

    Raises:
        Failed: if it is no reply.
        ModelError: if it is an error that no later try can mend.
    """
    found = parsed(data)
    if not isinstance(found, dict):
        raise Failed("reply is no object")
    if found.get("error") and not found.get("choices"):
        error = found["error"]
        code = error.get("code") if isinstance(error, dict) else None
        raise failure(code if isinstance(code, int) and 400 <= code < 600 else 500, {}, found, model="", secret=secret)
    choices = found.get("choices")
    if not isinstance(choices, list) or not choices:
        raise Failed("reply has no choices")
    choice = choices[0]
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(message, dict):
        raise Failed("reply of a wrong type")
    finish = choice.get("finish_reason")
    if finish == "error":
        raise Failed("server error in the reply")
    refusal = message.get("refusal")
    refusal = refusal if isinstance(refusal, str) else ""
    thought = isinstance(message.get("reasoning_content", message.get("reasoning")), str)
    text = _content(message.get("content"))
    if text is None:
        if not (refusal or finish in ("length", "content_filter") or thought):
            raise Failed("reply has no text")
        text = ""
    usage = found.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    estimated = sum(tokens_about(words) for _, words in request.messages)
    reported = found.get("model")
    text, refusal, finish, reported = (
        _clean(value if isinstance(value, str) else "", secret) for value in (text, refusal, finish, reported)
    )
    return Reply(
        text=text,
        finish=finish[:40] or "stop",
        tokens_in=_count(usage.get("prompt_tokens"), estimated),
        tokens_out=_count(usage.get("completion_tokens"), tokens_about(text)),
        first=_first(choice.get("logprobs"), request.logprobs, secret) if request.logprobs else (),
        refusal=refusal,
        model=reported[:200],
        seconds=round(seconds, 4),
    )


def parsed(data: bytes) -> Any:
    """JSON of a body.

    Raises:
        Failed: if it is none.
    """
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(data)  # takes NaN and lone surrogates, which some servers send
    except (ValueError, RecursionError):
        raise Failed("reply is no JSON") from None


def _content(value: Any) -> str | None:
    """The text; None = there is none.

    Raises:
        Failed: if it is something else.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list):  # parts, as servers of models that think may send them
        parts = [part.get("text") for part in value if isinstance(part, dict) and part.get("type") == "text"]
        texts = [part for part in parts if isinstance(part, str)]
        if parts and len(texts) == len(parts):
            return "".join(texts)
    raise Failed("reply of a wrong type")


def _clean(text: str, secret: str) -> str:
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode()
    return text.replace(secret, HIDDEN) if secret and secret in text else text


def _count(value: Any, otherwise: int) -> int:
    return value if type(value) is int and 0 <= value < 10**9 else otherwise


def _first(logprobs: Any, count: int, secret: str) -> tuple[Alternatives, ...]:
    places = logprobs.get("content") if isinstance(logprobs, dict) else None
    if not isinstance(places, list):
        return ()
    made: list[Alternatives] = []
    for place in _after_thinking(places)[:FIRST_TOKENS]:
        if not isinstance(place, dict):
            return tuple(made)
        there = place.get("top_logprobs")
        found = [_alternative(each) for each in (there if isinstance(there, list) and there else [place])[: 2 * count]]
        # a value that is no number is left out, and what is left still has its own probability
        some = sorted((one for one in found if one), key=lambda one: -one[1])[:count]
        made.append(tuple((_clean(token, secret), value) for token, value in some))
    return tuple(made)


def _alternative(value: Any) -> tuple[str, float] | None:
    if not isinstance(value, dict) or not isinstance(value.get("token"), str):
        return None
    number = value.get("logprob")
    if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
        return None
    return value["token"], float(number)


def _after_thinking(places: list[Any]) -> list[Any]:
    """The places behind a leading <think> block: a judge's verdict stands there."""
    text = ""
    for number, place in enumerate(places):
        token = place.get("token") if isinstance(place, dict) else ""
        text += token if isinstance(token, str) else ""
        if "</think>" in text:
            rest = places[number + 1 :]
            while rest and isinstance(rest[0], dict) and not str(rest[0].get("token", "")).strip():
                rest = rest[1:]
            return rest
        if len(text) > 8 and not text.lstrip().startswith("<think"):
            return places
    return places


# ------------------------------------------------------- what a server does not take


def lesser(abilities: Abilities, sent: Mapping[str, Any], status: int, said: Told) -> Abilities | None:
    """What is left when an error says that something in the request is not taken; None = it says no such thing.

    Args:
        abilities: As they were when the request was sent.
        sent: Its body.
        status: Of the error.
        said: Its text.
    """
    text = said.text
    if status not in (400, 404, 415, 422, 500, 501) or LENGTH.search(text) and "logprobs" not in text:
        return None
    if status not in (400, 422) and not REJECTS.search(text):
        return None
    if "logprobs" in sent and "logprob" in text:
        return replace(abilities, logprobs=5 if sent.get("top_logprobs", 0) > 5 and "top_logprobs" in text else 0)
    formats = ("response_format", "json_schema", "json_object", "schema", "structured", "guided", "grammar")
    if "response_format" in sent and any(word in text for word in formats):
        return replace(abilities, structured="json" if abilities.structured == "schema" else "none")
    other = "max_completion_tokens" if abilities.limit == "max_tokens" else "max_tokens"
    named = abilities.limit in text and re.search(r"unsupported|unknown|unrecogni|not permitted|extra|unexpected", text)
    if not abilities.swapped and (named or other in text):
        return replace(abilities, limit=other, swapped=True)
    if "temperature" in sent and re.search(r"temperature|top_p", text) and REJECTS.search(text):
        return replace(abilities, temperature=False)
    system = any(message["role"] == "system" for message in sent.get("messages", ()))
    if system and re.search(r"system.{0,20}(role|message)|role.{0,20}system", text):
        return replace(abilities, system=False)
    return None
