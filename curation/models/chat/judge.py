"""What scorers that ask a judge share: how it is asked, how often, and which rows are asked about twice."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
from pydantic import Field

from curation.core.dataset import Dataset
from curation.core.method import MethodClass, Size
from curation.core.runtime import Runtime
from curation.models.chat.asking import AUTO, Asking
from curation.models.chat.auditing import ONCE, TURNED, Share, audited
from curation.models.chat.judging import AUDIT_SAMPLE, Build, pretended
from curation.models.chat.prompts import Prompt
from curation.models.chat.types import Request
from curation.models.chat.wording import wording


class Judge(Asking):
    """Fields and the dry run of scorers that ask a judge; each has a field `prompt` that names its prompt."""

    method_class: ClassVar[MethodClass] = "zero-order"

    max_tokens: int = Field(256, ge=1, le=131_072, description="tokens of a reply, at most")
    temperature: float = Field(0.0, ge=0, le=2, description="randomness of replies; 0: the likeliest one")
    top_p: float = Field(1.0, gt=0, le=1, description="share of the probability that replies are drawn from")
    tries: int = Field(2, ge=1, le=10, description="how often a row is asked about until a reply can be read")
    audit: Share = Field(
        0.05, ge=0, le=1, description='share of rows judged twice, half of them with the parts in another order ("5%")'
    )
    seed: int = Field(0, ge=0, le=2**32 - 1, description="which rows are judged twice")
    prompt_hash: str = Field(AUTO, min_length=1, description="fingerprint of the wording; auto fills it in")

    def resolve(self, runtime: Runtime) -> Self:
        """Write whom the connection leads to and the wording's fingerprint into the recipe."""
        made = super().resolve(runtime)
        return made.model_copy(update={"prompt_hash": made.words().hash})

    def words(self) -> Prompt:
        """The wording.

        Raises:
            CurationError: if it is not the one that the recipe was resolved with.
        """
        return wording(self.prompt_name(), self.prompt_hash)

    def prompt_name(self) -> str:
        """Name of the prompt with its version."""
        return str(getattr(self, "prompt"))  # noqa: B009 - every judge declares its own choices

    def build(self, pool: Dataset) -> Build:
        """A function of (row, parts in another order): what is asked, or why the row cannot be judged."""
        raise NotImplementedError

    def turns(self, pool: Dataset) -> np.ndarray:
        """Which rows are judged twice, and how; see `auditing.audited`."""
        return audited(pool.contents, self.audit, self.seed)

    def requests(self, pool: Dataset) -> list[list[Request]]:
        """A request for every row that can be judged, and the second one of those that are audited."""
        build, turns = self.build(pool), self.turns(pool)
        found: list[list[Request]] = []
        for row in range(len(pool)):
            first = build(row, False)
            asked = [] if isinstance(first, str) else [first]
            second = build(row, bool(turns[row] == TURNED)) if asked and turns[row] != ONCE else ""
            if not isinstance(second, str):
                asked.append(again(second))
            found.append(asked)
        return found

    def calls_per_row(self) -> float:
        """One, and the audit's."""
        return 1.0 + self.audit

    def facts(self) -> dict[str, Any]:
        """What a result says of how it was asked."""
        return {"prompt": self.words().name, "prompt_hash": self.words().hash}

    def work(self, size: Size) -> float:
        """Calls."""
        return float(size.rows * self.calls_per_row() + 1)

    def memory(self, size: Size) -> float:
        """Replies of all rows."""
        return 64e6 + 2_000.0 * size.rows

    def disk(self, size: Size) -> float:
        """Scores, and what was said."""
        return 1_000.0 * size.rows


def again(request: Request) -> Request:
    """The same as an audit asks it: another sample."""
    return replace(request, sample=AUDIT_SAMPLE)


def pretended_parts(content: bytes, swapped: bool, purpose: str, count: int) -> list[float]:
    """Numbers in [0, 1) for the stand-in; where parts are swapped a few of them are a little lower.

    Args:
        content: Of the row, 16 bytes.
        swapped: Whether the parts are in another order.
        purpose: Another purpose, other numbers.
        count: How many.
    """
    parts = pretended(content, purpose, count + 1)
    lower = 0.1 if swapped and parts[-1] < 0.3 else 0.0
    return [max(part - lower, 0.0) for part in parts[:count]]
