"""The wording that a recipe was resolved with, or an error: another wording gives other results."""

from __future__ import annotations

from curation.core.errors import CurationError
from curation.models.chat.asking import AUTO
from curation.models.chat.prompts import Prompt, prompt


def wording(name: str, fingerprint: str = AUTO) -> Prompt:
    """A prompt of the package.

    Args:
        name: With its version.
        fingerprint: Its hash, "auto" = any.

    Raises:
        CurationError: if there is no such prompt, or its hash is another one.
    """
    found = prompt(name)
    if fingerprint not in (AUTO, found.hash):
        raise CurationError(
            f"the wording of '{name}' is not the one of this recipe", "set prompt_hash: auto to use this one"
        )
    return found
