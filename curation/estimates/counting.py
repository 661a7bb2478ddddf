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
        sizes: int64 `[n]`, characters of each row's first requests that no earlier row asks.
        counts: int64 `[n]`, how many these are.
        open_sizes: int64 `[n]`, as `sizes`, of those without a stored reply.
        open_counts: int64 `[n]`, how many these are.
        for_each: Requests that follow from each first one on average, itself included.
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
    counts: np.ndarray
    open_sizes: np.ndarray
    open_counts: np.ndarray
    for_each: float

    @property
    def is_open(self) -> np.ndarray:
        """Bool `[n]`, the rows counted in `open`."""
        return self.open_counts > 0

    @property
    def several(self) -> bool:
        """True where first requests are not nearly all that is asked."""
        return self.for_each > 1.2


def plan_calls(method: Asking, pool: Dataset, runtime: Runtime) -> Calls:
    """Count what a method would ask about a pool, and what of it is stored. Sends nothing, writes nothing.

    Raises:
        CurationError: if there is no such connection.
    """
    method, identity = resolved(method, runtime)
    n, requests_in_all = len(pool), 0
    found: dict[bytes, bool] = {}  # key of every different request → stored?
    sizes, counts, open_sizes, open_counts = (np.zeros(n, np.int64) for _ in range(4))
    asked = np.zeros(n, bool)
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
                sizes[row] += length
                counts[row] += 1
                told["longest"] = max(told["longest"], length)
                if example is None or (example[0] and not found[key]):
                    example = (found[key], row, request)
                if not found[key]:
                    open_sizes[row] += length
                    open_counts[row] += 1
                    told["bytes"] += sum(len(text.encode("utf-8", "replace")) for text in texts)
                    told["messages"] += len(texts)
                    told["most_out"] += request.max_tokens
    at_first, stored, is_left = (
        requests_in_all / max(int(asked.sum()), 1),
        sum(found.values()),
        int((open_counts > 0).sum()),
    )
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
        counts=counts,
        open_sizes=open_sizes,
        open_counts=open_counts,
        for_each=1 + later / at_first if at_first else 1.0,
        **told,
    )


def _requests(method: Asking, pool: Dataset, rows: np.ndarray) -> Iterator[tuple[int, list[list[Request]]]]:
    """First requests of rows, block after block, with the place of the block's first row."""
    for begin in range(0, len(rows), BLOCK):
        yield begin, method.requests(pool.take(rows[begin : begin + BLOCK]))


def resolved(method: Asking, runtime: Runtime) -> tuple[Asking, dict[str, Any]]:
    """The method with endpoint and model written in, and the identity that its replies are stored under."""
    from curation.models.chat.judging import target

    made = method.resolve(runtime)
    return made, target(made).identity()


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
