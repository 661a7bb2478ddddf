"""Requests to a server that speaks OpenAI's protocol, through the `openai` client. Retries are the caller's."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from curation.core.errors import ModelError
from curation.models.chat.backend import Failed
from curation.models.chat.connections import Connection, is_loopback
from curation.models.chat.refusals import failure, told
from curation.models.chat.types import Reply, Request
from curation.models.chat.wire import Abilities, body_of, lesser, parsed, reply_of

_LOGGERS = ("openai", "httpx", "httpx2", "httpcore", "httpcore2")

_LEARNT: dict[tuple[str, str, str], Abilities] = {}
"""What servers take, by endpoint, model and what the connection wants: found out once, remembered in this process."""


MOST_BYTES = 64 << 20
"""Of an answer; a reply with the alternatives of thousands of tokens has some millions."""

_POOL = 16
"""Requests that share a client: what a client does for each request grows with its open connections."""


@dataclass
class _Pool:
    """A client of the package openai, and how many requests it has under way."""

    client: Any
    busy: int = 0


def first_abilities(connection: Connection) -> Abilities:
    """What a server is believed to take before anything is known about it.

    The limit is called max_tokens, which every server knows; some would ignore the newer name and write without end.
    """
    hosted = urlsplit(connection.endpoint).hostname == "api.openai.com"
    wanted = "schema" if connection.structured == "auto" else connection.structured
    return Abilities(structured=wanted, limit="max_completion_tokens" if hosted else "max_tokens")


class _TooLarge(Exception):  # noqa: N818 - what happened to one request
    """An answer without end."""


class OpenAIBackend:
    """One server and model.

    Nothing but the connection decides what is sent where: the client's own environment variables (organisation,
    project, headers) are not read, redirects are not followed, and proxies of the environment are not used for this
    machine. Nothing that is raised holds the key, an answer's headers or a request.

    Args:
        connection: Of kind "openai".
        fresh: Forget what was learnt about the server.

    Raises:
        CurationError: if the key is not in the environment.
    """

    def __init__(self, connection: Connection, *, fresh: bool = False) -> None:
        import openai

        self.limit = connection.concurrency
        self._connection = connection
        self._place = (connection.endpoint, connection.model, connection.structured)
        if fresh:
            _LEARNT.pop(self._place, None)
        self._first = first_abilities(connection)
        self._secret = connection.secret()
        # without a key no header at all is sent: some servers refuse an empty one
        self._extra: dict[str, Any] = {} if self._secret else {"extra_headers": {"Authorization": openai.Omit()}}
        self._errors = openai
        self._pools: list[_Pool] = []
        for name in _LOGGERS:  # what they write when somebody turns logs on holds headers and rows
            logging.getLogger(name).setLevel(logging.WARNING)

    @property
    def abilities(self) -> Abilities:
        """What the server takes, as far as is known."""
        return _LEARNT.get(self._place) or self._first

    @property
    def given_up(self) -> tuple[str, ...]:
        """What the server turned out not to take, in words."""
        return self.abilities.given_up(self._first.structured)

    async def send(self, request: Request) -> Reply:
        """Answer one request.

        Raises:
            Failed: this time, or for this request.
            ModelError: no request can succeed.
        """
        abilities = self.abilities
        body = body_of(request, self._connection.model, abilities)
        begun = time.monotonic()
        found = await self._answer(body, abilities)
        if isinstance(found, Exception):
            raise found
        return reply_of(found, request, time.monotonic() - begun, self._secret)

    async def models(self) -> list[str]:
        """Names of the models that the server lists, in its order; costs nothing.

        Raises:
            Failed: if it does not list them.
            ModelError: if it does not accept the key.
        """
        found = await self._tried(self._pool().client.models.with_raw_response.list(**self._extra))
        if isinstance(found, Exception):
            raise found
        listed = told_models(found)
        if listed is None:
            raise Failed("the server lists no models", again=False)
        return listed

    async def close(self) -> None:
        """Close the connections."""
        for pool in self._pools:
            await pool.client.close()

    async def _answer(self, body: dict[str, Any], abilities: Abilities) -> bytes | Exception:
        pool = self._pool()
        pool.busy += 1
        try:
            # as extra_body: the client's walk through typed parameters would cost a third of a call
            call = pool.client.chat.completions.with_raw_response.create(
                model=self._connection.model, messages=[], extra_body=body, **self._extra
            )
            return await self._tried(call, body, abilities)
        finally:
            pool.busy -= 1

    def _pool(self) -> _Pool:
        """The first pool with room, made when it is needed."""
        for pool in self._pools:
            if pool.busy < _POOL:
                return pool
        self._pools.append(_Pool(self._open()))
        return self._pools[-1]

    def _open(self) -> Any:
        openai, connection = self._errors, self._connection
        client = openai.AsyncOpenAI(
            api_key=self._secret,
            admin_api_key="",
            organization="",
            project="",
            webhook_secret="",
            base_url=connection.endpoint,
            timeout=openai.Timeout(connection.timeout, connect=min(10.0, connection.timeout), pool=None),
            max_retries=0,
            http_client=openai.DefaultAsyncHttpxClient(
                follow_redirects=False, trust_env=not is_loopback(connection), event_hooks={"response": [_bounded]}
            ),
            _enforce_credentials=False,
        )
        client.organization = client.project = None
        client._custom_headers = {}  # those of OPENAI_CUSTOM_HEADERS
        return client

    async def _tried(
        self, call: Any, body: dict[str, Any] | None = None, abilities: Abilities | None = None
    ) -> bytes | Exception:
        """The bytes of an answer, or what went wrong.

        Errors of the client hold the request and with it the key: they end here, and what is raised later has no link
        to them.
        """
        try:
            async with asyncio.timeout(self._connection.timeout):
                raw = await call
            data: bytes = raw.http_response.content
            return data
        except (TimeoutError, self._errors.APITimeoutError) as error:
            late = type(error.__cause__).__name__ == "ConnectTimeout"
            return self._unreachable() if late else Failed(f"no reply in {self._connection.timeout:g} s")
        except self._errors.APIStatusError as error:
            return self._status(
                error.status_code, dict(error.response.headers), error.response.content, body, abilities
            )
        except _TooLarge:
            return Failed("reply is too large", again=False)
        except (self._errors.OpenAIError, OSError, ValueError) as error:
            cause = error.__cause__ or error
            if "CERTIFICATE_VERIFY_FAILED" in str(cause):
                return ModelError(
                    "the certificate of the server cannot be verified",
                    "see the address; for a certificate of your own name it in SSL_CERT_FILE",
                )
            if type(cause).__name__ in ("ConnectError", "ProxyError", "ConnectionRefusedError"):
                return self._unreachable()
            return Failed("broken connection")

    def _status(
        self, status: int, headers: dict[str, str], content: bytes, body: dict[str, Any] | None, sent: Abilities | None
    ) -> Exception:
        said = told(content)
        if body is not None and sent is not None:
            less = lesser(sent, body, status, said)
            if less is not None:
                if self.abilities == sent:  # else another request has found it out already
                    _LEARNT[self._place] = less
                return Failed("the server does not take a part of the request", free=True, unpaid=True)
        return failure(status, headers, content, model=self._connection.model, secret=self._secret)

    def _unreachable(self) -> Failed:
        return Failed("no server answers", unpaid=True, unreachable=True)


async def _bounded(response: Any) -> None:
    """Read the body here, as far as it may go: the client itself would read any length into memory, unpacked.

    Raises:
        _TooLarge: if it goes on after that.
    """
    parts, size = [], 0
    async for part in response.aiter_bytes():
        size += len(part)
        if size > MOST_BYTES:
            raise _TooLarge
        parts.append(part)
    response._content = b"".join(parts)  # as `aread` keeps it


def told_models(data: bytes) -> list[str] | None:
    """Names in a list of models; None = it is no such list."""
    found = parsed(data)
    listed = found.get("data", found.get("models")) if isinstance(found, dict) else found
    if not isinstance(listed, list):
        return None
    names = [each.get("id") or each.get("name") for each in listed[:10_000] if isinstance(each, dict)]
    return [name[:500] for name in names if isinstance(name, str)]
