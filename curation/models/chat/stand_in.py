"""Answers made up by the methods themselves, to see a recipe run before anybody is asked."""

from __future__ import annotations

from curation.models.chat.backend import tokens_about
from curation.models.chat.types import Reply, Request


class StandIn:
    """Answers each request with `Request.pretend`, at once."""

    limit = 64
    given_up: tuple[str, ...] = ()

    async def send(self, request: Request) -> Reply:
        """The reply that the method would like to see."""
        return pretended(request)

    async def close(self) -> None:
        """Nothing is held."""


def pretended(request: Request) -> Reply:
    """The stand-in's reply; tokens are counted by characters."""
    read = sum(tokens_about(text) for _, text in request.messages)
    return Reply(request.pretend, tokens_in=read, tokens_out=tokens_about(request.pretend), model="stand-in")
