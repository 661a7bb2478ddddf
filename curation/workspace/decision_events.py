"""One line of a decision log, and what a row of such lines comes to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from curation.core.row_ranges import parse_ranges
from curation.core.saving import to_json

Action = Literal["keep", "drop", "clear", "note", "undo", "redo"]
MOST_NOTE = 2_000
"""Characters of a note."""
UNDECIDED, KEPT, DROPPED = 0, 1, 2
"""What `Decisions.marks` holds for each row."""
_MARK = {"keep": KEPT, "drop": DROPPED, "clear": UNDECIDED}
_FEW = 64  # ranges that are set one by one


class Event(BaseModel):
    """What somebody decided, or took back.

    `rows` is text as `3,7,10-20`, `ids` the digest of the ids of these rows. A note names one row; an empty one removes
    it. `of` is the event that is taken back or done again.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern="^[0-9a-f]{12}$")
    time: float
    action: Action
    rows: str = ""
    ids: str = ""
    note: str = Field("", max_length=MOST_NOTE)
    of: str = ""

    def line(self) -> bytes:
        """As it stands in the log, with the line break."""
        return f"{to_json(self.model_dump(exclude_defaults=True))}\n".encode()


@dataclass(frozen=True)
class Decision:
    """An event with its rows read.

    Args:
        event: Not an undo or redo.
        starts: int64, the first row of each range.
        ends: int64, the last row of each range.
    """

    event: Event
    starts: np.ndarray
    ends: np.ndarray

    @property
    def count(self) -> int:
        """Rows named."""
        return int((self.ends - self.starts + 1).sum())

    @property
    def label(self) -> str:
        """For an undo button: "drop 312 rows"."""
        rows = f"row {int(self.starts[0]):,}" if self.count == 1 else f"{self.count:,} rows"
        if self.event.action == "note":
            return f"note on {rows}" if self.event.note else f"remove the note on {rows}"
        return f"{self.event.action} {rows}"


def read_line(line: bytes, n: int) -> Event | Decision:
    """One line of a log.

    Args:
        line: With or without its line break.
        n: Rows of the dataset.

    Raises:
        ValueError: saying what is wrong with it.
    """
    try:
        event = Event.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"{place}: {first['msg']}" if place else str(first["msg"])) from None
    if event.action in ("undo", "redo"):
        return event
    starts, ends = parse_ranges(event.rows)
    if int(ends.max()) >= n:
        raise ValueError(f"it names row {int(ends.max()):,} of a dataset with {n:,} rows")
    if event.action == "note" and (len(starts) > 1 or ends[0] > starts[0]):
        raise ValueError("a note is for one row")
    return Decision(event, starts, ends)


@dataclass
class Replay:
    """What the events so far come to.

    Args:
        n: Rows of the dataset.
        done: What counts, oldest first.
        undone: What was taken back and could be done again, the next last.
        count: Events read, undo and redo among them.
    """

    n: int
    done: list[Decision] = field(default_factory=list)
    undone: list[Decision] = field(default_factory=list)
    count: int = 0
    marks: np.ndarray = field(init=False)
    notes: dict[int, str] = field(default_factory=dict)
    _applied: int = 0  # decisions of `done` that `marks` and `notes` know
    _stale: bool = False  # `marks` and `notes` know one that was taken back

    def __post_init__(self) -> None:
        self.marks = np.zeros(self.n, np.int8)

    def add(self, found: Event | Decision) -> None:
        """One more event; `settle` makes marks and notes follow.

        Raises:
            ValueError: if it takes back, or does again, what is not the last.
        """
        self.count += 1
        if isinstance(found, Decision):
            self.done.append(found)
            self.undone.clear()
            return
        here, there = (self.done, self.undone) if found.action == "undo" else (self.undone, self.done)
        if not here or here[-1].event.id != found.of:
            raise ValueError(f"it would {found.action} the event {found.of[:12]!r}, which is not the last")
        there.append(here.pop())
        self._stale |= len(self.done) < self._applied

    def settle(self) -> None:
        """Carry out what was added: O(rows named since), or of all events after an undo."""
        if self._stale:
            self.marks[:] = UNDECIDED
            self.notes.clear()
            self._applied, self._stale = 0, False
        for decision in self.done[self._applied :]:
            self._carry_out(decision)
        self._applied = len(self.done)

    def _carry_out(self, decision: Decision) -> None:
        event = decision.event
        if event.action == "note":
            row = int(decision.starts[0])
            self.notes.pop(row, None)
            if event.note:
                self.notes[row] = event.note
            return
        value = _MARK[event.action]
        if len(decision.starts) <= _FEW:
            for first, last in zip(decision.starts.tolist(), decision.ends.tolist(), strict=True):
                self.marks[first : last + 1] = value
        else:
            edges = np.zeros(self.n + 1, np.int32)  # +1 where a range begins, −1 after it ends
            np.add.at(edges, decision.starts, 1)
            np.add.at(edges, decision.ends + 1, -1)
            self.marks[np.cumsum(edges[:-1]) > 0] = value

    def changes(self, decision: Decision) -> bool:
        """True when a decision would change anything."""
        if decision.event.action == "note":
            return self.notes.get(int(decision.starts[0]), "") != decision.event.note
        value = _MARK[decision.event.action]
        ranges = zip(decision.starts.tolist(), decision.ends.tolist(), strict=True)
        return any((self.marks[first : last + 1] != value).any() for first, last in ranges)
