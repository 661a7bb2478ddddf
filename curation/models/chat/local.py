"""The backend of a connection of `kind: local`: requests that wait together run as one batch in a thread."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

from curation.core.errors import ModelError
from curation.core.runtime import Runtime
from curation.models.chat.backend import Failed
from curation.models.chat.connections import Connection
from curation.models.chat.local_model import LocalChat, local_chat
from curation.models.chat.types import Answer, Reply, Request
from curation.models.generation import Stopped

WINDOW = 0.005
"""Seconds that the first request of a batch waits for others. While a batch runs, the next one gathers anyway."""

Waiting = tuple[Request, "asyncio.Future[Reply]"]


class LocalBackend:
    """A Hugging Face chat model in this process.

    What a request gets depends on the request alone, not on those beside it: see `LocalChat`.

    Attributes:
        limit: Requests under way at once: those that may share a batch.
        given_up: Nothing.

    Args:
        connection: Names the model, and how many requests may share a batch.
        runtime: Says on which device it runs.

    Raises:
        ModelError: if the model cannot be loaded, or has no chat template.
    """

    given_up: tuple[str, ...] = ()

    def __init__(self, connection: Connection, runtime: Runtime) -> None:
        self.limit = connection.concurrency
        self._identity = connection.identity()
        self._chat: LocalChat = local_chat(connection.model, runtime.device)
        self._worker = ThreadPoolExecutor(1, "chat model")
        self._stop = threading.Event()
        self._waiting: list[Waiting] = []
        self._batches: asyncio.Task[None] | None = None

    async def send(self, request: Request) -> Reply:
        """Answer one request, in a batch with those that wait as well.

        Raises:
            Failed: the request is longer than the model reads, or its template refuses it.
            ModelError: it does not fit into memory, or the model gives no numbers.
        """
        if self._stop.is_set():
            raise ModelError("the connection is closed")
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, future))
        if self._batches is None or self._batches.done():
            self._batches = asyncio.create_task(self._run())
        return await future

    async def close(self) -> None:
        """End the batch that runs at its next token, and let go of the thread. The model stays loaded."""
        self._stop.set()
        if self._batches is not None:
            await asyncio.gather(self._batches, return_exceptions=True)
        self._worker.shutdown(wait=True)

    async def _run(self) -> None:
        """Batches until nobody waits."""
        await asyncio.sleep(WINDOW)
        while self._waiting:
            batch = [pair for pair in self._waiting if not pair[1].done()]  # who was cancelled wants no answer
            self._waiting.clear()
            loop = asyncio.get_running_loop()
            try:
                answers = await loop.run_in_executor(self._worker, self._answers, [request for request, _ in batch])
            except Exception as error:  # noqa: BLE001 - every sender gets it, bugs included
                _fail([*batch, *self._waiting], error)
                self._waiting.clear()
                return
            for (_, future), answer in zip(batch, answers, strict=True):
                if future.done():
                    continue
                if answer.reply is None:
                    future.set_exception(Failed(answer.reason, again=False, unpaid=True))
                else:
                    future.set_result(answer.reply)

    def _answers(self, requests: list[Request]) -> list[Answer]:
        seeds = [int.from_bytes(request.key(self._identity)[:8]) for request in requests]
        return self._chat.answers(requests, seeds, stop=self._stop.is_set)


def _fail(waiting: list[Waiting], error: Exception) -> None:
    if isinstance(error, Stopped):
        error = ModelError("the connection was closed while the model wrote")
    for _, future in waiting:
        if not future.done():
            future.set_exception(error)
