"""A view: conditions that must all hold, as plain data that fits into an address; and its history."""

from __future__ import annotations

import base64
import binascii
import zlib
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from curation.core.errors import CurationError
from curation.views.conditions import Condition

MAX_CODE, MAX_JSON, MAX_CONDITIONS = 200_000, 2_000_000, 64
STEPS = 200


class View(BaseModel):
    """Conditions on rows; a row is in view when all of them hold."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    conditions: tuple[Condition, ...] = Field((), max_length=MAX_CONDITIONS)

    def add(self, condition: Condition) -> View:
        """The view with one more condition; one that is there already is not added twice."""
        return self if condition in self.conditions else View(conditions=(*self.conditions, condition))

    def without(self, place: int) -> View:
        """The view without one of its conditions."""
        return View(conditions=self.conditions[:place] + self.conditions[place + 1 :])

    def replace(self, place: int, condition: Condition) -> View:
        """The view with another condition in the place of one."""
        return View(conditions=(*self.conditions[:place], condition, *self.conditions[place + 1 :]))

    def encode(self) -> str:
        """The view as letters that may stand in an address."""
        packed = zlib.compress(self.model_dump_json(exclude_defaults=False).encode(), 9)
        return base64.urlsafe_b64encode(packed).decode().rstrip("=")

    @classmethod
    def decode(cls, code: str) -> View:
        """The view of a link; the text may come from anybody.

        Raises:
            CurationError: if it is not one.
        """
        wrong = CurationError("the link holds no view that can be read", "copy the whole address, or filter anew")
        if len(code) > MAX_CODE:
            raise wrong
        try:
            packed = base64.b64decode(code + "=" * (-len(code) % 4), altchars=b"-_", validate=True)
            unpack = zlib.decompressobj()
            text = unpack.decompress(packed, MAX_JSON)
            if unpack.unconsumed_tail or not unpack.eof:
                raise wrong
            return cls.model_validate_json(text)
        except (binascii.Error, zlib.error, ValidationError, ValueError, RecursionError):
            raise wrong from None


@dataclass
class History:
    """Views that can be taken back and done again.

    Args:
        now: The view that is looked at.
    """

    now: View = field(default_factory=View)
    _back: list[tuple[View, str]] = field(default_factory=list)
    _forth: list[tuple[View, str]] = field(default_factory=list)

    def push(self, view: View, label: str) -> None:
        """Look at another view; `label` says what was done."""
        if view == self.now:
            return
        self._back = [*self._back[1 - STEPS :], (self.now, label)]
        self._forth = []
        self.now = view

    def undo(self) -> View:
        """One step back, if there is one."""
        if self._back:
            view, label = self._back.pop()
            self._forth.append((self.now, label))
            self.now = view
        return self.now

    def redo(self) -> View:
        """One step forward, if one was taken back."""
        if self._forth:
            view, label = self._forth.pop()
            self._back.append((self.now, label))
            self.now = view
        return self.now

    @property
    def undo_label(self) -> str | None:
        """What `undo` takes back."""
        return self._back[-1][1] if self._back else None

    @property
    def redo_label(self) -> str | None:
        """What `redo` does again."""
        return self._forth[-1][1] if self._forth else None
