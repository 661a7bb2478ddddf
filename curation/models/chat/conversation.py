"""One run of asking: rows as coroutines, replies looked up and stored, requests repeated, caps and breakers."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from curation.core.errors import CapReached, JobCancelled, ModelError
from curation.core.runtime import Runtime
from curation.models.chat._run_state import of_run
from curation.models.chat.backend import Backend, Failed, tokens_at_most
from curation.models.chat.backends import open_backend, remember
from curation.models.chat.connections import STAND_IN, Connection
from curation.models.chat.ledger import Share, ledger_of
from curation.models.chat.live import between
from curation.models.chat.lookup import Lookup
from curation.models.chat.pace import Gate, Window
from curation.models.chat.types import Answer, Reply, Request

T = TypeVar("T")
Say = Callable[[Request], Awaitable[Answer]]

_LOOK = 0.2
"""Seconds between calls of progress."""
_GRACE = 0.05
"""Seconds that replies which have just arrived get to be stored when a run ends early."""
_IN_A_ROW = 20
"""Requests that failed for good, one after the other without a single reply between: the server is down."""
_FIRST = 8
"""The same before any reply came: nothing says that this server ever answers, and each try may be charged."""
_DRAIN = 60.0
"""Seconds for which replies to requests under way are waited for, at most, when an error ends a run."""
_SUSPECTS = 5
"""Requests that the server refused for no known reason before any reply came: it would refuse all."""


@dataclass(frozen=True)
class Policy:
    """How failed requests are repeated.

    Args:
        tries: Times that a request is sent, at most. Refusals of a busy server (429) do not count while it answers
            others or has done so within `patience`; there may be ten times as many.
        backoff: Seconds to wait after the first failure, at most; doubled each time. How long is drawn anew each time
            between 0 and that, so that requests which failed together do not come back together.
        longest: Seconds to wait, at most, where the server does not say how long.
    """

    tries: int = 6
    backoff: float = 0.5
    longest: float = 30.0

    @property
    def patience(self) -> float:
        """Seconds for which a server may refuse everything: three times `longest`."""
        return 3 * self.longest

    def pause(self, tries: int) -> float:
        """Seconds to wait after so many tries."""
        return random.uniform(0, min(self.longest, self.backoff * 2.0 ** min(tries - 1, 30)))  # noqa: S311, NPY002


class Conversation(Generic[T]):
    """One call of `converse`; its arguments are described there.

    Args:
        stop: Set from another thread to end the run.
    """

    def __init__(
        self,
        count: int,
        talk: Callable[[int, Say], Awaitable[T]],
        connection: Connection,
        runtime: Runtime,
        done: Callable[[int, T], None] | None,
        policy: Policy,
        stop: threading.Event,
    ) -> None:
        self._count, self._talk, self._done, self._stop = count, talk, done, stop
        self._connection, self._runtime, self._policy = connection, runtime, policy
        self._identity = connection.identity()
        self._meter = runtime.meter
        free = connection.kind != "openai"
        self._ledger = ledger_of(runtime.caps, runtime.meter, connection.prices, free=free)
        self._made_up = connection.kind == STAND_IN
        self._results: list[Any] = [None] * count
        self._ready = self._next = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._shared: dict[bytes, asyncio.Future[Answer]] = {}
        self._error: BaseException | None = None
        self._replies = self._lost = self._suspects = self._refusals = 0
        self._begun, self._recorded = time.monotonic(), float("-inf")
        self._heard = time.monotonic()

    async def run(self) -> list[T]:
        """All rows.

        Raises:
            ModelError, CapReached, JobCancelled, and whatever `talk`, `done` and `progress` raise.
        """
        self._changed = asyncio.Event()
        self._store = Lookup(self._runtime.replies, self._meter)
        try:
            self._backend: Backend = open_backend(self._connection, self._runtime)
            try:
                # whoever is asked for nothing at a time is not probed: it is in this process
                probe = self._connection.kind == "openai"
                limit = self._backend.limit
                # steps of a run that ask the same model go on at the pace that was found
                place = f"pace of {self._identity} up to {limit}"
                self._gate = Gate(of_run(self._meter, place, lambda: Window(limit, probe=probe)))
                self._alive = 2 * self._backend.limit + 16
                await self._watched()
            except ModelError:
                await self._drain()
                raise
            finally:
                await self._end()
                self._record()  # how far it came, also where it was stopped
                remember(self._connection, self._backend.given_up)
                await self._backend.close()
        finally:
            self._store.close()
        return self._results

    async def _watched(self) -> None:
        self._fill()
        while self._error is None and self._ready < self._count:
            self._tell()
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), _LOOK)
            except TimeoutError:
                continue
        if self._error is not None:
            raise self._error
        self._tell()

    async def _drain(self) -> None:
        """Let requests under way end: their replies are paid for. Nothing new is sent."""
        self._gate.shut()
        self._ledger.shut()
        until = time.monotonic() + min(self._connection.timeout, _DRAIN)
        gone = self._lost >= _FIRST  # nobody will answer these either
        while not gone and self._meter.in_flight and time.monotonic() < until:
            await asyncio.sleep(_LOOK / 4)
            try:
                self._tell()
            except JobCancelled:  # who stops the run wants no replies, and why it ended stays said
                return

    async def _end(self) -> None:
        """Nothing is sent any more; what has arrived is stored."""
        self._gate.shut()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_GRACE)
            left = list(self._tasks)
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
        self._meter.in_flight = 0

    def _tell(self) -> None:
        if self._stop.is_set():
            raise JobCancelled("the run was interrupted")
        meter = self._meter
        meter.concurrency = int(self._gate.window.size)
        paused = self._gate.paused()
        note = f"{meter.calls:,} calls, {meter.in_flight} under way"
        if self._ledger.prices and meter.money:
            note += f", {meter.money:.4f} {meter.currency}"
        if paused >= 1:
            note += f"; the server wants a pause of {paused:.0f} s"
        if time.monotonic() - self._recorded >= between(self._begun):
            self._record()
        self._runtime.progress(self._ready, self._count, note)

    def _record(self) -> None:
        meter = self._meter
        self._recorded = time.monotonic()
        self._runtime.record(
            {
                "judged": self._ready, "calls": meter.calls, "reused": meter.reused, "retries": meter.retries,
                "tokens_in": meter.tokens_in, "tokens_out": meter.tokens_out, "money": meter.money,
                "in_flight": meter.in_flight, "concurrency": meter.concurrency,
            }
        )  # fmt: skip

    # --------------------------------------------------------------------- rows

    def _fill(self) -> None:
        """Start rows, lowest first, while few enough are alive."""
        while self._next < self._count and len(self._tasks) < self._alive and self._error is None:
            task = asyncio.create_task(self._row(self._next))
            self._tasks.add(task)
            self._next += 1
            task.add_done_callback(self._over)

    async def _row(self, row: int) -> None:
        async def say(request: Request) -> Answer:
            return await self._say(row, request)

        result = await self._talk(row, say)
        self._results[row] = result
        if self._done:
            self._done(row, result)
        self._ready += 1

    def _over(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = JobCancelled("a row was given up from within") if task.cancelled() else task.exception()
        if error is not None and self._error is None:
            self._error = error
        if self._error is not None or self._ready == self._count:
            self._changed.set()
        else:
            self._fill()

    # ----------------------------------------------------------------- requests

    async def _say(self, row: int, request: Request) -> Answer:
        """One request: who comes second waits for the first."""
        key = request.key(self._identity)
        while (first := self._shared.get(key)) is not None:
            try:
                answer = await asyncio.shield(first)
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if not first.cancelled() or (task and task.cancelling()):
                    raise
                continue  # the row that asked went away without an answer
            if answer.reply is None:
                return answer
            self._meter.reused += 1
            return Answer(answer.reply, stored=True)
        future = self._shared[key] = asyncio.get_running_loop().create_future()
        try:
            answer = await self._answer(row, request, key)
        except BaseException as error:
            if isinstance(error, Exception):
                future.set_exception(error)
                future.exception()  # nobody may be waiting
            else:
                future.cancel()
            raise
        finally:
            del self._shared[key]
        future.set_result(answer)
        return answer

    async def _answer(self, row: int, request: Request, key: bytes) -> Answer:
        found = await self._store.find(key)
        while True:
            if found is not None and not (self._made_up and found.text != request.pretend):
                self._meter.reused += 1
                return Answer(found, stored=True)
            entered = await self._gate.enter(row)
            if self._made_up or self._store.claim(key):
                break
            self._gate.leave()  # another process is asking just that
            found = await self._store.wait(key)
        inside = True
        try:
            tries = rounds = 0
            while True:
                outcome = await self._once(request, entered)
                if isinstance(outcome, Reply):
                    self._store.put(key, outcome, request, self._identity)
                    self._came()
                    return Answer(outcome)
                failed = outcome
                rounds += 1
                tries += self._counts(failed, rounds)
                if not failed.again or tries >= self._policy.tries:
                    return self._given_up(failed, tries)
                self._gate.leave()
                inside = False
                if not failed.free:
                    await asyncio.sleep(self._patience(failed, max(tries, 1)))
                entered = await self._gate.enter(row)
                inside = True
                self._meter.retries += 1
        except Exception:  # the run ends: the place that is given back below must not go to the next row
            self._gate.shut()
            raise
        finally:
            self._store.release(key)
            if inside:
                self._gate.leave()

    async def _once(self, request: Request, entered: float) -> Reply | Failed:
        """Send a request once: the reply, or why there is none."""
        share = Share(tokens_at_most(request), request.max_tokens)
        if not await self._ledger.hold(share):
            raise CapReached(
                f"{self._ledger.reached()}; {self._ready:,} of {self._count:,} rows of this step are ready",
                "raise the cap and run again: replies that came are kept and not paid for twice",
            )
        reply, unpaid = None, False
        try:
            reply = await self._backend.send(request)
        except Failed as failed:
            unpaid = failed.unpaid
            self._meter.failures[failed.reason] += 1
            self._slow(failed, entered)
            return failed
        finally:
            self._ledger.settle(share, reply, unpaid=unpaid)
        return reply

    # ------------------------------------------------------------- what follows

    def _came(self) -> None:
        self._replies += 1
        self._heard = time.monotonic()
        self._lost = self._refusals = 0
        self._gate.window.success()

    def _slow(self, failed: Failed, entered: float) -> None:
        """Let the pace follow a failure."""
        now = time.monotonic()
        if failed.throttled:
            news = self._gate.window.throttled(entered, now)
            self._refusals += news
            if failed.wait is not None:
                self._gate.pause(failed.wait)
            elif news:
                # one refusal among replies stops everybody for a moment only, many one after the other for long
                most = min(self._policy.longest, self._policy.backoff / 8 * 2.0 ** min(self._refusals, 30))
                self._gate.pause(random.uniform(0, most))  # noqa: S311, NPY002
        elif failed.again and not failed.free:
            self._gate.window.failed(entered, now)

    def _patience(self, failed: Failed, tries: int) -> float:
        own = self._policy.pause(tries)
        return own if failed.wait is None else failed.wait + min(own, 0.1 * failed.wait)

    def _counts(self, failed: Failed, rounds: int) -> int:
        """Whether a failure is one of the tries that a request has: 1 or 0.

        A server that is busy but answers others, or did so a short while ago, is not failing: limits of requests per
        minute look like that.
        """
        busy = failed.throttled and time.monotonic() - self._heard < self._policy.patience
        return 0 if failed.free or (busy and rounds < 10 * self._policy.tries) else 1

    def _given_up(self, failed: Failed, tries: int) -> Answer:
        """The answer of a request that will not be sent again, unless nothing will ever be answered.

        Raises:
            ModelError: if the server is down or refuses everything.
        """
        resume = "run again when it is mended: replies that came are kept and not paid for twice"
        place = self._connection.endpoint
        if failed.again:
            self._lost += 1
            if failed.unreachable and not self._replies:
                raise ModelError(f"no server answers at {place}", "start it, or see the address of the connection")
            if not self._replies:
                self._gate.window.unanswered()
            if self._lost >= (_IN_A_ROW if self._replies else _FIRST):
                raise ModelError(f"the server at {place} has stopped answering: {failed.reason}", resume)
            return Answer(None, f"{failed.reason} after {'many' if failed.throttled else tries} tries")
        if failed.detail and not self._replies:
            self._suspects += 1
            if self._suspects >= min(_SUSPECTS, self._count):
                raise ModelError(f"{failed.detail}", "it would refuse every row: see the connection and the method")
        return Answer(None, failed.reason)
