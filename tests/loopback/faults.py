"""What can go wrong, as (status, headers, body) or as something done to the connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

Response = tuple[int, dict[str, str], bytes]

JSON = {"content-type": "application/json"}


def error(status: int, message: str, kind: str, code: str | None, param: str | None = None, **headers: str) -> Response:
    """An error in the form of the protocol."""
    body = {"error": {"message": message, "type": kind, "param": param, "code": code}}
    return status, {**JSON, **headers}, orjson.dumps(body)


def _busy(rule: Any) -> Response:
    headers = {} if rule.retry_after is None else {"retry-after": f"{rule.retry_after:g}"}
    return error(429, "Too many requests, slow down.", "requests", "rate_limit_exceeded", **headers)


def _unavailable(rule: Any) -> Response:
    headers = {} if rule.retry_after is None else {"retry-after": f"{rule.retry_after:g}"}
    return error(503, "The engine is overloaded.", "server_error", None, **headers)


ERRORS: dict[str, Callable[[Any], Response]] = {
    "429": _busy,
    "503": _unavailable,
    "408": lambda _: error(408, "Request timed out.", "server_error", None),
    "409": lambda _: error(409, "Conflict, try again.", "server_error", None),
    "500": lambda _: error(500, "The server had an error.", "server_error", None),
    "502": lambda _: (502, {"content-type": "text/html"}, b"<html><body>Bad gateway</body></html>"),
    "401": lambda _: error(401, "Incorrect API key provided: sk-****abcd.", "invalid_request_error", "invalid_api_key"),
    "403": lambda _: error(403, "Your region is not supported.", "request_forbidden", "unsupported_country"),
    "404": lambda _: error(404, "The model does not exist.", "invalid_request_error", "model_not_found", "model"),
    "quota": lambda _: error(429, "You exceeded your current quota.", "insufficient_quota", "insufficient_quota"),
    "context": lambda _: error(
        400, "This model's maximum context length is 4096 tokens.", "invalid_request_error",
        "context_length_exceeded", "messages",
    ),
    "filter-400": lambda _: error(400, "The prompt was filtered.", "invalid_request_error", "content_filter", "prompt"),
    "400": lambda _: error(400, "Something is wrong with the request.", "invalid_request_error", None),
    "422": lambda _: error(422, "Unprocessable.", "invalid_request_error", None),
}  # fmt: skip
"""Statuses other than 200."""

BODIES: dict[str, bytes] = {
    "invalid-json": b'{"id": "chatcmpl-1", "choices": [{"index": 0, "mess',
    "empty-body": b"",
    "json-null": b"null",
    "json-list": b"[]",
    "no-choices": b'{"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m", "choices": []}',
    "bad-utf8": b'{"id": "chatcmpl-1", "choices": [{"index": 0, "message": {"content": "\xff\xfe"}}]}',
}
"""Status 200 and a body that is no reply."""

MESSAGES: dict[str, dict[str, Any]] = {
    "empty": {"content": ""},
    "null": {"content": None},
    "wrong-type": {"content": 5},
    "wrong-list": {"content": [{"type": "text"}]},
    "refusal": {"content": None, "refusal": "I cannot help with that."},
}
"""Status 200 and a message of this form in an otherwise proper reply."""

ENDS: dict[str, str] = {"filter": "content_filter", "length": "length"}
"""Status 200, and the reply ended for this reason: with nothing, or in the middle."""

CONNECTION = ("slow", "never", "closed", "cut", "html", "says", "trickle")
"""Done by the server: a late reply, none, a connection closed before or amid the reply, a page of a proxy with status
200, a text of the rule's own, and a body sent in pieces."""

TALKATIVE = {"tells-key": 200, "tells-key-400": 400, "tells-key-401": 401, "tells-key-500": 500}
"""The server repeats the secret it was sent: in a reply, or in the message of an error."""

FAULTS = {*ERRORS, *BODIES, *MESSAGES, *ENDS, *CONNECTION, *TALKATIVE}
