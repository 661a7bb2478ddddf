"""What can be computed about every row, and the recipe that computes several of them at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from curation.complete import STEP_FOR_KIND, Step, add_default, merge
from curation.core.method import Method, discover
from curation.recipe import Recipe
from curation.ui import pool

OWN_PLACE = ("scorer/formula", "labeller/clusters", "labeller/kmeans", "labeller/split")
"""Made elsewhere: formulas below on the same page, clusters with the map, the split with a selection."""
NEEDS_FIELD = ("scorer/column", "labeller/column")
"""Read a field of the file, so somebody must name it: not part of "all"."""


@dataclass(frozen=True)
class Indicator:
    """A scorer or labeller that needs nothing but the rows, or what a default step gives.

    Args:
        cls: The method.
        slow: True when it needs vectors by meaning, which a model has to make first.
    """

    cls: type[Method]
    slow: bool

    @property
    def use(self) -> str:
        """The recipe name."""
        return self.cls.use()

    @property
    def name(self) -> str:
        """The step's name."""
        return self.use.rpartition("/")[2]

    @property
    def sentence(self) -> str:
        """What it says, in one line."""
        return (self.cls.__doc__ or "").strip().split("\n")[0]


def indicators() -> list[Indicator]:
    """Scores first, then labels, each in the alphabet of their titles."""
    found = []
    for use, cls in discover().items():
        if cls.family not in ("scorer", "labeller") or use in OWN_PLACE:
            continue
        ports = [p for p in cls.ports().values() if not p.optional]
        if all(p.many == "one" and p.kind in STEP_FOR_KIND for p in ports):
            found.append(Indicator(cls, bool(ports)))
    return sorted(found, key=lambda i: (i.cls.family != "scorer", i.cls.title.lower()))


def preset() -> list[str]:
    """Names of "all indicators": every one that works without being told a field."""
    return [i.use for i in indicators() if i.use not in NEEDS_FIELD]


@dataclass
class Ordered:
    """What was asked for: recipe names, and the parameters of those that are not at their defaults."""

    uses: Sequence[str]
    values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def indicators_recipe(order: Ordered) -> Recipe:
    """One recipe for several indicators; what they need is made once. The last one is its result."""
    steps: dict[str, Step] = {}
    last = ""
    by_use = {i.use: i for i in indicators()}
    for use in order.uses:
        indicator = by_use[use]
        step: Step = {"use": use, **order.values.get(use, {})}
        for port, spec in indicator.cls.ports().items():
            if not spec.optional:
                step[port] = f"${add_default(steps, STEP_FOR_KIND[spec.kind])}"
        if not indicator.slow:
            step["on"] = "$pool"
        last = merge(steps, {indicator.name: step})[indicator.name]
    return Recipe.read({"inputs": {"pool": "Dataset"}, "steps": steps, "result": f"${last}"})


def computed(fingerprint: str) -> set[str]:
    """Recipe names of the indicators that this dataset has already, with any parameters."""
    return {s.info.use for s in [*pool.scores(fingerprint), *pool.labels(fingerprint)]}
