"""Decisions by hand: an append-only log per dataset, `decisions/<fingerprint>.jsonl`, one event per line.

Nothing is ever deleted: undo and redo are events as well. Each event is on the disk before the call returns, and a lock
keeps processes apart. A last line that a kill cut off counts for nothing, and goes with the next event; any other line
that cannot be read is an error that names it. What the log comes to is kept in memory by size and time of the file, so
asking again costs one look at the file.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from curation.core.dataset import Dataset
from curation.core.errors import CurationError, machine_problem
from curation.core.row_ranges import as_set, format_rows, ranges_of, rows_digest
from curation.workspace.decision_events import (
    DROPPED,
    KEPT,
    MOST_NOTE,
    Action,
    Decision,
    Event,
    Replay,
    read_line,
)

if TYPE_CHECKING:
    from curation.workspace.folder import Workspace

_LOGS_KEPT = 8
_TAIL = 256  # bytes before the read end that are compared, to see that only more was added
_GUARD = threading.RLock()


@dataclass(frozen=True)
class Decisions:
    """What was decided, after all events.

    Args:
        dataset: Fingerprint.
        marks: int8 `[n]`: UNDECIDED, KEPT or DROPPED; read-only.
        kept: int64, sorted.
        dropped: int64, sorted.
        notes: Row → text.
        undo_label: What an undo takes back ("drop 312 rows"), "" when there is nothing.
        redo_label: What a redo does again.
        undo_id: Its event, for `DecisionLog.undo(expected=…)`.
        redo_id: The same for redo.
        undo_row: The row that an undo is about, -1 when it is about several or none.
        redo_row: The same for redo.
        version: Number of events so far; changes with every one.
    """

    dataset: str
    marks: np.ndarray
    kept: np.ndarray
    dropped: np.ndarray
    notes: dict[int, str]
    undo_label: str = ""
    redo_label: str = ""
    undo_id: str = ""
    redo_id: str = ""
    undo_row: int = -1
    redo_row: int = -1
    version: int = 0

    def of(self, row: int) -> str:
        """What was decided on a row: "keep", "drop", or "" for nothing."""
        return ("", "keep", "drop")[int(self.marks[row])]

    @property
    def noted(self) -> np.ndarray:
        """Rows with a note, int64, sorted."""
        return np.array(sorted(self.notes), np.int64)


@dataclass
class _Seen:
    """A log as far as it was read."""

    replay: Replay
    stamp: tuple[int, int, int]  # inode, bytes, nanoseconds
    end: int = 0  # bytes that were understood
    lines: int = 0
    open_end: bool = False  # the last line understood has no line break yet
    tail: bytes = b""
    state: Decisions | None = None


_SEEN: OrderedDict[Path, _Seen] = OrderedDict()


class DecisionLog:
    """The log of one dataset; see the module's docstring.

    Args:
        workspace: Where it is kept.
        dataset: Whose rows; a whole one of the workspace.
    """

    def __init__(self, workspace: Workspace, dataset: Dataset) -> None:
        if not re.fullmatch("[0-9a-f]{8,64}", dataset.fingerprint):
            raise CurationError("decisions are kept for a whole dataset, not for a part of one")
        self.workspace, self.dataset = workspace, dataset
        self.path = workspace.root / "decisions" / f"{dataset.fingerprint}.jsonl"

    # ------------------------------------------------------------------ reading

    def state(self) -> Decisions:
        """What the log comes to now.

        Raises:
            CurationError: if a line is damaged, with file and line.
        """
        with _GUARD:
            seen = self._read()
            if seen.state is None:
                seen.replay.settle()
                seen.state = self._state(seen.replay)
            return seen.state

    def events(self) -> list[Event]:
        """All events, oldest first."""
        with contextlib.suppress(FileNotFoundError):
            found, _ = _parts(self.path.read_bytes())
            read = [self._line(line, k) for k, line in enumerate(found, 1) if line.strip()]
            return [r.event if isinstance(r, Decision) else r for r in read if r is not None]
        return []

    def _state(self, replay: Replay) -> Decisions:
        marks = replay.marks.copy()
        marks.flags.writeable = False
        done = replay.done[-1] if replay.done else None
        undone = replay.undone[-1] if replay.undone else None
        return Decisions(
            dataset=self.dataset.fingerprint,
            marks=marks,
            kept=np.flatnonzero(marks == KEPT),
            dropped=np.flatnonzero(marks == DROPPED),
            notes=dict(replay.notes),
            undo_label=done.label if done else "",
            redo_label=undone.label if undone else "",
            undo_id=done.event.id if done else "",
            redo_id=undone.event.id if undone else "",
            undo_row=int(done.starts[0]) if done and done.count == 1 else -1,
            redo_row=int(undone.starts[0]) if undone and undone.count == 1 else -1,
            version=replay.count,
        )

    def _read(self) -> _Seen:
        """Read what was added since the last time; all of it when the file is another one."""
        try:
            with self.path.open("rb") as file:
                facts = os.fstat(file.fileno())
                stamp = (facts.st_ino, facts.st_size, facts.st_mtime_ns)
                seen = _SEEN.get(self.path)
                if seen is not None and seen.stamp == stamp and seen.replay.n == len(self.dataset):
                    _SEEN.move_to_end(self.path)
                    return seen
                if seen is None or not self._goes_on(seen, stamp, file):
                    seen = _Seen(Replay(len(self.dataset)), stamp)
                _SEEN.pop(self.path, None)  # half read if a line is damaged
                file.seek(seen.end)
                self._take_in(seen, file.read())
        except FileNotFoundError:
            _SEEN.pop(self.path, None)
            return _Seen(Replay(len(self.dataset)), (0, 0, 0))
        seen.stamp, seen.state = stamp, None
        _SEEN[self.path] = seen
        while len(_SEEN) > _LOGS_KEPT:
            _SEEN.popitem(last=False)
        return seen

    def _goes_on(self, seen: _Seen, stamp: tuple[int, int, int], file: BinaryIO) -> bool:
        if stamp[0] != seen.stamp[0] or stamp[1] < seen.end or seen.replay.n != len(self.dataset):
            return False
        file.seek(seen.end - len(seen.tail))
        more = file.read(len(seen.tail) + 1)
        return more.startswith(seen.tail) and (not seen.open_end or more[len(seen.tail) :] in (b"", b"\n"))

    def _take_in(self, seen: _Seen, data: bytes) -> None:
        if seen.open_end and data.startswith(b"\n"):
            data, seen.end, seen.open_end, seen.tail = data[1:], seen.end + 1, False, seen.tail + b"\n"
        lines, whole = _parts(data)
        for k, line in enumerate(lines):
            last = k == len(lines) - 1 and not whole
            found = self._line(line, seen.lines + 1, torn=last) if line.strip() else None
            if last and found is None:
                break  # cut off by a kill, or just being written
            if found is not None:
                try:
                    seen.replay.add(found)
                except ValueError as error:
                    raise self._damaged(seen.lines + 1, str(error)) from None
            seen.lines += 1
            seen.end += len(line) + (not last)
            seen.open_end = last
            seen.tail = (seen.tail + line + (b"" if last else b"\n"))[-_TAIL:]

    def _line(self, line: bytes, number: int, *, torn: bool = False) -> Event | Decision | None:
        try:
            return read_line(line, len(self.dataset))
        except ValueError as error:
            if torn:
                return None
            raise self._damaged(number, str(error)) from None

    def _damaged(self, line: int, what: str) -> CurationError:
        return CurationError(
            f"{self.path}, line {line}, is damaged: {what}", "put the file back from a copy, or remove that line"
        )

    # ------------------------------------------------------------------ writing

    def keep(self, rows: Iterable[int] | np.ndarray) -> Decisions:
        """Put rows in, whatever a method says."""
        return self._decide("keep", rows)

    def drop(self, rows: Iterable[int] | np.ndarray) -> Decisions:
        """Take rows out, whatever a method says."""
        return self._decide("drop", rows)

    def clear(self, rows: Iterable[int] | np.ndarray) -> Decisions:
        """Take back keep and drop of rows; notes stay."""
        return self._decide("clear", rows)

    def note(self, row: int, text: str) -> Decisions:
        """Write a note on a row, in place of the one it has; an empty text removes it.

        Raises:
            CurationError: if it is too long, or there is no such row.
        """
        text = text.strip().encode("utf-8", "replace").decode()  # half of a character pair cannot be written
        if len(text) > MOST_NOTE:
            raise CurationError(f"the note has {len(text):,} characters", f"at most {MOST_NOTE:,}")
        return self._decide("note", [row], text)

    def undo(self, expected: str = "") -> Decisions:
        """Take the last decision back.

        Args:
            expected: The event that is to be taken back (`Decisions.undo_id`); "" = whichever is the last.

        Raises:
            CurationError: if there is none, or another one came after `expected`.
        """
        return self._turn("undo", expected)

    def redo(self, expected: str = "") -> Decisions:
        """Do again what was taken back last.

        Raises:
            CurationError: if there is nothing, or it is not `expected`.
        """
        return self._turn("redo", expected)

    def _decide(self, action: Action, rows: Iterable[int] | np.ndarray, note: str = "") -> Decisions:
        wanted = as_set(np.asarray(rows if isinstance(rows, np.ndarray) else list(rows), np.int64))
        if not len(wanted):
            raise CurationError(f"no row is named to {action}", "name rows such as 3,10-20")
        if wanted[0] < 0 or wanted[-1] >= len(self.dataset):
            wrong = wanted[0] if wanted[0] < 0 else wanted[-1]
            raise CurationError(f"there is no row {wrong:,}", f"rows go from 0 to {len(self.dataset) - 1:,}")
        ids = rows_digest(self.dataset, wanted)
        event = _event(action, rows=format_rows(wanted), ids=ids, note=note)

        def make(replay: Replay) -> Event | None:
            return event if replay.changes(Decision(event, *ranges_of(wanted))) else None

        return self._append(make)

    def _turn(self, action: Action, expected: str) -> Decisions:
        def make(replay: Replay) -> Event:
            found = replay.done if action == "undo" else replay.undone
            if not found:
                raise CurationError(f"there is nothing to {action}")
            if expected and found[-1].event.id != expected:
                raise CurationError(
                    f"somewhere else something was decided meanwhile: {found[-1].label}", f"{action} again for that"
                )
            return _event(action, of=found[-1].event.id)

        return self._append(make)

    def _append(self, make: Callable[[Replay], Event | None]) -> Decisions:
        with self.workspace.lock(f"decisions-{self.dataset.fingerprint}"):
            with _GUARD:
                seen = self._read()
                seen.replay.settle()
                event = make(seen.replay)
                end, open_end = seen.end, seen.open_end
            if event is not None:
                try:
                    _write(self.path, end, b"\n" * open_end + event.line())
                except OSError as error:
                    raise machine_problem(error) or error from None
        return self.state()


def _event(action: Action, **fields: str) -> Event:
    return Event(id=uuid.uuid4().hex[:12], time=round(time.time(), 3), action=action, **fields)


def _parts(data: bytes) -> tuple[list[bytes], bool]:
    """Lines of a log, and whether the last one has its line break."""
    lines = data.split(b"\n")
    return (lines[:-1], True) if not lines[-1] else (lines, False)


def _write(path: Path, end: int, data: bytes) -> None:
    """Put data after the part of the file that was understood, and wait until it is on the disk.

    What a kill left after `end` goes. Where the disk is full the file stays as it was.
    """
    path.parent.mkdir(exist_ok=True)
    new = not path.exists()
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        os.ftruncate(file, end)
        os.lseek(file, end, os.SEEK_SET)
        try:
            left = memoryview(data)
            while left:
                left = left[os.write(file, left) :]
            os.fsync(file)
        except OSError:
            os.ftruncate(file, end)
            raise
    finally:
        os.close(file)
    if new:
        with contextlib.suppress(OSError):  # not every system can open a folder
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
