"""One click to see whether a connection works, and what its model can do."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from typing import Any

from curation.core.errors import CurationError, ModelError
from curation.core.runtime import Runtime, resolve_device
from curation.models.chat.backend import Backend, Failed
from curation.models.chat.backends import open_backend
from curation.models.chat.connections import STAND_IN, Connection
from curation.models.chat.openai_backend import OpenAIBackend
from curation.models.chat.types import Reply, Request, spoken

_SCHEMA = {
    "type": "object",
    "properties": {"digit": {"type": "integer"}},
    "required": ["digit"],
    "additionalProperties": False,
}
_TOKENS = 64


@dataclass(frozen=True)
class Tried:
    """What a test of a connection found; None = not known.

    Args:
        reached: Something answered at the address.
        model_there: The model is in the server's list; None where it has none, or lists other names and answers.
        models: Names in the server's list, at most 200.
        seconds: Until the first reply was whole.
        reply: Its text.
        tokens_in: Read, for all that was asked.
        tokens_out: Written.
        structured: Replies follow a schema when one is sent.
        logprobs: Replies come with log-probabilities.
        thinks: The model thinks aloud before it replies, or used up its tokens: it needs more of them.
        given_up: What the server does not take, in words.
        message: What is wrong, "" = nothing.
        hint: What to do about it.
    """

    reached: bool = False
    model_there: bool | None = None
    models: tuple[str, ...] = ()
    seconds: float | None = None
    reply: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    structured: bool | None = None
    logprobs: bool | None = None
    thinks: bool | None = None
    given_up: tuple[str, ...] = ()
    message: str = ""
    hint: str = ""


async def tried(connection: Connection) -> Tried:
    """Test a connection with one or two tiny requests, a few more where the server does not take a part of them.

    Problems of the server, of the key and of the model are told in `message` and `hint`, never raised.
    """
    if connection.kind == STAND_IN:
        return Tried(True, True, (STAND_IN,), 0.0, structured=True, logprobs=False, thinks=False)
    backend: Backend | None = None
    found: dict[str, Any] = {}
    try:
        if connection.kind == "openai":
            backend = web = OpenAIBackend(connection, fresh=True)
            await _list(web, connection, found)
        else:
            backend = open_backend(connection, Runtime(device=resolve_device()))
            found.update(reached=True, model_there=True)
        await _ask(backend, connection, found)
    except Failed as failed:
        found["reached"] = found.get("reached", False) or not failed.unreachable
        hint = "start the server, or check the address of the connection" if failed.unreachable else ""
        found.update(message=failed.detail or failed.reason, hint=hint)
    except CurationError as error:
        answered = isinstance(error, ModelError) and connection.kind == "openai"  # only an answer makes one there
        found["reached"] = found.get("reached", False) or answered
        found.update(message=error.message, hint=error.hint)
    finally:
        if backend is not None:
            found["given_up"] = backend.given_up
            await backend.close()
    if found.get("reply") or found.get("tokens_out"):
        # the model answers, so a list with other names (an alias, an adapter) is no news
        found["model_there"] = found.get("model_there") or None
    return Tried(**found)


async def _list(backend: OpenAIBackend, connection: Connection, found: dict[str, Any]) -> None:
    try:
        names = await backend.models()
    except Failed as failed:
        if failed.unreachable:
            raise
        found["reached"] = True
        return
    except ModelError:  # not every server lists its models, nor lets every key see them
        return
    found.update(reached=True, models=tuple(names[:200]), model_there=connection.model in names if names else None)


async def _ask(backend: Backend, connection: Connection, found: dict[str, Any]) -> None:
    question = Request((("user", "Reply with the single digit 7 and nothing else."),), _TOKENS, logprobs=5)
    begun = time.monotonic()
    first = await _patiently(backend, question)
    said = spoken(first.text).strip()
    found.update(
        reached=True, seconds=round(time.monotonic() - begun, 3), reply=first.text[:2000], tokens_in=first.tokens_in,
        tokens_out=first.tokens_out, logprobs=bool(first.first),
        thinks=said != first.text.strip() or (first.finish == "length" and not said),
    )  # fmt: skip
    if connection.structured == "none":
        found["structured"] = False
        return
    words = 'Reply with a JSON object of this form and nothing else: {"digit": 7}'
    second = await _patiently(backend, Request((("user", words),), _TOKENS, schema=json.dumps(_SCHEMA)))
    found["tokens_in"] += second.tokens_in
    found["tokens_out"] += second.tokens_out
    refused = any(text.startswith("replies in JSON") for text in backend.given_up)
    found["structured"] = not refused and _follows(spoken(second.text))


def _follows(text: str) -> bool:
    try:
        read = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(read, dict) and type(read.get("digit")) is int


async def _patiently(backend: Backend, request: Request) -> Reply:
    """Ask; once more after a failure that may pass."""
    left = 2
    while True:
        try:
            return await backend.send(request)
        except Failed as failed:
            left -= 0 if failed.free else 1
            if not left or not failed.again:
                raise
            if not failed.free:
                await asyncio.sleep(min(failed.wait or 0.2, 5.0))
