"""What a run tells about its steps."""

from __future__ import annotations

from dataclasses import dataclass, field

from curation.core.artifacts import Artifact
from curation.recipe import Plan
from curation.workspace import Workspace


@dataclass(frozen=True)
class StepFact:
    """What happened to one step.

    Args:
        name: In the recipe.
        use: The method's recipe name.
        kind: Of the artifact.
        key: Of the result.
        seconds: Wall time, 0 when reused.
        reused: True when nothing had to be computed.
        rows: Rows worked on.
        rows_reused: Rows whose result was there already (row-wise methods).
        missing: Rows without a result, by reason.
        peak_mb: Peak memory of the process during the step, in MB.
        estimate: Seconds that were estimated before, or None.
        order_key: Key of the nested order, or None.
        rows_key: Key of the row-wise store, or None.
        note: Anything the user should know.
        spent: What asking chat models took: calls, answered, reused, retries, tokens_in, tokens_out, money.
    """

    name: str
    use: str
    kind: str
    key: str
    seconds: float
    reused: bool
    rows: int = 0
    rows_reused: int = 0
    missing: dict[str, int] = field(default_factory=dict)
    peak_mb: float = 0.0
    estimate: float | None = None
    order_key: str | None = None
    rows_key: str | None = None
    note: str = ""
    spent: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class FailedStep:
    """A step that a run went on without.

    Args:
        name: In the recipe.
        use: The method's recipe name.
        message: What was wrong, or which step it would have read.
        hint: What to do about it.
        because: Name of the failed step that it reads; "" = it failed itself.
    """

    name: str
    use: str
    message: str
    hint: str = ""
    because: str = ""


@dataclass(frozen=True)
class Outcome:
    """All finished steps of a run, and access to their artifacts; `failed` are those that it went on without."""

    workspace: Workspace
    plan: Plan
    steps: list[StepFact]
    artifacts: dict[str, Artifact]
    failed: list[FailedStep] = field(default_factory=list)

    @property
    def result(self) -> StepFact:
        """The step that the recipe names as its result."""
        return next(s for s in self.steps if s.name == self.plan.result)

    def artifact(self, name: str) -> Artifact:
        """The artifact of a step."""
        return self.artifacts[name]
