"""What carries requests to a model and replies back, and the ways in which that fails."""

from __future__ import annotations

from typing import Protocol

from curation.models.chat.types import Reply, Request


class Backend(Protocol):
    """One model that answers. Used by one event loop at a time."""

    @property
    def limit(self) -> int:
        """Requests that may be under way at once."""
        ...

    @property
    def given_up(self) -> tuple[str, ...]:
        """What the model turned out not to do, in words for a page ("log-probabilities")."""
        ...

    async def send(self, request: Request) -> Reply:
        """Answer one request; many run at once.

        Raises:
            Failed: this time, or for this request.
            ModelError: no request can succeed.
        """
        ...

    async def close(self) -> None:
        """Give back what is held."""
        ...


class Failed(Exception):  # noqa: N818 - what happened to one request, not a mistake
    """A request without a reply.

    Args:
        reason: Short, without row-specific detail: it is counted.
        again: Sending it again may help.
        wait: Seconds to wait before, as the server says; None = it says nothing.
        throttled: The server wants fewer requests: everybody waits.
        unpaid: Certain not to be charged. Where it is not certain, caps count the request as if it were.
        unreachable: No server was there.
        free: Not the request's fault, and another try is different: it does not count as one.
        detail: What the server said, for a run in which every request fails; never holds a key.
    """

    def __init__(
        self,
        reason: str,
        *,
        again: bool = True,
        wait: float | None = None,
        throttled: bool = False,
        unpaid: bool = False,
        unreachable: bool = False,
        free: bool = False,
        detail: str = "",
    ) -> None:
        super().__init__(reason)
        self.reason, self.again, self.wait, self.throttled = reason, again, wait, throttled
        self.unpaid, self.unreachable, self.free, self.detail = unpaid, unreachable, free, detail


def tokens_at_most(request: Request) -> int:
    """Tokens that a request can have at most: a token has a byte or more, and templates add a few for each message."""
    text = sum(len(text.encode("utf-8", "replace")) for _, text in request.messages)
    return text + len(request.schema.encode("utf-8", "replace")) + 16 * (len(request.messages) + 1)


def tokens_about(text: str) -> int:
    """Tokens of a text where nobody counts them: four bytes each, which is usual for English."""
    return -(-len(text.encode("utf-8", "replace")) // 4)
