"""Numbers for people, and text that must not act as Markdown."""

from __future__ import annotations

import re
import time

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#$~|!])")
_DIRECTIVE = re.compile(r":(?=[\w+-])")  # :smile: and :red[…]
_TURNING = {c: f"\\u{c:04x}" for c in (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F)}
_LINE_START = re.compile(r"^(\s*)([-+=]|\d+[.)])", re.MULTILINE)


def plain(text: str) -> str:
    """Text for a label, a metric, a caption or an error that shows letter by letter in Streamlit's Markdown.

    Longer dataset text belongs in `st.text` or `st.code`, which read no Markdown at all.
    """
    text = _DIRECTIVE.sub(r"\\:", _SPECIAL.sub(r"\\\1", visible(text)))
    return _LINE_START.sub(lambda m: f"{m[1]}{m[2][:-1]}\\{m[2][-1]}", text)


def prose(text: str) -> str:
    """Our own sentences, such as a docstring: as `plain`, but what stands in backticks is shown as code."""
    parts = re.split(r"(`[^`\n]+`)", text)
    return "".join(p if i % 2 else plain(p) for i, p in enumerate(parts))


def visible(text: str) -> str:
    """The same text with the characters that turn its direction around written out, so that they turn nothing."""
    return text.translate(_TURNING)


def one_line(text: str, limit: int = 120) -> str:
    """The beginning of a text on one line."""
    text = visible(" ".join(text[: 4 * limit].split()))
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def number(value: float) -> str:
    """1,234 for whole numbers, four digits otherwise, a dash for what is unknown."""
    if value != value:  # NaN
        return "–"
    return f"{value:,.0f}" if float(value).is_integer() and abs(value) < 1e15 else f"{value:.4g}"


def percent(part: float, whole: float) -> str:
    """One share in per cent; a dash when there is no whole."""
    return f"{100 * part / whole:.1f} %" if whole else "–"


def money(amount: float, currency: str) -> str:
    """An amount with as many digits as it needs."""
    digits = 2 if amount >= 1 or amount == 0 else 4 if amount >= 0.001 else 6
    return f"{amount:,.{digits}f} {currency}"


def size(n: float) -> str:
    """Bytes with a unit."""
    for unit in ("B", "KB", "MB", "GB"):
        if n < 1000:
            return f"{n:.0f} {unit}" if unit == "B" else f"{n:.1f} {unit}"
        n /= 1000
    return f"{n:.1f} TB"


def duration(seconds: float | None) -> str:
    """Seconds as 3 s, 2 min 5 s or 1 h 4 min; a dash when unknown."""
    if seconds is None or seconds != seconds:
        return "–"
    if seconds < 10:
        return f"{seconds:.1f} s" if seconds >= 0.1 else "under 0.1 s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def when(moment: float) -> str:
    """A moment (seconds since 1970) as day and time, the same whenever it is asked for.

    The label of a choice must not change with time: Streamlit knows a chosen option by its label, and drops it when
    there is no such label any more.
    """
    return time.strftime("%d %b %H:%M", time.localtime(moment))


def ago(moment: float, now: float | None = None) -> str:
    """How long ago a moment (seconds since 1970) was."""
    seconds = max((time.time() if now is None else now) - moment, 0)
    if seconds < 60:
        return "just now"
    for length, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= length:
            count = int(seconds // length)
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"
