"""What a method would ask a chat model, and what of it is stored: counted without asking anybody."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from curation.core.dataset import Dataset
from curation.core.runtime import Runtime
from curation.models.chat.asking import Asking
from curation.models.chat.types import Reply, Request

BLOCK = 2048
"""Rows whose requests are in memory at once."""


@dataclass(frozen=True, eq=False)
class Calls:
    """What would be asked, as far as it is known before any answer.

    Args:
        rows: Of the pool.
        asked: Rows about which anything is asked.
        open: Rows that ask at least one first request which no earlier row asks and which has no stored reply.
        first: Different first requests.
        stored: Of these, how many replies are stored.
        calls: Requests that will be sent, those that depend on answers included: an expectation.
        bytes: Of the texts of first requests that are not stored.
        messages: In them.
        longest: Characters of the longest request.
        most_out: Tokens that the first requests not stored may write at most.
        example: The first request that would be sent; where all are stored the first of all, where none is None.
        example_row: Whose it is, -1 = none.
        sizes: int64 `[n]`, characters of each row's first requests, 0 where it asks nothing that no earlier row asks.
        is_open: bool `[n]`, the rows counted in `open`.
        several: True where most of a row's requests depend on answers.
    """

    rows: int
    asked: int
    open: int
    first: int
    stored: int
    calls: float
    bytes: int
    messages: int
    longest: int
    most_out: int
    example: Request | None
    example_row: int
    sizes: np.ndarray
    is_open: np.ndarray
    several: bool


def plan_calls(method: Asking, pool: Dataset, runtime: Runtime) -> Calls:
    """Count what a method would ask about a pool, and what of it is stored. Sends nothing, writes nothing.

    Raises:
        CurationError: if there is no such connection.
    """
    method, identity = resolved(method, runtime)
    n, requests_in_all = len(pool), 0
    found: dict[bytes, bool] = {}  # key of every different request → stored?
    sizes, is_open, asked = np.zeros(n, np.int64), np.zeros(n, bool), np.zeros(n, bool)
    told = {"bytes": 0, "messages": 0, "most_out": 0, "longest": 0}
    example: tuple[bool, int, Request] | None = None  # stored?, row, request
    for begin, made in _requests(method, pool, np.arange(n)):
        keys = [[request.key(identity) for request in requests] for requests in made]
        known = _stored({key for names in keys for key in names} - found.keys(), runtime)
        for row, (requests, names) in enumerate(zip(made, keys, strict=True), begin):
            asked[row] = bool(requests)
            requests_in_all += len(requests)
            for request, key in zip(requests, names, strict=True):
                if key in found:
                    continue
                found[key] = key in known
                texts = [text for _, text in request.messages]
                length = sum(map(len, texts))
                sizes[row] += max(length, 1)
                told["longest"] = max(told["longest"], length)
                if example is None or (example[0] and not found[key]):
                    example = (found[key], row, request)
                if not found[key]:
                    is_open[row] = True
                    told["bytes"] += sum(len(text.encode("utf-8", "replace")) for text in texts)
                    told["messages"] += len(texts)
                    told["most_out"] += request.max_tokens
    at_first, stored, is_left = requests_in_all / max(int(asked.sum()), 1), sum(found.values()), int(is_open.sum())
    later = max(method.calls_per_row() - at_first, 0.0)  # of each row, once answers are known
    return Calls(
        rows=n,
        asked=int(asked.sum()),
        open=is_left,
        first=len(found),
        stored=stored,
        calls=len(found) - stored + is_left * later,
        example=example[2] if example else None,
        example_row=example[1] if example else -1,
        sizes=sizes,
        is_open=is_open,
        several=later > at_first / 5,
        **told,
    )


def _requests(method: Asking, pool: Dataset, rows: np.ndarray) -> Iterator[tuple[int, list[list[Request]]]]:
    """First requests of rows, block after block, with the place of the block's first row."""
    for begin in range(0, len(rows), BLOCK):
        yield begin, method.requests(pool.take(rows[begin : begin + BLOCK]))


def resolved(method: Asking, runtime: Runtime) -> tuple[Asking, dict[str, Any]]:
    """The method with endpoint and model written in, and the identity that its replies are stored under."""
    from curation.models.chat.connections import connection_of

    return method.resolve(runtime), connection_of(method.connection).identity()


def _stored(keys: set[bytes], runtime: Runtime) -> set[bytes]:
    """Which have a reply; a store that does not exist is not made."""
    from curation.models.chat.store import ReplyStore

    if runtime.replies is None or not runtime.replies.exists() or not keys:
        return set()
    with ReplyStore(runtime.replies) as store:
        return store.has(list(keys))


def replies_of(keys: Sequence[bytes], runtime: Runtime) -> dict[bytes, Reply]:
    """The stored replies among keys."""
    from curation.models.chat.store import ReplyStore

    if runtime.replies is None or not runtime.replies.exists() or not keys:
        return {}
    with ReplyStore(runtime.replies) as store:
        return store.get(keys)
