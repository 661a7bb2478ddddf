"""Asking a chat model about many rows: at the pace it bears, within what may be spent, and never twice the same."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, TypeVar

from curation.core.runtime import Runtime
from curation.models.chat.backends import given_up
from curation.models.chat.connections import Connection
from curation.models.chat.conversation import Conversation, Policy, Say
from curation.models.chat.types import Answer, Reply, Request, Unparsed

__all__ = ["Policy", "Say", "ask_all", "ask_until", "converse", "given_up"]

T = TypeVar("T")


def converse(
    count: int,
    talk: Callable[[int, Say], Awaitable[T]],
    connection: Connection,
    runtime: Runtime,
    *,
    done: Callable[[int, T], None] | None = None,
    policy: Policy | None = None,
) -> list[T]:
    """Ask about many rows, a coroutine for each.

    Replies are looked up in `runtime.replies` first and stored there as they arrive; the same request is under way
    once, however many rows and processes want it. Some requests run at once (as many as the server bears, up to the
    connection's limit), lowest rows first. Works with and without a running event loop in the thread that calls.

    Args:
        count: Rows.
        talk: Makes the result of a row from its number and `say`, which asks one request. What it raises ends the run.
        connection: Who is asked.
        runtime: Its `progress` is called with (rows ready, rows, note) a few times a second and may raise; `record`
            gets the running count once a second; `meter` counts; `caps` hold.
        done: Called with each row's number and result as it is ready, in the event loop: be quick.
        policy: How failed requests are repeated.

    Returns:
        Results in the order of the rows.

    Raises:
        ModelError: if no request can succeed, or the server is down. Replies that came are stored.
        CapReached: before a request that could go over a cap of the run.
        CurationError: if the key is not in the environment, or a cap in money meets a connection without prices.
    """
    stop = threading.Event()
    conversation = Conversation(count, talk, connection, runtime, done, policy or Policy(), stop)
    return run_apart(conversation.run, stop)


def ask_all(
    requests: Sequence[Request],
    connection: Connection,
    runtime: Runtime,
    *,
    done: Callable[[int, Answer], None] | None = None,
    policy: Policy | None = None,
) -> list[Answer]:
    """`converse` with one request for each row."""

    async def talk(row: int, say: Say) -> Answer:
        return await say(requests[row])

    return converse(len(requests), talk, connection, runtime, done=done, policy=policy)


async def ask_until(
    say: Say, request: Request, parse: Callable[[Reply], T | Unparsed], *, tries: int = 2, attempt: int = 0
) -> T | Unparsed:
    """Ask until a reply can be parsed; each try is another `sample`, so each is stored by itself.

    Args:
        say: From `converse`.
        request: What is asked; its `sample` is counted on from.
        parse: Reads a reply.
        tries: Askings at most in one attempt.
        attempt: Of the method: raising it adds as many tries where all of an earlier run failed, and only there.

    Returns:
        What `parse` made, or why the last reply could not be parsed, or why there was none.
    """
    found: T | Unparsed = Unparsed("nothing was asked")
    for number in range(tries * (attempt + 1)):  # the tries of earlier attempts are stored: they cost nothing
        answer = await say(replace(request, sample=request.sample + number))
        if answer.reply is None:
            return Unparsed(answer.reason)
        found = parse(answer.reply)
        if not isinstance(found, Unparsed):
            return found
    return found


def run_apart(make: Callable[[], Coroutine[Any, Any, T]], stop: threading.Event | None = None) -> T:
    """Run in an event loop of its own: in this thread, or in another one where this one has a running loop.

    Args:
        make: Makes the coroutine.
        stop: Is set when this thread is interrupted while the other one runs.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(make())
    context = contextvars.copy_context()
    with ThreadPoolExecutor(1, "chat") as pool:
        future = pool.submit(lambda: context.run(asyncio.run, make()))
        try:
            return future.result()
        except BaseException:
            if stop:
                stop.set()  # an interrupt reaches this thread only
            raise
