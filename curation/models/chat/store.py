"""Replies of chat models, kept by what was asked: nothing that is stored is paid for twice.

One SQLite file, shared by any number of processes and threads of one machine. It holds replies, never requests: what
was asked is there as 16 bytes of a hash, with its length, endpoint and model. A reply may of course quote what it was
asked about, so the file is readable by its owner only.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Self
from weakref import WeakValueDictionary
from zlib import crc32

import psutil

from curation.models.chat._store_file import StoreFile
from curation.models.chat.types import Reply, Request

_FOREIGN_SECONDS = 900.0
_AT_ONCE = 1000  # keys in one query


@dataclass(frozen=True)
class Usage:
    """Replies of one model.

    Args:
        endpoint: Address of the server, "local" or "stand-in".
        model: As it was asked for.
        replies: Count.
        characters: Of what was asked, together.
        tokens_in: Together.
        tokens_out: Together.
        bytes: Of the replies, without what the file needs to find them.
        oldest: Seconds since 1970.
        newest: Seconds since 1970.
    """

    endpoint: str
    model: str
    replies: int
    characters: int
    tokens_in: int
    tokens_out: int
    bytes: int
    oldest: float
    newest: float


class ReplyStore:
    """Replies by key, and who is asking for which just now.

    A reply is there for every process when `put` returns and survives the end of this one, however it ends; a power cut
    can lose the last few, which are then asked for again. Who wants to ask claims the key first; a claim ends with
    `put` or `release`, with the store that made it, and with its process.

    Args:
        path: The file, made where it is absent; None = in memory, for this object only.

    Raises:
        CurationError: if the file is damaged, no such file or of a newer version; so does every method where the file
            cannot be read or written.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._file = StoreFile(path)
        self._owner = int.from_bytes(os.urandom(6), "big")
        _OPEN[self._owner] = self

    # ------------------------------------------------------------------ replies

    def get(self, keys: Sequence[bytes]) -> dict[bytes, Reply]:
        """The stored replies among keys; absent ones are left out. Some 100,000 a second."""
        found: dict[bytes, Reply] = {}
        with self._file.open() as db:
            for at in range(0, len(keys), _AT_ONCE):
                some = keys[at : at + _AT_ONCE]
                marks = ",".join("?" * len(some))
                sql = f"SELECT key, reply, checksum FROM replies WHERE key IN ({marks})"
                for key, data, checksum in db.execute(sql, some):
                    found[key] = self._read(key, data, checksum)
        return found

    def has(self, keys: Sequence[bytes]) -> set[bytes]:
        """Which keys have a reply, without reading the replies."""
        found: set[bytes] = set()
        with self._file.open() as db:
            for at in range(0, len(keys), _AT_ONCE):
                some = keys[at : at + _AT_ONCE]
                sql = f"SELECT key FROM replies WHERE key IN ({','.join('?' * len(some))})"
                found.update(key for (key,) in db.execute(sql, some))
        return found

    def put(self, key: bytes, reply: Reply, request: Request, identity: dict[str, Any]) -> None:
        """Store a reply and end the claim. A key that has a reply keeps it: the first one stands.

        Args:
            key: `request.key(identity)`.
            reply: What came back.
            request: What was asked; only its length is kept.
            identity: Endpoint and model, from `Connection.identity`.
        """
        data = _packed(reply)
        row = (
            key, str(identity.get("endpoint", "")), str(identity.get("model", "")),
            sum(len(text) for _, text in request.messages), reply.tokens_in, reply.tokens_out, time.time(),
            data, _checksum(key, data),
        )  # fmt: skip
        with self._file.write() as db:
            db.execute("INSERT OR IGNORE INTO replies VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
            db.execute("DELETE FROM claims WHERE key = ?", (key,))

    # ------------------------------------------------------------------- claims

    def claim(self, key: bytes) -> bool:
        """Ask for the right to ask.

        Returns:
            True: nobody has the reply and nobody else is asking; False: it is stored by now, or a living process (this
            one included) is asking. `wait` then tells.
        """
        me, started = _me()
        _OPEN[self._owner] = self
        mine = (key, platform.node(), me, started, self._owner, time.time())
        with self._file.write() as db:
            if db.execute("SELECT 1 FROM replies WHERE key = ?", (key,)).fetchone() or self._held(db, key):
                return False
            db.execute("INSERT OR REPLACE INTO claims VALUES (?, ?, ?, ?, ?, ?)", mine)
            return True

    def release(self, key: bytes) -> None:
        """End a claim of this store without a reply."""
        with self._file.open() as db:
            db.execute("DELETE FROM claims WHERE key = ? AND owner = ?", (key, self._owner))

    def held(self, key: bytes) -> bool:
        """Whether a living process is asking."""
        with self._file.open() as db:
            return self._held(db, key)

    async def wait(self, key: bytes, every: float = 0.02, longest: float = 0.5) -> Reply | None:
        """Wait while another is asking.

        Args:
            key: Whose claim was refused.
            every: Seconds between the first looks.
            longest: Seconds between looks later on.

        Returns:
            The reply, or None: whoever asked gave up or died, so claim again.
        """
        while True:
            held = self.held(key)  # first: a reply that comes after this look is found by the next
            found = self.get([key])
            if found or not held:
                return found.get(key)
            await asyncio.sleep(every)
            every = min(2 * every, longest)

    def _held(self, db: sqlite3.Connection, key: bytes) -> bool:
        claim = db.execute("SELECT host, pid, started, owner, time FROM claims WHERE key = ?", (key,)).fetchone()
        if claim is None:
            return False
        host, pid, started, owner, since = claim
        if host != platform.node():  # a container beside this one: its processes cannot be seen from here
            return time.time() - since < _FOREIGN_SECONDS
        if (pid, started) == _me():
            return owner in _OPEN
        return _runs(pid, started)

    # ------------------------------------------------------------ what is there

    def usage(self) -> list[Usage]:
        """Replies by endpoint and model, the most first. Reads the whole file."""
        sql = """SELECT endpoint, model, count(*), sum(characters), sum(tokens_in), sum(tokens_out),
            sum(length(reply)), min(created), max(created) FROM replies GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2"""
        with self._file.open() as db:
            return [Usage(*row) for row in db.execute(sql)]

    def size(self) -> int:
        """Bytes on disk; 0 in memory."""
        return self._file.size()

    def check(self) -> None:
        """Read everything.

        Raises:
            CurationError: if anything is damaged.
        """
        with self._file.open() as db:
            found = [line for (line,) in db.execute("PRAGMA integrity_check(1)")]
            if found != ["ok"]:
                raise self._file.damaged(found[0].splitlines()[-1])
            for row in db.execute("SELECT key, reply, checksum FROM replies"):
                self._read(*row)

    def export(self) -> Iterator[dict[str, Any]]:
        """Every reply as plain values, oldest first, with its key in hexadecimal."""
        sql = """SELECT key, endpoint, model, characters, created, reply, checksum FROM replies ORDER BY created"""
        with self._file.open() as db:
            for key, endpoint, model, characters, created, data, checksum in db.execute(sql):
                reply = asdict(self._read(key, data, checksum))
                head = {"key": key.hex(), "endpoint": endpoint, "model": model, "characters": characters}
                yield {**head, "created": created, "reply": reply}

    def count(self, *, endpoint: str | None = None, model: str | None = None, before: float | None = None) -> int:
        """Replies that `forget` with the same words would remove."""
        where, values = _which(endpoint, model, before)
        with self._file.open() as db:
            return int(db.execute(f"SELECT count(*) FROM replies {where}", values).fetchone()[0])

    def forget(self, *, endpoint: str | None = None, model: str | None = None, before: float | None = None) -> int:
        """Remove replies for good and give their room back; asking again costs again.

        Args:
            endpoint: Only those of this address.
            model: Only those of this model.
            before: Only those stored before this time, in seconds since 1970.

        Returns:
            How many went.
        """
        where, values = _which(endpoint, model, before)
        with self._file.open() as db:
            db.execute("PRAGMA secure_delete = ON")  # else texts stay readable in free pages
            gone = db.execute(f"DELETE FROM replies {where}", values).rowcount
        self._file.shrink()
        return gone

    def close(self) -> None:
        """End the claims of this store and the connection of this thread."""
        with self._file.open() as db:
            db.execute("DELETE FROM claims WHERE owner = ?", (self._owner,))
        _OPEN.pop(self._owner, None)
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self, key: bytes, data: bytes, checksum: int) -> Reply:
        # damage can also change what type SQLite reads
        if not isinstance(key, bytes) or not isinstance(data, bytes) or _checksum(key, data) != checksum:
            raise self._file.damaged("a reply is not what was written")
        return _unpacked(data)


_OPEN: WeakValueDictionary[int, ReplyStore] = WeakValueDictionary()
"""Stores of this process by owner: claims of one that was dropped without `close` hold nobody up."""


def _which(endpoint: str | None, model: str | None, before: float | None) -> tuple[str, list[Any]]:
    asked = [("endpoint = ?", endpoint), ("model = ?", model), ("created < ?", before)]
    said = [(sql, value) for sql, value in asked if value is not None]
    return ("WHERE " + " AND ".join(sql for sql, _ in said) if said else ""), [value for _, value in said]


def _checksum(key: bytes, data: bytes) -> int:
    return crc32(data, crc32(key))


def _packed(reply: Reply) -> bytes:
    # JSON of Python: lone surrogates and infinite log-probabilities come back as they were
    return json.dumps(list(reply.__dict__.values()), ensure_ascii=False, separators=(",", ":")).encode(
        "utf-8", "surrogatepass"
    )


def _unpacked(data: bytes) -> Reply:
    text, finish, tokens_in, tokens_out, first, *rest = json.loads(data.decode("utf-8", "surrogatepass"))
    places = tuple(tuple((token, value) for token, value in place) for place in first)
    return Reply(text, finish, tokens_in, tokens_out, places, *rest)


@lru_cache(1)
def _started(pid: int) -> float:
    return float(psutil.Process(pid).create_time())


def _me() -> tuple[int, float]:
    pid = os.getpid()
    return pid, _started(pid)


def _runs(pid: int, started: float) -> bool:
    try:
        process = psutil.Process(pid)
        # two seconds: the clock that start times are counted from may be set meanwhile
        return process.status() != psutil.STATUS_ZOMBIE and abs(process.create_time() - started) < 2.0
    except (psutil.NoSuchProcess, ValueError):
        return False
    except psutil.AccessDenied:
        return True
