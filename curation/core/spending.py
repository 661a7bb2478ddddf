"""What asking a chat model costs: prices, limits, and a running count. Plain numbers; nothing here asks anybody."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Prices:
    """What a model costs.

    Args:
        input: Money per million tokens read.
        output: Money per million tokens written.
        currency: Three letters, as written.
    """

    input: float = 0.0
    output: float = 0.0
    currency: str = "USD"

    def of(self, tokens_in: float, tokens_out: float) -> float:
        """Money for so many tokens."""
        return (tokens_in * self.input + tokens_out * self.output) / 1e6


@dataclass(frozen=True)
class Caps:
    """What a run may spend at most; None = no limit.

    Args:
        money: In the currency of the connection's prices.
        tokens: Read and written together.
        calls: Requests sent, repeats included.
    """

    money: float | None = None
    tokens: int | None = None
    calls: int | None = None


@dataclass
class Meter:
    """What a run has spent so far. One thread writes; `facts` may be read at any time.

    Args:
        calls: Requests sent, repeats included.
        answered: Requests that came back with a reply.
        reused: Requests whose reply was stored already: nothing was sent.
        retries: Requests sent again after a failure.
        tokens_in: Tokens read, as the server counts them.
        tokens_out: Tokens written.
        money: By the connection's prices.
        currency: Of `money`.
        concurrency: Requests that may be under way at once just now.
        in_flight: Requests under way.
        failures: Why requests failed, retried ones included: reason → count.
    """

    calls: int = 0
    answered: int = 0
    reused: int = 0
    retries: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    money: float = 0.0
    currency: str = "USD"
    concurrency: int = 0
    in_flight: int = 0
    failures: Counter[str] = field(default_factory=Counter)

    def since(self, before: Meter) -> dict[str, float]:
        """What was spent after a copy of this meter was made; {} where nobody was asked and nothing was looked up."""
        counted = ("calls", "answered", "reused", "retries", "tokens_in", "tokens_out", "money")
        spent = {name: getattr(self, name) - getattr(before, name) for name in counted}
        return spent if any(spent.values()) else {}

    def facts(self) -> dict[str, Any]:
        """Plain numbers for a status file."""
        return {**self.__dict__, "failures": dict(self.failures)}
