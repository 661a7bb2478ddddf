"""Errors of servers that speak OpenAI's protocol: what they mean for a request, and for all others. Pure functions."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from curation.core.errors import ModelError
from curation.models.chat.backend import Failed
from curation.models.chat.secrets import scrubbed

LONGEST_WAIT = 600.0
"""Seconds. A server that asks for more is not busy but closed for this key."""

LENGTH = re.compile(
    r"context.?(length|window|size)|maximum context|max_model_len|too many (input |prompt )?tokens|reduce the length"
    r"|(prompt|input|message)s? (is|are) too (long|large)|string_above_max_length|exceeds? the (model|available"
    r"|maximum)"
)
_FILTER = re.compile(
    r"content.?filter|content.?policy|content management|responsible.?ai|moderation|flagged"
    r"|safety system|data_inspection"
)
_QUOTA = re.compile(
    r"insufficient.?(quota|balance|funds|credit)|billing.?(hard|not)|exceeded your current quota|out of credit"
)
_UNKNOWN_MODEL = re.compile(
    r"model.?not.?found|unknown model|invalid model|no such model|model.{0,200}(not exist|not found"
    r"|not available|not loaded)"
)
REJECTS = re.compile(
    r"support|unknown|unrecogni|not permitted|not allowed|invalid|unexpected|grammar|extra inputs|only|must|forbidden"
)
_RETRY_IN = re.compile(r"(?:retry|try again) in (\d+(?:\.\d+)?) ?(ms|s)\b")


@dataclass(frozen=True)
class Told:
    """What a body of an error says.

    Args:
        code: Short words for programs, in lower case.
        message: For people.
    """

    code: str
    message: str

    @property
    def text(self) -> str:
        """Everything, in lower case."""
        return f"{self.code} {self.message}".lower()


def told(body: Any) -> Told:
    """Read the body of an error: OpenAI's form, FastAPI's, or any text; without quotations of what was sent."""
    if isinstance(body, bytes | bytearray):
        try:
            body = json.loads(body)
        except (ValueError, RecursionError):
            body = bytes(body).decode("utf-8", "replace")
    if isinstance(body, list) and len(body) == 1:
        body = body[0]
    if isinstance(body, dict):
        inner = body.get("error", body)
        if isinstance(inner, str):
            return Told("", inner[:2000])
        if isinstance(inner, dict):
            detail = inner.get("detail", inner.get("message", ""))
            if isinstance(detail, list):
                parts = [part for part in detail[:20] if isinstance(part, dict)]
                detail = "; ".join(f"{'.'.join(map(str, _some(p.get('loc'))))}: {p.get('msg')}" for p in parts)
            fields = [inner.get(name) for name in ("code", "type", "param", "status")]
            code = " ".join(str(field)[:200] for field in fields if isinstance(field, str | int))
            return Told(code.lower(), str(detail)[:2000] if isinstance(detail, str) else "")
        return Told("", "")
    return Told("", body[:2000] if isinstance(body, str) and "<html" not in body[:500].lower() else "")


def _some(value: Any) -> list[Any]:
    return value[:10] if isinstance(value, list) else []


def failure(status: int, headers: Mapping[str, str], body: Any, *, model: str, secret: str = "") -> Exception:
    """What an answer that is no reply means.

    Args:
        status: Of HTTP.
        headers: With names in lower case.
        body: Of the answer: parsed JSON, bytes or text.
        model: That was asked.
        secret: Never in the result.

    Returns:
        A ModelError where no request can succeed, a Failed otherwise.
    """
    said = told(body)
    wait = waiting(headers, said.text)
    quote = _quoted(said, secret)
    stop = _closed(status, said, wait, model, quote)
    if stop:
        return stop
    if LENGTH.search(said.text) and status in (400, 413, 422, 500):
        return Failed("longer than the model reads", again=False, unpaid=True)
    if status in (400, 403, 422, 451) and _FILTER.search(said.text):
        return Failed("stopped by the server's content filter", again=False, unpaid=True)
    if status == 413:
        return Failed("longer than the server takes", again=False, unpaid=True)
    busy = status == 429 or (status == 503 and wait is not None)
    if wait is not None and not 0 < wait <= LONGEST_WAIT:
        wait = None  # at once is no pace, and hours for one request are no wait
    if status == 429:
        return Failed("too many requests (429)", wait=wait, throttled=busy, unpaid=True)
    if status in (408, 409, 425) or status >= 500:
        return Failed(f"server error {status}", wait=wait, throttled=busy, unpaid=True)
    detail = f"the server refuses the request ({status}){quote}"
    return Failed(f"request refused ({status})", again=False, unpaid=True, detail=detail)


def _closed(status: int, said: Told, wait: float | None, model: str, quote: str) -> ModelError | None:
    """Errors that every request would meet."""
    if status == 401:
        return ModelError(
            "the server does not accept the key (401)",
            "see whether the connection names the environment variable with this server's key, and what that holds",
        )
    if status == 403 and not _FILTER.search(said.text):
        return ModelError(f"the server refuses access (403){quote}", "see what the key may do, and from where")
    if status == 402 or (status == 429 and _exhausted(said, wait)):
        return ModelError(
            f"the quota or balance of the key is used up ({status})",
            "fill it up, then run again: replies that came are kept and not paid for twice",
        )
    if status in (429, 503) and wait is not None and wait > LONGEST_WAIT:
        return ModelError(
            f"the server wants no requests for {wait / 60:,.0f} minutes ({status})",
            "run again then: replies that came are kept and not paid for twice",
        )
    if status in (400, 404) and _UNKNOWN_MODEL.search(said.text):
        return ModelError(
            f"the server has no model '{scrubbed(model)[:200]}'", "write the model's name as the server lists it"
        )
    if status in (404, 405, 410):
        return ModelError(
            f"the address leads to no chat model ({status}){quote}",
            "most servers want /v1 at the end of the address; see also the name of the model",
        )
    if 300 <= status < 400:
        return ModelError(
            f"the server sends requests on to another address ({status}), which is not followed",
            "write the final address into the connection, usually https in place of http",
        )
    return None


def _exhausted(said: Told, wait: float | None) -> bool:
    if re.search(r"insufficient.?quota|billing_hard_limit|billing_not_active", said.code):
        return True
    return (
        wait is None and bool(_QUOTA.search(said.text)) and not re.search(r"per (minute|second|hour)|rate", said.text)
    )


def _quoted(said: Told, secret: str) -> str:
    text = scrubbed(said.message, secret)
    return f": {text[:300]}" if text else ""


def waiting(headers: Mapping[str, str], text: str = "", now: float | None = None) -> float | None:
    """Seconds that a server asks to wait; None = it does not say.

    It may say so as retry-after-ms, as Retry-After in seconds or as a date, or as "retry in 3s" in its message.

    Args:
        headers: With names in lower case.
        text: Of the message, in lower case.
        now: Seconds since 1970, for dates.
    """
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        value = headers.get(name, "").strip()
        try:
            seconds = float(value) / unit
        except ValueError:
            if name == "retry-after" and value:
                try:
                    seconds = parsedate_to_datetime(value).timestamp() - (time.time() if now is None else now)
                except (ValueError, TypeError, OverflowError, OSError):
                    continue
                return max(seconds, 0.0)
            continue
        if math.isfinite(seconds) and seconds >= 0:
            return seconds
    found = _RETRY_IN.search(text)
    return float(found[1]) / (1000.0 if found[2] == "ms" else 1.0) if found else None
