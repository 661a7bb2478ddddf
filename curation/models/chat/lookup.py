"""The store of replies as one event loop uses it: many rows look at once, in one query."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from curation.core.spending import Meter
from curation.models.chat._run_state import of_run
from curation.models.chat.store import ReplyStore
from curation.models.chat.types import Reply, Request


class Lookup:
    """Replies of earlier runs, of other processes, and of this one.

    Args:
        path: The file; None = in memory, for this run.
        meter: Names the run.
    """

    def __init__(self, path: Path | None, meter: Meter) -> None:
        self._file = ReplyStore(path) if path else of_run(meter, "replies", lambda: ReplyStore(None))
        self._asked: dict[bytes, asyncio.Future[Reply | None]] = {}
        self._claimed: set[bytes] = set()

    def find(self, key: bytes) -> asyncio.Future[Reply | None]:
        """A stored reply, or None."""
        future = self._asked.get(key)
        if future is None:
            loop = asyncio.get_running_loop()
            if not self._asked:
                loop.call_soon(self._look)
            future = self._asked[key] = loop.create_future()
        return future

    def _look(self) -> None:
        asked, self._asked = self._asked, {}
        try:
            found = self._file.get(list(asked))
        except Exception as error:  # whoever waits hears of it
            for future in asked.values():
                if not future.done():
                    future.set_exception(error)
            return
        for key, future in asked.items():
            if not future.done():
                future.set_result(found.get(key))

    def claim(self, key: bytes) -> bool:
        """Whether this run may ask; False: it is stored by now, or another process is asking."""
        if not self._file.claim(key):
            return False
        self._claimed.add(key)
        return True

    async def wait(self, key: bytes) -> Reply | None:
        """The reply that another process gets; None: it got none."""
        return await self._file.wait(key)

    def put(self, key: bytes, reply: Reply, request: Request, identity: dict[str, Any]) -> None:
        """Store a reply; it is safe when this returns."""
        self._file.put(key, reply, request, identity)
        self._claimed.discard(key)

    def release(self, key: bytes) -> None:
        """Let others ask, where no reply was stored."""
        if key in self._claimed:
            self._claimed.discard(key)
            self._file.release(key)

    def close(self) -> None:
        """End all claims."""
        self._file.close()
