"""The base of every method that asks a chat model, whatever its family."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from pydantic import Field

from curation.core.dataset import Dataset
from curation.core.method import Method
from curation.core.runtime import Runtime
from curation.models._folder import revision_of
from curation.models.chat.types import Request

AUTO, LOCAL = "auto", "local"


class Asking(Method):
    """Fields and promises shared by methods that ask a chat model.

    A recipe names a connection; whom it means is written into `endpoint` and `model` before keys are made, so the
    connection's own name is no part of a key. Replies are stored by what was asked, so such methods are not row-wise:
    the same request never goes out twice, whatever dataset the row came in.
    """

    remote: ClassVar[bool] = True

    connection: str = Field(
        "judge", min_length=1, max_length=80, description="who is asked: a name from your connections"
    )
    endpoint: str = Field(AUTO, min_length=1, description="address of the server; auto: the connection's")
    model: str = Field(AUTO, min_length=1, description="model that is asked; auto: the connection's")
    attempt: int = Field(0, ge=0, le=1000, description="raise it to ask again about rows that ended without a reply")

    def resolve(self, runtime: Runtime) -> Self:
        """Write the connection's endpoint and model into the recipe.

        Raises:
            CurationError: if there is no such connection.
        """
        from curation.models.chat.connections import connection_of

        found = connection_of(self.connection)
        endpoint = found.endpoint if self.endpoint == AUTO else self.endpoint
        model = found.identity()["model"] if self.model == AUTO else self.model
        return self.model_copy(update={"endpoint": endpoint, "model": model})

    def key_parameters(self) -> dict[str, Any]:
        """All but the connection's name: endpoint and model say who is asked."""
        parameters = super().key_parameters()
        parameters.pop("connection")
        if self.endpoint == LOCAL:  # other weights in the same folder are another model
            parameters["revision"] = revision_of(self.model)
        return parameters

    def waits(self) -> bool:
        """A model in this process computes; a server is waited for."""
        return self.endpoint != LOCAL

    def requests(self, pool: Dataset) -> list[list[Request]]:
        """For every row of the pool what is asked first, before any answer is known; an empty list = nothing.

        A dry run shows them; what is already stored is counted by them.
        """
        raise NotImplementedError

    def calls_per_row(self) -> float:
        """Requests for a row on average, those that depend on answers included."""
        return 1.0
