"""The local backend: batches, failures of one request and of all, closing."""

from __future__ import annotations

import asyncio

import pytest

from curation.core.errors import ModelError
from curation.core.runtime import Runtime
from curation.models.chat.backend import Failed
from curation.models.chat.backends import open_backend
from curation.models.chat.client import ask_all
from curation.models.chat.connections import Connection
from curation.models.chat.local import LocalBackend
from curation.models.chat.local_model import TOO_LONG, LocalChat
from curation.models.chat.types import Request


def ask(text, **more):
    return Request((("user", text),), **{"max_tokens": 5, **more})


REQUESTS = [ask(f"river {'stone ' * (i % 7)}{i}", temperature=0.9 * (i % 2), choices=("1", "2")) for i in range(20)]


@pytest.fixture
def connection(tiny_causal):
    return Connection(name="mine", kind="local", model=str(tiny_causal))


@pytest.fixture
def batches(monkeypatch):
    """Sizes of the batches that run."""
    seen, real = [], LocalChat.answers

    def counted(self, requests, seeds, **more):
        seen.append(len(requests))
        return real(self, requests, seeds, **more)

    monkeypatch.setattr(LocalChat, "answers", counted)
    return seen


async def all_of(backend, requests):
    try:
        return await asyncio.gather(*(backend.send(r) for r in requests), return_exceptions=True)
    finally:
        await backend.close()


def test_requests_that_wait_together_run_as_one_batch(connection, batches):
    backend = open_backend(connection, Runtime())
    assert isinstance(backend, LocalBackend)
    together = asyncio.run(all_of(backend, REQUESTS))
    assert batches == [20]
    for request, reply in zip(REQUESTS, together, strict=True):
        alone = asyncio.run(all_of(open_backend(connection, Runtime()), [request]))[0]
        assert (alone.text, alone.finish, alone.tokens_in) == (reply.text, reply.finish, reply.tokens_in)


def test_rows_are_asked_through_the_client(connection):
    answers = ask_all(REQUESTS, connection, Runtime())
    assert all(answer.reply is not None for answer in answers)
    again = ask_all(REQUESTS[::-1], connection, Runtime())[::-1]
    assert [a.reply.text for a in answers] == [a.reply.text for a in again]


def test_a_request_that_is_too_long_fails_alone(connection):
    long = ask("river stone " * 600)
    found = asyncio.run(all_of(open_backend(connection, Runtime()), [REQUESTS[0], long, REQUESTS[1]]))
    assert isinstance(found[1], Failed)
    assert found[1].reason == TOO_LONG
    assert not found[1].again
    assert found[0].text is not None
    assert found[2].text is not None


def test_a_model_that_fails_fails_for_everybody(connection, monkeypatch):
    def broken(self, requests, seeds, **more):
        raise ModelError("no memory")

    monkeypatch.setattr(LocalChat, "answers", broken)
    found = asyncio.run(all_of(open_backend(connection, Runtime()), REQUESTS[:4]))
    assert all(isinstance(error, ModelError) and error.message == "no memory" for error in found)


def test_closing_ends_the_batch_that_runs(connection):
    async def close_early():
        backend = open_backend(connection, Runtime())
        sent = asyncio.create_task(backend.send(ask("river", max_tokens=480)))
        await asyncio.sleep(0.03)
        await backend.close()
        with pytest.raises(ModelError, match="closed"):
            await sent
        with pytest.raises(ModelError, match="closed"):
            await backend.send(ask("stone"))

    asyncio.run(close_early())


def test_who_was_cancelled_is_left_out(connection, batches):
    async def cancel_some():
        backend = open_backend(connection, Runtime())
        tasks = [asyncio.create_task(backend.send(r)) for r in REQUESTS[:6]]
        await asyncio.sleep(0)
        for task in tasks[:4]:
            task.cancel()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        await backend.close()
        return found

    found = asyncio.run(cancel_some())
    assert batches == [2]
    assert all(isinstance(one, asyncio.CancelledError) for one in found[:4])
    assert [one.finish in ("stop", "length") for one in found[4:]] == [True, True]


def test_a_model_that_is_not_there_is_an_error_before_anything_is_asked(tmp_path):
    connection = Connection(name="mine", kind="local", model=str(tmp_path / "nothing"))
    with pytest.raises(ModelError):
        open_backend(connection, Runtime())
