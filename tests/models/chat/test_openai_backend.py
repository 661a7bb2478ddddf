"""What goes over the wire, and what does not: headers, redirects, proxies, the key."""

import gzip
import io
import json
import threading
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from curation.core.errors import ModelError
from curation.core.runtime import Runtime
from curation.models.chat import openai_backend
from curation.models.chat.client import Policy, ask_all
from curation.models.chat.connections import Connection
from curation.models.chat.types import Request

SECRET = "no-beginning-that-is-known-9183"
QUICK = Policy(backoff=0.002, longest=0.01)
REPLY = {"choices": [{"message": {"content": "5"}, "finish_reason": "stop"}]}


@pytest.fixture
def web():
    """Start servers that answer by a function (path, headers, body) → (status, headers, body) and keep what came."""
    running = []

    def start(answer=lambda *_: (200, {}, json.dumps(REPLY).encode())):
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                got.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                status, headers, data = answer(*got[-1])
                self.send_response(status)
                for name, value in {"content-length": str(len(data)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST  # noqa: N815

            def log_message(self, *_):
                pass

        got = []

        class Server(ThreadingHTTPServer):
            request_queue_size = 128  # of five, the usual, some connections would be refused

        server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        running.append(server)
        return f"http://127.0.0.1:{server.server_port}/v1", got

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


@pytest.fixture
def surprises(monkeypatch):
    """An environment full of things that are meant for other programs."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-another-server-1234")
    monkeypatch.setenv("OPENAI_ADMIN_KEY", "sk-admin-of-another-1234")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-private")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "project-private")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Private: yes\nAuthorization: Bearer sk-custom-private-1234")


def ask(address, count=1, **fields):
    connection = Connection(**{"name": "judge", "address": address, "model": "m", "timeout": 5, **fields})
    rows = [Request((("user", f"row {n}"),), 10) for n in range(count)]
    return ask_all(rows, connection, Runtime(), policy=QUICK)


def test_the_connection_alone_says_what_is_sent_where(web, surprises, monkeypatch):
    address, got = web()
    assert ask(address)[0].reply.text == "5"
    monkeypatch.setenv("H1_BACKEND_KEY", SECRET)
    assert ask(address, key="H1_BACKEND_KEY")[0].reply.text == "5"
    (path, bare, body), (_, keyed, _) = got
    assert path == "/v1/chat/completions"
    assert json.loads(body) == {
        "model": "m", "messages": [{"role": "user", "content": "row 0"}], "max_tokens": 10, "temperature": 0.0,
    }  # fmt: skip
    assert "authorization" not in bare and keyed["authorization"] == f"Bearer {SECRET}"
    assert "private" not in str(got).lower() and "another" not in str(got)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed(web, monkeypatch, status):
    monkeypatch.setenv("H1_BACKEND_KEY", SECRET)
    elsewhere, stolen = web()
    address, got = web(lambda *_: (status, {"location": f"{elsewhere}/chat/completions?k={SECRET}"}, b""))
    with pytest.raises(ModelError, match="another address") as caught:
        ask(address, key="H1_BACKEND_KEY")
    assert stolen == [] and len(got) == 1 and SECRET not in str(caught.value)


def repeating(status):
    """A server that puts the key into everything that it says."""

    def answer(path, headers, body):
        said = headers.get("authorization", "")
        message = f"I saw {said} and {said.removeprefix('Bearer ')}"
        error = {"error": {"message": message, "code": message, "type": message, "param": message}}
        return (
            status,
            {"x-request-id": message, "retry-after": message, "www-authenticate": message},
            json.dumps(error).encode(),
        )

    return answer


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 408, 409, 413, 418, 422, 429, 500, 503])
def test_no_error_holds_the_key(web, monkeypatch, caplog, status):
    monkeypatch.setenv("H1_BACKEND_KEY", SECRET)
    caplog.set_level("DEBUG")
    address, got = web(repeating(status))
    told = []
    try:
        told.append(repr(ask(address, 3, key="H1_BACKEND_KEY")))
    except ModelError as error:
        told += [str(error), repr(error), repr(vars(error)), "".join(traceback.format_exception(error))]
        link = error
        while link is not None:
            told.append(repr(link) + repr(getattr(link, "__dict__", "")))
            link = link.__cause__ or link.__context__
    assert SECRET in got[0][1]["authorization"]
    assert told and SECRET not in "\n".join(told)
    assert SECRET not in caplog.text


def test_no_traceback_with_local_variables_holds_the_key(web, monkeypatch):
    from rich.console import Console
    from rich.traceback import Traceback

    monkeypatch.setenv("H1_BACKEND_KEY", SECRET)
    address = web(repeating(401))[0]
    try:
        ask(address, key="H1_BACKEND_KEY")
    except ModelError as error:
        console = Console(record=True, width=400, file=io.StringIO())
        shown = Traceback.from_exception(
            type(error), error, error.__traceback__, show_locals=True, locals_max_string=10_000
        )
        console.print(shown)
        assert SECRET not in console.export_text()
    else:
        raise AssertionError("it must end")


def test_what_a_server_does_not_take_is_found_out_once(web):
    def answer(path, headers, body):
        sent = json.loads(body)
        for word in ("logprobs", "response_format", "max_tokens"):
            if word in sent:
                text = {"max_tokens": "use max_completion_tokens"}.get(word, f"{word} is not supported")
                return 400, {}, json.dumps({"error": {"message": text}}).encode()
        return 200, {}, json.dumps(REPLY).encode()

    address, got = web(answer)
    connection = Connection(name="judge", address=address, model="picky")
    asked = [Request((("user", f"row {n}"),), 10, schema="{}", logprobs=5) for n in range(20)]
    runtime = Runtime()
    assert all(a.reply for a in ask_all(asked, connection, runtime, policy=QUICK))
    assert len(got) == 24, "logprobs, two kinds of response_format, the name of the limit"
    assert runtime.meter.calls == 24 and runtime.meter.retries == 4
    more = [Request((("user", f"more {n}"),), 10, schema="{}", logprobs=5) for n in range(5)]
    ask_all(more, connection, Runtime(), policy=QUICK)
    assert len(got) == 29


@pytest.mark.parametrize("packed", [False, True])
def test_an_endless_body_is_not_read_to_its_end(web, monkeypatch, packed):
    monkeypatch.setattr(openai_backend, "MOST_BYTES", 100_000)
    data = json.dumps({"choices": [{"message": {"content": "a" * 5_000_000}}]}).encode()
    address, got = web(
        lambda *_: (200, {"content-encoding": "gzip"}, gzip.compress(data)) if packed else (200, {}, data)
    )
    assert ask(address)[0].reason == "reply is too large" and len(got) == 1
    monkeypatch.setattr(openai_backend, "MOST_BYTES", 6_000_000)
    assert len(ask(address)[0].reply.text) == 5_000_000


def test_a_reply_that_dribbles_in_is_too_late(web):
    import time

    def answer(path, headers, body):
        time.sleep(1.6)
        return 200, {}, json.dumps(REPLY).encode()

    address, got = web(answer)
    answers = ask_all(
        [Request((("user", "x"),))], Connection(name="j", address=address, model="m", timeout=1), Runtime(),
        policy=Policy(tries=2, backoff=0.001),
    )  # fmt: skip
    assert answers[0].reason == "no reply in 1 s after 2 tries" and len(got) == 2
