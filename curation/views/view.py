"""A view: conditions that must all hold, as text for an address, and the history of views of a page."""

from __future__ import annotations

import base64
import binascii
import re
import zlib

import orjson
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from curation.core.errors import CurationError
from curation.views.conditions import Condition

MAX_CONDITIONS = 50
MAX_CODE = 100_000
"""Letters of an encoded view; an address may hold some half a million in all."""
MAX_PLAIN = 1_000_000
"""Bytes that a code may unfold to: a few letters must not fill the memory."""
MOST_STEPS = 100
_VERSION = "1"
_HINT = "copy the whole link again, or start from all rows"
_CODE = re.compile(r"[0-9A-Za-z_-]+")


class View(BaseModel):
    """Rows for which all conditions hold; without any, all rows. Never changed: every method makes a new one."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    conditions: tuple[Condition, ...] = Field((), max_length=MAX_CONDITIONS)

    def __len__(self) -> int:
        return len(self.conditions)

    def __bool__(self) -> bool:
        return bool(self.conditions)

    def add(self, condition: Condition) -> View:
        """With one more condition; one that is there already is not repeated.

        Raises:
            CurationError: if there would be too many.
        """
        if condition in self.conditions:
            return self
        if len(self.conditions) >= MAX_CONDITIONS:
            raise CurationError(f"a view has at most {MAX_CONDITIONS} conditions", "take some away first")
        return View(conditions=(*self.conditions, condition))

    def without(self, place: int) -> View:
        """Without the condition at a place, counted from 0; a place that is not there changes nothing."""
        return View(conditions=tuple(c for i, c in enumerate(self.conditions) if i != place))

    def replace(self, place: int, condition: Condition) -> View:
        """With another condition at a place, counted from 0."""
        return View(conditions=tuple(condition if i == place else c for i, c in enumerate(self.conditions)))

    # ------------------------------------------------------------------ as text

    def encode(self) -> str:
        """As letters, digits, - and _ for an address; the same view gives the same text. "" for all rows."""
        if not self.conditions:
            return ""
        # `kind` is a default of every condition, and must stay: it tells them apart
        plain = orjson.dumps([{"kind": c.kind, **c.model_dump(exclude_defaults=True)} for c in self.conditions])
        return _VERSION + base64.urlsafe_b64encode(zlib.compress(plain, 9)).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str) -> View:
        """The view that `encode` made a text of.

        Raises:
            CurationError: for any other text.
        """
        if text == "":
            return cls()
        if len(text) > MAX_CODE:
            raise CurationError(f"the link's view has {len(text):,} letters", f"at most {MAX_CODE:,} are read")
        if not _CODE.fullmatch(text):
            raise CurationError("the link's view has letters that no view has", _HINT)
        if text[0] != _VERSION:
            raise CurationError("the link's view was made by another version of this program", _HINT)
        try:
            return cls(conditions=_CONDITIONS.validate_json(_unfolded(text[1:]), strict=True))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            place = ".".join(str(part) for part in first["loc"][1:4])[:80]
            what = f"{place}: {first['msg']}" if place else str(first["msg"])
            raise CurationError(f"the link's view is not understood: {what[:200]}", _HINT) from None


_CONDITIONS: TypeAdapter[tuple[Condition, ...]] = TypeAdapter(tuple[Condition, ...])


def _unfolded(text: str) -> bytes:
    try:
        packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        unfold = zlib.decompressobj()
        plain = unfold.decompress(packed, MAX_PLAIN + 1)
    except (binascii.Error, zlib.error, ValueError):
        raise CurationError("the link's view is damaged", _HINT) from None
    if len(plain) > MAX_PLAIN:
        raise CurationError("the link's view is too large", _HINT)
    if not unfold.eof or unfold.unused_data:
        raise CurationError("the link's view is cut off", _HINT)
    return plain


class History:
    """Views of a page, one after the other, with what was done; bounded, and in memory only.

    Attributes:
        now: The view that is looked at.
    """

    def __init__(self, now: View | None = None, most: int = MOST_STEPS) -> None:
        self.now = View() if now is None else now
        self._most = most
        self._before: list[tuple[str, View]] = []
        self._after: list[tuple[str, View]] = []

    def push(self, view: View, label: str) -> None:
        """Look at another view; what was undone before cannot be done again. The same view is no step.

        Args:
            view: The new one.
            label: What was done, as in "draw a lasso".
        """
        if view == self.now:
            return
        self._before = [*self._before, (label, self.now)][-self._most :]
        self._after = []
        self.now = view

    def undo(self) -> View:
        """One step back; nothing happens where there is none."""
        if self._before:
            label, view = self._before.pop()
            self._after.append((label, self.now))
            self.now = view
        return self.now

    def redo(self) -> View:
        """One step forward again; nothing happens where there is none."""
        if self._after:
            label, view = self._after.pop()
            self._before.append((label, self.now))
            self.now = view
        return self.now

    @property
    def undo_label(self) -> str | None:
        """What `undo` takes back, None where there is nothing."""
        return self._before[-1][0] if self._before else None

    @property
    def redo_label(self) -> str | None:
        """What `redo` does again, None where there is nothing."""
        return self._after[-1][0] if self._after else None
