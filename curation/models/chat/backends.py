"""The backend of a connection."""

from __future__ import annotations

from curation.core.runtime import Runtime
from curation.models.chat.backend import Backend
from curation.models.chat.connections import Connection
from curation.models.chat.stand_in import StandIn


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
