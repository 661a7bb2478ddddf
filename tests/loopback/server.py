"""The server: HTTP/1.1 with kept connections over asyncio, one process, a few thousand replies a second."""

from __future__ import annotations

import asyncio
import math
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

import orjson

from tests.loopback.faults import BODIES, ENDS, ERRORS, JSON, MESSAGES, TALKATIVE, Response, error
from tests.loopback.judges import TOKEN, Asked, Judge, Said, judge_of
from tests.loopback.script import Rule, Script, drawn

REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 429: "Too Many Requests"}
PER_TOKEN = 4  # characters


class Counts:
    """What has happened so far."""

    def __init__(self) -> None:
        self.calls = 0
        self.replies = 0  # that went out whole, with something said
        self.abandoned = 0  # the caller went away first
        self.unauthorized = 0
        self.early = 0  # sent again before the time that Retry-After asked for
        self.in_flight = 0
        self.peak = 0
        self.tokens_in = 0
        self.tokens_out = 0
        self.connections = 0
        self.first = 0.0
        self.last = 0.0
        self.faults: Counter[str] = Counter()
        self.seen: Counter[str] = Counter()
        self.replied: Counter[str] = Counter()
        self.not_before: dict[str, float] = {}

    def facts(self, texts: bool) -> dict[str, Any]:
        """As JSON."""
        plain = {k: v for k, v in self.__dict__.items() if k not in ("faults", "seen", "replied", "not_before")}
        most = {"texts": len(self.seen), "most_seen": max(self.seen.values(), default=0)}
        most["most_replied"] = max(self.replied.values(), default=0)
        listed = {"seen": dict(self.seen), "replied": dict(self.replied)} if texts else {}
        return {**plain, "faults": dict(self.faults), **most, **listed}


class Server:
    """Answers by a script, and counts.

    Args:
        script: What to do.
    """

    def __init__(self, script: Script) -> None:
        self.counts = Counts()
        self.waiting: deque[Callable[[], None]] = deque()
        self.serving = 0
        self.told(script)

    def told(self, script: Script) -> None:
        """Do as another script says from now on; counts stay."""
        self.script = script
        self.judge: Judge = judge_of(script.judge, script.planted)

    def enter(self, serve: Callable[[], None]) -> bool:
        """Serve now, or when there is room; False: the server takes no more."""
        if self.script.capacity and self.serving >= self.script.capacity:
            if self.script.over == "429":
                return False
            self.waiting.append(serve)
            return True
        self.serving += 1
        serve()
        return True

    def leave(self) -> None:
        """One request is over: the next one in the queue is served."""
        self.serving -= 1
        if self.waiting:
            self.serving += 1
            self.waiting.popleft()()

    # ----------------------------------------------------------------- answers

    def asked(self, body: dict[str, Any], authorization: str) -> Asked | Response:
        """The request, or what is wrong with it."""
        script = self.script
        messages = [(str(m.get("role")), _content(m.get("content"))) for m in body.get("messages") or []]
        if not messages:
            return error(400, "messages must not be empty", "invalid_request_error", None, "messages")
        if script.models and body.get("model") not in script.models:
            return error(
                404, f"The model `{body.get('model')}` does not exist.", "invalid_request_error", "model_not_found",
                "model",
            )  # fmt: skip
        if body.get("stream"):
            return error(400, "stream is not supported here", "invalid_request_error", None, "stream")
        text = "\n".join(f"{role}: {said}" for role, said in messages)
        if script.limit and len(text) / PER_TOKEN > script.limit:
            return error(
                400, f"This model's maximum context length is {script.limit} tokens.", "invalid_request_error",
                "context_length_exceeded", "messages",
            )  # fmt: skip
        schema = _schema(body.get("response_format"))
        kind = (body.get("response_format") or {}).get("type")
        if kind in ("json_schema", "json_object") and (
            script.schema == "refuse" or (script.schema == "object" and kind == "json_schema")
        ):
            return error(
                400, f"response_format '{kind}' is not supported", "invalid_request_error", None, "response_format"
            )
        wanted = int(body.get("top_logprobs") or 0) if body.get("logprobs") else 0
        if body.get("logprobs") and script.logprobs == "refuse":
            return error(400, "logprobs is not supported by this model", "invalid_request_error", None, "logprobs")
        return Asked(
            messages, text, self.counts.seen[text], None if script.schema == "ignore" else schema,
            0 if script.logprobs == "ignore" else max(wanted, int(bool(body.get("logprobs")))), body,
            authorization,
        )  # fmt: skip

    def response(self, asked: Asked, rule: Rule | None) -> Response:
        """What goes out."""
        fault = rule.fault if rule else ""
        if fault in ERRORS:
            return ERRORS[fault](rule)
        if TALKATIVE.get(fault, 200) != 200:
            return error(TALKATIVE[fault], f"You sent '{asked.authorization}'.", "auth", None)
        if fault in BODIES:
            return 200, JSON, BODIES[fault]
        if fault == "html":
            return 200, {"content-type": "text/html"}, b"<!DOCTYPE html><html><body>Please sign in</body></html>"
        said = Said(rule.text) if rule and fault == "says" else self.judge(asked)
        said = Said(said) if isinstance(said, str) else said
        if fault == "tells-key":
            said = Said(f"{said.text}\n{asked.authorization}")
        content = said.text
        allowed = asked.body.get("max_completion_tokens") or asked.body.get("max_tokens") or 10**9
        finish = "stop"
        if len(content) > allowed * PER_TOKEN:
            content, finish = content[: allowed * PER_TOKEN], "length"
        if fault in ENDS:
            content, finish = ("" if fault == "filter" else content[: len(content) // 2]), ENDS[fault]
        message = {"role": "assistant", "content": content, **MESSAGES.get(fault, {})}
        choice: dict[str, Any] = {"index": 0, "message": message, "finish_reason": finish}
        choice["logprobs"] = _logprobs(said, content, asked.logprobs) if asked.logprobs else None
        tokens_in = math.ceil(len(asked.text) / PER_TOKEN) + 3 * len(asked.messages)
        tokens_out = math.ceil(len(content) / PER_TOKEN)
        self.counts.tokens_in += tokens_in
        self.counts.tokens_out += tokens_out
        reply: dict[str, Any] = {
            "id": f"chatcmpl-{self.counts.calls}", "object": "chat.completion", "created": int(time.time()),
            "model": asked.body.get("model"), "choices": [choice],
        }  # fmt: skip
        if self.script.usage:
            usage = {"prompt_tokens": tokens_in, "completion_tokens": tokens_out}
            reply["usage"] = {**usage, "total_tokens": tokens_in + tokens_out}
        return 200, JSON, orjson.dumps(reply)


class Connection(asyncio.Protocol):
    """One connection; requests on it are answered one after the other."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.buffer = b""
        self.busy = False
        self.gone: Callable[[], None] | None = None  # what to do when the caller goes away amid a request

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.server.counts.connections += 1

    def connection_lost(self, exc: Exception | None) -> None:
        if self.gone:
            self.gone()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if not self.busy:
            self.next()

    def next(self) -> None:
        """Take a request from the buffer, if a whole one is there."""
        head, end, rest = self.buffer.partition(b"\r\n\r\n")
        if not end:
            return
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
        size = int(headers.get("content-length", 0))
        if headers.get("expect", "").lower() == "100-continue" and len(rest) < size:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if len(rest) < size:
            return
        body, self.buffer = rest[:size], rest[size:]
        method, path, *_ = first.split(" ")
        self.busy = True
        path, _, query = path.partition("?")
        if path.rstrip("/").endswith("/chat/completions") and method == "POST":
            self.chat(headers, body)
        else:
            self.send(self.other(method, path.rstrip("/"), query, headers, body))

    def other(self, method: str, path: str, query: str, headers: dict[str, str], body: bytes) -> Response:
        """All that is no chat: models, counts, another script."""
        server = self.server
        if path.endswith("/models"):
            if not self.known(headers):
                return ERRORS["401"](None)
            names = server.script.models or ("loopback",)
            models = [{"id": name, "object": "model", "created": 0, "owned_by": "loopback"} for name in names]
            return 200, JSON, orjson.dumps({"object": "list", "data": models})
        if path == "/stats":
            return 200, JSON, orjson.dumps(server.counts.facts("texts=1" in query))
        if path == "/reset" and method == "POST":
            flying = server.counts.in_flight
            server.counts = Counts()
            server.counts.in_flight = flying
            return 200, JSON, b"{}"
        if path == "/script" and method == "POST":
            try:
                server.told(Script.of(orjson.loads(body)))
            except (ValueError, TypeError, OSError) as problem:
                return error(400, str(problem), "script", None)
            return 200, JSON, b"{}"
        return error(404, f"Unknown request URL: {method} {path}", "invalid_request_error", "unknown_url")

    def known(self, headers: dict[str, str]) -> bool:
        """Whether the right secret came."""
        return not self.server.script.key or headers.get("authorization") == f"Bearer {self.server.script.key}"

    def chat(self, headers: dict[str, str], body: bytes) -> None:
        """Count, and serve when there is room."""
        counts, script = self.server.counts, self.server.script
        counts.calls += 1
        counts.last = time.time()
        counts.first = counts.first or counts.last
        if not self.known(headers):
            counts.unauthorized += 1
            return self.send(ERRORS["401"](None))
        try:
            given = orjson.loads(body)
        except ValueError:
            return self.send(error(400, "The body is no JSON.", "invalid_request_error", None))
        asked = self.server.asked(given, headers.get("authorization", ""))
        if not isinstance(asked, Asked):
            return self.send(asked)
        rule = script.rule(asked.text, asked.seen, counts.calls - 1)
        counts.seen[asked.text] += 1
        counts.early += time.monotonic() < counts.not_before.get(asked.text, 0.0)
        if rule:
            counts.faults[rule.fault] += 1
        exchange = Exchange(self, asked, rule)
        self.gone = exchange.lost
        if not self.server.enter(exchange.serve):
            exchange.end()
            counts.faults["over capacity"] += 1
            self.send(ERRORS["429"](Rule("429")))
        return None

    def trickle(self, data: bytes, pieces: int = 5, every: float = 0.02) -> None:
        """Send in pieces."""
        if not data or self.transport.is_closing():
            self.busy = False
            return self.next()
        size = max(1, len(data) // pieces)
        self.transport.write(data[:size])
        asyncio.get_running_loop().call_later(every, lambda: self.trickle(data[size:], max(1, pieces - 1), every))
        return None

    def send(self, response: Response) -> None:
        """Send, and take the next request."""
        self.transport.write(_written(response))
        self.busy = False
        if self.buffer:
            asyncio.get_running_loop().call_soon(self.next)


class Exchange:
    """One request from the time it is taken to the time its reply went out, or its caller away."""

    def __init__(self, connection: Connection, asked: Asked, rule: Rule | None) -> None:
        self.connection, self.server, self.asked, self.rule = connection, connection.server, asked, rule
        self.fault = rule.fault if rule else ""
        self.entered = self.over = self.alone = False
        self.timer: asyncio.TimerHandle | None = None
        counts = self.server.counts
        counts.in_flight += 1
        counts.peak = max(counts.peak, counts.in_flight)

    def end(self) -> None:
        """Make room."""
        if self.over:
            return
        self.over, self.connection.gone = True, None
        self.server.counts.in_flight -= 1
        if self.entered:
            self.server.leave()

    def lost(self) -> None:
        """The caller went away. One that waits in the queue is found out when its turn comes."""
        self.alone = True
        self.server.counts.abandoned += 1
        if self.timer:
            self.timer.cancel()
            self.end()

    def serve(self) -> None:
        """There is room."""
        self.entered = True
        if self.alone:
            return self.end()
        if self.fault == "closed":
            self.connection.transport.abort()
            return self.end()
        script, loop = self.server.script, asyncio.get_running_loop()
        wait = script.latency
        wait += script.jitter * drawn(self.asked.text, self.asked.seen) if script.jitter else 0.0
        wait += self.rule.seconds if self.rule and self.fault == "slow" else 0.0
        if self.fault == "never":
            self.timer = loop.call_later(10**6, self.end)
        elif wait > 0:
            self.timer = loop.call_later(wait, self.answer)
        else:
            self.answer()
        return None

    def answer(self) -> None:
        """Send what the script says."""
        try:
            response = self.server.response(self.asked, self.rule)
        except Exception as problem:  # noqa: BLE001 - a judge of a test may have a bug
            traceback.print_exc()
            response = error(500, f"the judge failed: {problem!r}", "judge", None)
            self.server.counts.faults["judge failed"] += 1
        self.end()
        if "retry-after" in response[1]:
            self.server.counts.not_before[self.asked.text] = time.monotonic() + float(response[1]["retry-after"])
        if response[0] == 200 and self.fault in ("", "slow", "says", "trickle", "tells-key"):
            self.server.counts.replies += 1
            self.server.counts.replied[self.asked.text] += 1
        connection, data = self.connection, _written(response)
        if self.fault == "cut":
            connection.transport.write(data[: len(data) - len(response[2]) // 2 - 1])
            connection.transport.close()
        elif self.fault == "trickle":
            connection.trickle(data)
        else:
            connection.send(response)


def _written(response: Response) -> bytes:
    status, headers, body = response
    lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Status')}", *(f"{k}: {v}" for k, v in headers.items())]
    return ("\r\n".join([*lines, f"content-length: {len(body)}"]) + "\r\n\r\n").encode("latin-1") + body


def _content(content: Any) -> str:
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _schema(wanted: dict[str, Any] | None) -> dict[str, Any] | None:
    kind = (wanted or {}).get("type")
    if kind == "json_schema":
        return dict((wanted or {})["json_schema"].get("schema", {}))
    return {} if kind == "json_object" else None


def _logprobs(said: Said, content: str, wanted: int) -> dict[str, Any]:
    tokens = TOKEN.findall(content)
    first = said.first or {}
    listed = []
    for place, token in enumerate(tokens):
        around = first if place == 0 and first else {token: 0.98, "\n": 0.02}
        ranked = sorted(around.items(), key=lambda pair: -pair[1])
        alternatives = [_token(text, p) for text, p in ranked[:wanted] if p > 0]
        listed.append({**_token(token, around.get(token, 1e-6) or 1e-6), "top_logprobs": alternatives})
    return {"content": listed, "refusal": None}


def _token(text: str, probability: float) -> dict[str, Any]:
    return {"token": text, "logprob": math.log(probability), "bytes": list(text.encode("utf-8", "replace"))}
