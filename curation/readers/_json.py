"""One JSON text → a value, with everything that can be wrong with it said in a sentence."""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

from curation.readers._record import MAX_DEPTH, Reject

_UTF8_CHARACTER = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_SURROGATE = re.compile("[\ud800-\udfff]")
_C1 = re.compile(rb"[\x80-\x9f]")

LATIN = "not UTF-8: read as Latin-1"
WINDOWS = "not UTF-8: read as Windows-1252"


def decode(raw: bytes, guess: bool) -> tuple[str, str | None]:
    """Bytes → text and a note where the bytes are not UTF-8.

    Bytes that hold no UTF-8 character beyond ASCII are Windows-1252 where they use its range 0x80-0x9f, else Latin-1.
    Where some characters are UTF-8 and others not, the text is damaged: its bad bytes become lone surrogates, which
    `flaw` reports.

    Args:
        raw: One record or line.
        guess: False where the encoding is known, so that Latin-1 is out of the question.
    """
    try:
        return raw.decode(), None
    except UnicodeDecodeError:
        pass
    try:
        return raw.decode("utf-8", "surrogatepass"), None  # lone surrogates, and nothing else is wrong
    except UnicodeDecodeError:
        pass
    if guess and not _UTF8_CHARACTER.search(raw):
        if not _C1.search(raw):
            return raw.decode("latin-1"), LATIN
        try:
            return raw.decode("cp1252"), WINDOWS
        except UnicodeDecodeError:
            pass
    return raw.decode("utf-8", "surrogateescape"), None


def parse(raw: bytes, guess: bool) -> tuple[Any, str, str | None]:
    """One JSON text → (value, text, note).

    Args:
        raw: The bytes of one value.
        guess: See `decode`.

    Raises:
        Reject: if it is not JSON, is nested too deeply, or holds text that no UTF-8 file can hold.
    """
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return _parse_slowly(raw, guess)
    if raw.count(b"[") + raw.count(b"{") > MAX_DEPTH and deeper(value, MAX_DEPTH):
        raise Reject(None, f"nested more than {MAX_DEPTH} levels deep")
    return value, raw.decode(), None


def _parse_slowly(raw: bytes, guess: bool) -> tuple[Any, str, str | None]:
    # orjson refuses NaN, lone surrogates and numbers beyond float; the standard library names the place of an error
    text, note = decode(raw, guess)
    try:
        value = json.loads(text)
    except RecursionError:
        raise Reject(None, f"nested more than {MAX_DEPTH} levels deep") from None
    except json.JSONDecodeError as error:
        raise Reject(None, _explain(error, text)) from None
    except ValueError as error:  # an integer of more than 4,300 digits
        raise Reject(None, f"holds a number that cannot be read: {error}") from None
    problem = flaw(value, text)
    if problem:
        raise Reject(*problem)
    return value, text, note


def _explain(error: json.JSONDecodeError, text: str) -> str:
    at = error.pos
    if "\0" in text[at : at + 1] or (error.msg.startswith("Expecting") and "\0" in text[at : at + 2]):
        return f"holds a NUL byte at character {at + 1}: the file is damaged"
    if error.msg.startswith("Unterminated string") or (at >= len(text.rstrip()) and text.strip()):
        return f"not valid JSON: it ends too early ({error.msg.lower()} at character {at + 1})"
    return f"not valid JSON: {error.msg[0].lower()}{error.msg[1:]} at character {at + 1}"


def unpacked(value: Any) -> Any:
    """JSON text of a list or object, as a CSV cell holds it, as that list or object; anything else as it is."""
    if type(value) is not str or value[:1] not in ("[", "{"):
        return value
    try:
        parsed = json.loads(value)
    except (ValueError, RecursionError):
        return value
    return value if flaw(parsed, value) else parsed


def deeper(value: Any, levels: int) -> bool:
    """True when lists and objects are nested more than `levels` deep. Cost: one visit of every container."""
    layer = [value]
    for _ in range(levels):
        inner = []
        for item in layer:
            children = item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
            inner += [child for child in children if isinstance(child, dict | list)]
        if not inner:
            return False
        layer = inner
    return True


def flaw(value: Any, text: str) -> tuple[str | None, str] | None:
    """What keeps a parsed value out of a Dataset, as (field, reason), or None.

    Args:
        value: The parsed value.
        text: What it was parsed from; only texts with a chance of a surrogate are searched.
    """
    if deeper(value, MAX_DEPTH):
        return None, f"nested more than {MAX_DEPTH} levels deep"
    if "\\" in text or _SURROGATE.search(text):
        return _surrogate(value, "")
    return None


def surrogate_reason(text: str) -> str | None:
    """Why a text with a lone surrogate cannot be kept, or None where it has none."""
    match = _SURROGATE.search(text)
    if match is None:
        return None
    code, at = ord(match.group()), match.start() + 1
    if 0xDC80 <= code <= 0xDCFF:
        return f"holds the byte 0x{code - 0xDC00:02x} at character {at}, which is not UTF-8: the text is damaged"
    return f"holds the lone surrogate U+{code:04X} at character {at}, which is half a character"


def _surrogate(value: Any, where: str) -> tuple[str | None, str] | None:
    if isinstance(value, str):
        reason = surrogate_reason(value)
        return (where or None, reason) if reason else None
    if isinstance(value, dict):
        for key, item in value.items():
            reason = surrogate_reason(key)
            if reason:
                return where or None, f"a field's name {reason}"
            found = _surrogate(item, f"{where}.{key}" if where else key)
            if found:
                return found
    elif isinstance(value, list):
        for position, item in enumerate(value):
            found = _surrogate(item, f"{where}[{position}]")
            if found:
                return found
    return None
