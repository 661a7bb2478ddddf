"""What a comparison of selections consists of: plain values. What its measures come to stands in `measured`.

Rows are always those of the whole Dataset. Arrays are in the order of `Comparison.arms` unless a field says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

RANDOM = "random"
"""How names of random draws begin: `random 0`, `random 1`, ..."""


@dataclass(frozen=True)
class StepCost:
    """One step behind an arm.

    Args:
        name: In the recipe that made it.
        use: The method's recipe name.
        key: Of its result.
        seconds: Wall time that it took when it was computed; NaN when its result is gone.
        shared_with: Other arms of the comparison that stand on the same result.
        note: Why the seconds are too few: a part of the work was stored from earlier ("rows", "order"); "" = all of it.
    """

    name: str
    use: str
    key: str
    seconds: float
    shared_with: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Cost:
    """Measured cost of an arm, from the manifests of the steps behind it.

    Args:
        steps: In the order in which they run; the arm's own selector is the last.
        total: Seconds of all steps: what would be paid for this arm alone.
        own: Seconds of the steps that no other arm shares.
        unknown: Names of steps that have no manifest any more; their seconds are not in the sums.
        partly: Names of steps of which a part was stored from earlier, so that the whole costs more than the sums say.
    """

    steps: tuple[StepCost, ...] = ()
    total: float = 0.0
    own: float = 0.0
    unknown: tuple[str, ...] = ()
    partly: tuple[str, ...] = ()


@dataclass(frozen=True)
class Arm:
    """One selection in a comparison.

    Args:
        name: Unique within the comparison; what figures call it.
        key: Of the stored Selection; "" for random draws, which are made here.
        order: int64 `[m]`, the picks that are compared, in pick order.
        stored: Picks of the stored Selection, m or more.
        nested: True when the first k picks are the pick of k.
        use: The method's recipe name.
        title: What the app calls the method.
        preset: The preset it comes from, "" for none.
        method_class: "statistical", "zero-order", "first-order", "bayesian".
        weakness: Known weakness of the method, one sentence.
        parameters: Of its last step.
        cost: Measured.
        created: Seconds since 1970, 0 for random draws.
        note: How the arm was brought to the common budget, or why it has its own size; "" = nothing to say.
    """

    name: str
    key: str
    order: np.ndarray
    stored: int
    nested: bool
    use: str
    title: str
    method_class: str
    weakness: str = ""
    preset: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    cost: Cost = field(default_factory=Cost)
    created: float = 0.0
    note: str = ""

    def __len__(self) -> int:
        """Number of picks that are compared."""
        return len(self.order)


@dataclass(frozen=True)
class Comparison:
    """Selections of one Dataset, side by side with random.

    Args:
        dataset: Fingerprint.
        dataset_name: For people.
        n: Rows of the Dataset.
        budget: The common budget in rows, None when every arm has its own size.
        arms: Two or more (one is allowed), random not among them.
        random: One draw per seed by `selector/random`, each as long as the largest arm; the first m of it stand beside
            an arm of m rows.
        eligible: int64, the rows that random draws from: those that every arm chose among when they are the same for
            all, else all rows.
        notes: What should be said beside the comparison.
    """

    dataset: str
    dataset_name: str
    n: int
    budget: int | None
    arms: tuple[Arm, ...]
    random: tuple[Arm, ...]
    eligible: np.ndarray
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the arms, without random."""
        return tuple(arm.name for arm in self.arms)

    def arm(self, name: str) -> Arm:
        """An arm or random draw by its name; KeyError when there is none."""
        for arm in (*self.arms, *self.random):
            if arm.name == name:
                return arm
        raise KeyError(name)


@dataclass(frozen=True)
class Weakness:
    """The known weakness of a method's class, measured on this pool.

    Args:
        arm: Name.
        method_class: "statistical", "zero-order", "first-order", "bayesian".
        claim: The weakness in general, one sentence.
        sentence: What was measured here, one sentence; "" when nothing could be.
        numbers: Name → value, the numbers of the sentence.
        columns: Heads of the table of evidence.
        table: Its rows; cells are text, int or float.
        missing_reason: Why it was not measured (or not all of it), and what would be needed; "" = all measured.
    """

    arm: str
    method_class: str
    claim: str
    sentence: str = ""
    numbers: Mapping[str, float] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    table: tuple[tuple[str | int | float, ...], ...] = ()
    missing_reason: str = ""


@dataclass(frozen=True)
class LeftOut:
    """A preset that cannot run here.

    Args:
        preset: Its name.
        title: For people.
        reason: Why, and what it needs.
    """

    preset: str
    title: str
    reason: str
