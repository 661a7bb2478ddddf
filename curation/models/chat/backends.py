"""The backend of a connection, and what its model turned out not to do."""

from __future__ import annotations

from curation.core.runtime import Runtime
from curation.models.chat.backend import Backend
from curation.models.chat.connections import Connection
from curation.models.chat.stand_in import StandIn

_GIVEN_UP: dict[tuple[str, str], tuple[str, ...]] = {}


def open_backend(connection: Connection, runtime: Runtime) -> Backend:
    """What carries requests to whom a connection names; close it in the event loop that used it.

    Raises:
        CurationError: if the key is not in the environment, or a local model cannot be loaded.
    """
    if connection.kind == "openai":
        from curation.models.chat.openai_backend import OpenAIBackend

        return OpenAIBackend(connection)
    if connection.kind == "local":
        from curation.models.chat.local import LocalBackend

        return LocalBackend(connection, runtime)
    return StandIn()


def remember(connection: Connection, missing: tuple[str, ...]) -> None:
    """Keep what a model turned out not to do."""
    _GIVEN_UP[connection.endpoint, connection.model] = missing


def given_up(connection: Connection) -> tuple[str, ...]:
    """What the model turned out not to do in this process, such as "log-probabilities", for a result's info.

    () before anything was asked, and where all replies were stored already.
    """
    return _GIVEN_UP.get((connection.endpoint, connection.model), ())
