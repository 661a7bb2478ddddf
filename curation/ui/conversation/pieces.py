"""A conversation as runs of text, each with what it is: plain, marked, a character that would not be seen.

The runs of a message, joined, are its text letter by letter, so that copying gives the original. Offsets are Python's
(code points); the browser never counts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from curation.core.row import Message

Mark = tuple[int, int, int]
"""Message, first character, character after the last."""

Find = Callable[[str], Sequence[tuple[int, int]]]
"""Says where to mark a text: (first character, character after the last), such as the search's `spans_in`."""

MOST_LETTERS = 200_000
"""Of one message; what is beyond is left out, and said to be."""
MOST_LETTERS_IN_ALL = 1_000_000
MOST_MESSAGES = 500
FOLDED_LINES = 28
"""A message with more lines is folded."""
LETTERS_IN_LINE = 96
MOST_ADDRESS = 300
MOST_MARKS = 2_000

PLAIN, MARKED, UNSEEN, LEFT_OUT = 0, 1, 2, 3
"""Kinds of runs. Those left out are not drawn (fences of code, half of a line break), but copied."""

ROLES = {"system": "System", "user": "User", "assistant": "Assistant", "tool": "Tool"}

# what turns text around, hides or is hidden: direction marks, control characters, zero-width spaces, tag characters
_UNSEEN = re.compile(
    "\r(?=\n)|[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_FENCE = re.compile(r"^ {0,3}(`{3,})([^`\n]*)$", re.MULTILINE)


@dataclass
class Block:
    """A part of a message.

    Args:
        start: Its first character in the text.
        end: The character after its last.
        code: True between fences.
        language: What stands after the opening fence.
        head: The fence before it, line break included.
        tail: The fence after it, "" where the code is never closed.
    """

    start: int
    end: int
    code: bool = False
    language: str = ""
    head: str = ""
    tail: str = ""
    closed: bool = True
    runs: list[list[Any]] = field(default_factory=list)


def find_words(text: str, words: Sequence[str]) -> list[tuple[int, int]]:
    """Where words stand in a text, whatever their case: (first, after the last), in order, not overlapping."""
    wanted = sorted({w.strip() for w in words if w.strip()}, key=len, reverse=True)
    if not wanted:
        return []
    found = re.finditer("|".join(map(re.escape, wanted)), text, re.IGNORECASE)
    return [m.span() for m, _ in zip(found, range(MOST_MARKS), strict=False)]


def blocks_of(text: str) -> list[Block]:
    """A text cut at its code fences. A fence that is never closed reaches to the end."""
    found: list[Block] = []
    at, fence = 0, None
    for match in _FENCE.finditer(text):
        if fence is None:
            fence = match
            found.append(Block(at, match.start()))
            continue
        # as in Markdown, it is closed by at least as many backticks with nothing behind them
        if len(match[1]) < len(fence[1]) or match[2].strip():
            continue
        begin = min(fence.end() + 1, match.start())
        end = max(begin, match.start() - 1)
        found.append(_code(text, fence, begin, end, match.end()))
        at, fence = match.end(), None
        if text[at : at + 1] == "\n":
            found[-1].tail += "\n"
            at += 1
    if fence is not None:
        begin = min(fence.end() + 1, len(text))
        found.append(_code(text, fence, begin, len(text), len(text)))
        found[-1].closed = False
    else:
        found.append(Block(at, len(text)))
    return [b for b in found if b.code or b.end > b.start]


def _code(text: str, fence: re.Match[str], begin: int, end: int, after: int) -> Block:
    return Block(
        begin, end, True, fence[2].strip()[:30], head=text[fence.start() : begin], tail=text[end:after]
    )  # fmt: skip


def runs_of(text: str, start: int, end: int, spans: Sequence[tuple[int, int]]) -> list[list[Any]]:
    """Part of a text as runs `[kind, text]`; an unseen character is `[kind, its escape, itself]`.

    Args:
        text: The whole.
        start: First character of the part.
        end: After its last.
        spans: To mark, in order, not overlapping.
    """
    runs: list[list[Any]] = []
    for a, b, kind in _pieces(start, end, spans):
        at = a
        for match in _UNSEEN.finditer(text, a, b):
            if match.start() > at:
                runs.append([kind, text[at : match.start()]])
            one = match[0]
            runs.append([LEFT_OUT, one] if one == "\r" and text[match.end() : match.end() + 1] == "\n"
                        else [UNSEEN, _escape(one), one])  # fmt: skip
            at = match.end()
        if b > at:
            runs.append([kind, text[at:b]])
    return runs


def _pieces(start: int, end: int, spans: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int, int]]:
    at = start
    for first, last in spans:
        a, b = max(first, at), min(last, end)
        if b <= a:
            continue
        if a > at:
            yield at, a, PLAIN
        yield a, b, MARKED
        at = b
    if end > at:
        yield at, end, PLAIN


def _escape(letter: str) -> str:
    return f"\\u{ord(letter):04x}" if ord(letter) < 0x10000 else f"\\U{ord(letter):08x}"


def seen(text: str) -> list[list[Any]]:
    """A short text as runs."""
    return runs_of(text, 0, len(text), ())


# ---------------------------------------------------------------------- messages


def conversation_data(
    messages: Sequence[Message],
    *,
    tools: Any = None,
    words: Sequence[str] = (),
    marks: Sequence[Mark] = (),
    find: Find | None = None,
) -> dict[str, Any]:
    """What the browser draws: plain data, every text as runs.

    Args:
        messages: As `Dataset.messages` gives them.
        tools: The tools offered.
        words: To mark.
        marks: Further places to mark.
        find: Says of a text where to mark it.
    """
    shown, letters = [], 0
    for number, message in enumerate(messages[:MOST_MESSAGES]):
        if letters >= MOST_LETTERS_IN_ALL:
            break
        text = message["content"]
        spans = find_words(text, words) + [(a, b) for k, a, b in marks if k == number]
        spans += find(text) if find is not None else []
        shown.append(message_data(message, _joined(spans, len(text))))
        letters += min(len(text), MOST_LETTERS)
    return {
        "messages": shown,
        "more": len(messages) - len(shown),
        "marks": sum(m["marks"] for m in shown),
        "tools": None if tools is None else seen(_cut(_pretty(tools))[0]),
    }


def message_data(message: Message, spans: Sequence[tuple[int, int]]) -> dict[str, Any]:
    """One message as plain data."""
    text, lost = _cut(message["content"])
    laid_out = "" if spans or message["role"] != "tool" else _laid_out(text)
    blocks = [Block(0, len(laid_out), True, "JSON, laid out")] if laid_out else blocks_of(text)
    for block in blocks:
        block.runs = _runs_of_block(laid_out or text, block, spans, beside_code=len(blocks) > 1)
    spans = [s for s in spans if s[0] < len(text)]
    others = [p for p in message.get("parts", []) if p.get("type") != "text"]
    calls = [_call(c) for c in message.get("tool_calls", [])]
    lines = sum(_lines((laid_out or text)[b.start : b.end]) for b in blocks) + sum(c["lines"] for c in calls)
    return {
        "role": message["role"] if message["role"] in ROLES else "user",
        "title": ROLES.get(message["role"], "Other"),
        "name": seen(str(message.get("name") or "")[:80]),
        "untrained": message.get("weight") == 0,
        "blocks": [
            {"code": b.code, "language": seen(b.language), "closed": b.closed, "head": b.head, "tail": b.tail,
             "runs": b.runs}
            for b in blocks
        ],
        "original": text if laid_out else None,
        "calls": calls,
        "parts": [_part(p) for p in others],
        "letters": len(message["content"]),
        "lost": lost,
        "marks": len(spans),
        "fold": lines > FOLDED_LINES and not spans,
        "empty": not message["content"] and not calls and not others,
    }  # fmt: skip


def _runs_of_block(text: str, block: Block, spans: Sequence[tuple[int, int]], *, beside_code: bool) -> list[list[Any]]:
    """The runs of a block. Empty lines between text and code are left out: the box of the code sets it apart."""
    if block.code or not beside_code:
        return runs_of(text, block.start, block.end, spans)
    whole = text[block.start : block.end]
    inner = whole.strip("\n")
    if not inner:
        return [[LEFT_OUT, whole]]
    start = block.start + whole.index(inner)
    end = start + len(inner)
    before, after = text[block.start : start], text[end : block.end]
    return [
        *([[LEFT_OUT, before]] if before else []),
        *runs_of(text, start, end, spans),
        *([[LEFT_OUT, after]] if after else []),
    ]


def _lines(text: str) -> int:
    return sum(1 + len(line) // LETTERS_IN_LINE for line in text.split("\n"))


def _joined(spans: list[tuple[int, int]], length: int) -> list[tuple[int, int]]:
    """Spans in order, those that touch or overlap as one, only what lies in the text."""
    found: list[tuple[int, int]] = []
    for a, b in sorted((max(a, 0), min(b, length)) for a, b in spans):
        if b <= a:
            continue
        if found and a <= found[-1][1]:
            found[-1] = (found[-1][0], max(b, found[-1][1]))
        else:
            found.append((a, b))
    return found[:MOST_MARKS]


def _cut(text: str) -> tuple[str, int]:
    return text[:MOST_LETTERS], max(0, len(text) - MOST_LETTERS)


def _pretty(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)


def _laid_out(text: str) -> str:
    """A text that is a JSON object or list, with indents; "" for any other."""
    if text.lstrip()[:1] not in ("{", "["):
        return ""
    try:
        return _pretty(json.loads(text))
    except (ValueError, RecursionError):
        return ""


def _call(call: dict[str, Any]) -> dict[str, Any]:
    """A tool call: the tool's name, its arguments laid out."""
    inner = call.get("function") if isinstance(call.get("function"), dict) else call
    assert isinstance(inner, dict)
    arguments = inner.get("arguments", {k: v for k, v in inner.items() if k not in ("name", "type", "id")})
    text = (_laid_out(arguments) or arguments) if isinstance(arguments, str) else _pretty(arguments)
    text, lost = _cut(text)
    return {"name": seen(str(inner.get("name", ""))[:200]), "runs": seen(text), "lost": lost, "lines": _lines(text)}


def _part(part: dict[str, Any]) -> dict[str, Any]:
    """An image or the like: what it is and its address. It is never loaded: that may tell others who is reading."""
    kind = str(part.get("type", "part"))[:40]
    address = next((a for a in map(part.get, ("image_url", "image", "url", "path", "audio", "video")) if a), None)
    if isinstance(address, dict):
        address = address.get("url") or address.get("path")
    text = address if isinstance(address, str) else json.dumps(part, ensure_ascii=False)
    more = len(text) - MOST_ADDRESS
    return {"kind": seen(kind), "runs": seen(text[:MOST_ADDRESS]), "lost": max(0, more)}
