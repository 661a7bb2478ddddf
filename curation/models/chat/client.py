"""Asking a chat model about many rows: at the pace it bears, within what may be spent, and never twice the same."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from curation.core.runtime import Runtime
from curation.models.chat.backend import Failed
from curation.models.chat.backends import open_backend
from curation.models.chat.connections import Connection
from curation.models.chat.types import Answer, Reply, Request, Unparsed

T = TypeVar("T")
Say = Callable[[Request], Awaitable[Answer]]


def converse(
    count: int,
    talk: Callable[[int, Say], Awaitable[T]],
    connection: Connection,
    runtime: Runtime,
    *,
    done: Callable[[int, T], None] | None = None,
) -> list[T]:
    """Ask about many rows, a coroutine for each; results come in the order of the rows."""

    async def run() -> list[T]:
        backend = open_backend(connection, runtime)

        async def say(request: Request) -> Answer:
            try:
                return Answer(await backend.send(request))
            except Failed as failed:
                return Answer(None, failed.reason)

        results = []
        for row in range(count):
            results.append(await talk(row, say))
            if done:
                done(row, results[-1])
        await backend.close()
        return results

    return asyncio.run(run())


def ask_all(
    requests: Sequence[Request],
    connection: Connection,
    runtime: Runtime,
    *,
    done: Callable[[int, Answer], None] | None = None,
) -> list[Answer]:
    """`converse` with one request for each row."""

    async def talk(row: int, say: Say) -> Answer:
        return await say(requests[row])

    return converse(len(requests), talk, connection, runtime, done=done)


async def ask_until(
    say: Say, request: Request, parse: Callable[[Reply], T | Unparsed], *, tries: int = 2, attempt: int = 0
) -> T | Unparsed:
    """Ask until a reply can be parsed; each try is another `sample`, so each is stored by itself.

    Args:
        say: From `converse`.
        request: What is asked; its `sample` is counted on from.
        parse: Reads a reply.
        tries: Askings at most.
        attempt: Of the method: raising it asks anew where all tries of an earlier run failed.

    Returns:
        What `parse` made, or why the last reply could not be parsed, or why there was none.
    """
    found: T | Unparsed = Unparsed("nothing was asked")
    for number in range(tries):
        answer = await say(replace(request, sample=request.sample + attempt * tries + number))
        if answer.reply is None:
            return Unparsed(answer.reason)
        found = parse(answer.reply)
        if not isinstance(found, Unparsed):
            return found
    return found
