"""How many requests may be under way: as many as the server bears, found by trying."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections import deque

_TRIED = 8
"""Requests at once while no reply has come yet."""
_FAILURES = 20
"""Outcomes that are looked at to see whether a server is in trouble."""


class Window:
    """How many requests may be under way at once.

    The first request goes alone: whatever is wrong with a connection shows there. Then half of the limit, and one more
    for each success, which doubles it in the time of one reply, until the server says that it is enough. From
    then on an eighth more in the time of one reply (at least one), and a third less (a half, when it happens while
    doubling) for each refusal. Requests that were sent before the last decrease say nothing new.

    Args:
        limit: Never more.
        probe: Whether the first request goes alone.

    Attributes:
        size: How many, at least 1.
    """

    def __init__(self, limit: int, *, probe: bool = True) -> None:
        self.limit = limit
        self.size = 1.0 if probe else float(limit)
        self._probing = probe
        self._doubling = probe
        self._since = float("-inf")
        self._recent: deque[bool] = deque(maxlen=_FAILURES)

    def success(self) -> None:
        """A reply came."""
        self._recent.append(True)
        if self._probing:
            self._probing = False
            self.size = max(1.0, self.limit / 2)
        elif self._doubling:
            self.size += 1
        else:
            self.size += max(1.0, self.size / 8) / self.size
        self.size = min(self.size, float(self.limit))

    def unanswered(self) -> None:
        """The first request was given up without a reply: some others are tried together, for it may be its fault."""
        if self._probing:
            self._probing = False
            self.size = float(min(self.limit, _TRIED))

    def throttled(self, sent: float, now: float) -> bool:
        """The server wanted fewer requests.

        Args:
            sent: When the request was let through, in seconds.
            now: On the same clock.

        Returns:
            Whether that is news: false for requests from before the last decrease.
        """
        if sent <= self._since:
            return False
        self.size = max(1.0, self.size * (0.5 if self._doubling else 0.67))
        self._doubling = self._probing = False
        self._since = now
        self._recent.clear()
        return True

    def failed(self, sent: float, now: float) -> None:
        """No reply: too late, broken, or an error of the server. One tells nothing; most of the last twenty do."""
        if sent <= self._since:
            return
        self._recent.append(False)
        if len(self._recent) == _FAILURES and 2 * sum(self._recent) < _FAILURES:
            self.throttled(sent, now)


class Gate:
    """Lets requests through: as many as the window says, lowest rows first, none during a pause.

    Args:
        window: How many.

    Attributes:
        inside: Requests under way.
    """

    def __init__(self, window: Window) -> None:
        self.window = window
        self.inside = 0
        self._waiting: list[tuple[int, int, asyncio.Future[float]]] = []
        self._count = 0
        self._until = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    async def enter(self, row: int) -> float:
        """Wait for a place; every `enter` that returns needs one `leave`.

        Returns:
            When it was given, on the clock of `time.monotonic`.
        """
        if not self._waiting and self._open():
            self.inside += 1
            return time.monotonic()
        future: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._waiting, (row, self._count, future))
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self.leave()  # the place was given just when the row went away
            raise

    def leave(self) -> None:
        """Give the place back."""
        self.inside -= 1
        self.look()

    def shut(self) -> None:
        """Nobody gets in any more."""
        self._closed = True

    def pause(self, seconds: float) -> None:
        """Nobody gets in for so long."""
        self._until = max(self._until, time.monotonic() + seconds)

    def paused(self) -> float:
        """Seconds that the pause still lasts."""
        return max(0.0, self._until - time.monotonic())

    def look(self) -> None:
        """Let in who may; to be called when the window has changed."""
        while self._waiting and self._open():
            future = heapq.heappop(self._waiting)[2]
            if not future.done():
                self.inside += 1
                future.set_result(time.monotonic())

    def _open(self) -> bool:
        if self._closed or self.inside >= int(self.window.size):
            return False
        left = self.paused()
        if left and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(left, self._over)
        return not left

    def _over(self) -> None:
        self._timer = None
        self.look()
