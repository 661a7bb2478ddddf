"""The SQLite file below the store of replies: making it, opening it, saying what is wrong."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

from curation.core.errors import CurationError, machine_problem

VERSION = 1
"""Of the tables; raised when older programs could not use them."""

_APPLICATION = 0x43525250  # "CRRP": which program a file is of
BUSY_SECONDS = 30.0

_TABLES = f"""
PRAGMA journal_mode = WAL;
CREATE TABLE replies (
    key BLOB PRIMARY KEY, endpoint TEXT NOT NULL, model TEXT NOT NULL, characters INTEGER NOT NULL,
    tokens_in INTEGER NOT NULL, tokens_out INTEGER NOT NULL, created REAL NOT NULL,
    reply BLOB NOT NULL, checksum INTEGER NOT NULL
);
CREATE TABLE claims (
    key BLOB PRIMARY KEY, host TEXT NOT NULL, pid INTEGER NOT NULL, started REAL NOT NULL, owner INTEGER NOT NULL,
    time REAL NOT NULL
) WITHOUT ROWID;
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {VERSION};
"""

_INHERITED: list[Any] = []
"""Connections of the process this one was forked from. Closing one here could damage the file, so they stay open."""


class StoreFile:
    """Connections to one file.

    Args:
        path: Made where it is absent; None = in memory, for this object only.

    Raises:
        CurationError: if the file is damaged, no such file or of a newer version.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._local = threading.local()
        self._memory: sqlite3.Connection | None = None
        self._lock = nullcontext() if path else threading.RLock()
        if path is None:
            self._memory = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
            self._memory.executescript(_TABLES)
            return
        try:
            if not path.exists():
                _create(path)
            if path.stat().st_size == 0:
                raise self.damaged("it is empty")
        except OSError as error:
            raise machine_problem(error) or CurationError(
                f"cannot open the stored replies: {path}", str(error)
            ) from None
        with self.open() as db:
            self._check(db)

    @contextmanager
    def open(self) -> Iterator[sqlite3.Connection]:
        """The connection of this thread; each statement is a transaction of its own.

        Raises:
            CurationError: where SQLite could not do what the body asked for.
        """
        try:
            with self._lock:
                yield self._memory or self._connection()
        except sqlite3.Error as error:
            raise self._problem(error) from error
        except UnicodeDecodeError as error:  # Python reading names or messages out of a damaged file
            raise self.damaged("its text cannot be read") from error

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """As `open`, in one transaction: all of the body or nothing, and nobody else writes meanwhile."""
        with self.open() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                with suppress(sqlite3.Error):  # SQLite may have rolled back itself
                    db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")

    def shrink(self) -> None:
        """Give free room back to the disk, unless somebody else is reading."""
        with self.open() as db, suppress(sqlite3.OperationalError):
            db.execute("PRAGMA busy_timeout = 1000")
            db.execute("VACUUM")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            db.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000:.0f}")

    def size(self) -> int:
        """Bytes on disk; 0 in memory."""
        names = [Path(f"{self.path}{end}") for end in ("", "-wal", "-shm")] if self.path else []
        return sum(name.stat().st_size for name in names if name.exists())

    def close(self) -> None:
        """Close the connection of this thread; another one is opened when it is needed."""
        opened = getattr(self._local, "opened", None)
        if opened and opened[0] == os.getpid():
            opened[2].close()
            self._local.opened = None

    def _connection(self) -> sqlite3.Connection:
        try:
            stat = Path(str(self.path)).stat()
        except OSError as error:
            # a connection to a file that is gone would go on writing into nothing
            raise CurationError(f"the stored replies cannot be read any more: {self.path}", str(error)) from None
        pid, inode, db = getattr(self._local, "opened", None) or (0, 0, None)
        if db is not None and pid != os.getpid():
            _INHERITED.append(db)
            db = None
        if db is None or inode != stat.st_ino:
            # mode=rw: never made anew by opening
            address = f"{Path(str(self.path)).absolute().as_uri()}?mode=rw"
            db = sqlite3.connect(address, uri=True, isolation_level=None, timeout=BUSY_SECONDS)
            # survives the end of the process; a power cut may lose the last transactions, never the file
            db.execute("PRAGMA synchronous = NORMAL")
            self._local.opened = (os.getpid(), stat.st_ino, db)
        return db

    def _check(self, db: sqlite3.Connection) -> None:
        application = db.execute("PRAGMA application_id").fetchone()[0]
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if application != _APPLICATION:
            raise CurationError(f"{self.path} is no file of stored replies", "move it away; a new one is then made")
        if version > VERSION:
            raise CurationError(
                f"{self.path} was written by a newer version (tables {version}, known here: {VERSION})",
                "update this program, or work in another workspace",
            )
        db.execute("SELECT key FROM replies LIMIT 1").fetchone()
        db.execute("SELECT key FROM claims LIMIT 1").fetchone()

    def damaged(self, what: str) -> CurationError:
        """The error of a file that is not as it was written."""
        return CurationError(
            f"the stored replies are damaged ({what}): {self.path}",
            "put a copy back if there is one; otherwise move the file away, and its replies are asked for again",
        )

    def _problem(self, error: sqlite3.Error) -> CurationError:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_FULL:
            return CurationError(f"the disk is full ({self.path})", "free some space; what was stored is not lost")
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return CurationError(
                f"another program has held the stored replies for {BUSY_SECONDS:.0f} s: {self.path}",
                "close it, or try again later",
            )
        if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_IOERR):
            return CurationError(
                f"the stored replies cannot be read and written: {self.path} ({error})", "see the disk"
            )
        return self.damaged(str(error))


def _create(path: Path) -> None:
    """A file with empty tables, there in one step: an empty or half-made one is always damage."""
    made = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    os.close(os.open(made, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        db = sqlite3.connect(made, isolation_level=None)
        db.executescript(_TABLES)
        db.close()
        try:
            os.link(made, path)
        except FileExistsError:
            pass  # another process was quicker
        except OSError:  # a file system without links
            if not path.exists():
                made.replace(path)
    finally:
        for end in ("", "-wal", "-shm"):
            Path(f"{made}{end}").unlink(missing_ok=True)
