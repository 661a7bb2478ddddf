"""What can be computed about every row, and the recipe that computes several of them at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from curation.complete import Step, add_default, merge
from curation.complete.stored import Parts
from curation.core.dataset import Dataset
from curation.core.method import Method, discover
from curation.recipe import Input, Recipe
from curation.ui import pool
from curation.ui.ports import BASE, SCRATCH, default_step, needs_model

OWN_PLACE = ("scorer/formula", "labeller/clusters", "labeller/kmeans", "labeller/split")
"""Made elsewhere: formulas below on the same page, clusters with the map, the split with a selection."""
NEEDS_FIELD = ("scorer/column", "labeller/column")
"""Read a field of the file, so somebody must name it: not part of "all"."""


TUNE = "trainer/causal"


@dataclass(frozen=True)
class Indicator:
    """A scorer or labeller.

    Args:
        cls: The method.
        slow: True when it needs vectors by meaning, which a model has to make first.
        model: True when its default inputs load or train a language model.
        whole: True when it needs nothing but the rows, or what default steps give.
    """

    cls: type[Method]
    slow: bool
    model: bool = False
    whole: bool = True

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
        ports = {n: p for n, p in cls.ports().items() if not p.optional}
        if any(p.many == "dict" for p in ports.values()):
            continue  # names and results: a formula, or a recipe
        whole = all(default_step(cls, n, p) for n, p in ports.items())
        found.append(Indicator(cls, bool(ports), needs_model(cls), whole))
    return sorted(found, key=lambda i: (i.cls.family != "scorer", i.cls.title.lower()))


def preset() -> list[str]:
    """Names of "all indicators": every one that asks no network for its opinion, and works without being told anything.

    A field, a file or another input would have to be named first.
    """
    return [
        i.use
        for i in indicators()
        if i.cls.method_class == "statistical" and i.use not in NEEDS_FIELD and i.whole and not _asks(i)
    ]


def _asks(indicator: Indicator) -> bool:
    return any(f.is_required() for f in indicator.cls.model_fields.values())


@dataclass
class Ordered:
    """What was asked for.

    Args:
        uses: Recipe names.
        values: Recipe name → parameters that are not at their defaults.
        ports: Recipe name → port → key of a stored result; ports left to their default are not in it.
        base: Name or folder of the model behind every default step that loads one.
    """

    uses: Sequence[str]
    values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    ports: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    base: str = SCRATCH


def indicators_recipe(order: Ordered, parts: Parts | None = None) -> Recipe:
    """One recipe for several indicators; what they need is made once. The last one is its result.

    Args:
        order: What was asked for.
        parts: Gathers what chosen inputs bring along, and their bindings; needed when `order.ports` names any.
    """
    steps: dict[str, Step] = {} if parts is None else parts.steps
    last = ""
    by_use = {i.use: i for i in indicators()}
    for use in order.uses:
        indicator = by_use[use]
        step: Step = {"use": use, **order.values.get(use, {})}
        for port, spec in indicator.cls.ports().items():
            keys = order.ports.get(use, {}).get(port)
            if keys is not None and parts is not None:
                step[port] = [parts.add(k) for k in keys] if isinstance(keys, list) else parts.add(keys)
            elif not spec.optional:
                step[port] = f"${add_default(steps, default_step(indicator.cls, port, spec))}"
        cls = indicator.cls
        own = [port for port, spec in cls.ports().items() if port not in cls.elsewhere and spec.kind is not Dataset]
        if not any(port in step for port in own):  # other rows do not say which ones it works on
            step["on"] = "$pool"
        last = merge(steps, {indicator.name: step})[indicator.name]
    whole = with_base(steps, order.base)
    recipe = Recipe.read({"inputs": {"pool": "Dataset"}, "steps": whole, "result": f"${last}"})
    if parts is None:
        return recipe
    inputs = {name: Input(type=kind) for name, kind in parts.inputs.items()}
    return recipe.model_copy(update={"inputs": inputs})


def with_base(steps: Mapping[str, Step], name: str) -> dict[str, Step]:
    """The same steps, every one that loads the default model loading this one (a name or a folder)."""
    default = {"use": BASE, "on": "$pool"}
    return {n: {**s, "name": name} if s == default and name != SCRATCH else dict(s) for n, s in steps.items()}


def computed(fingerprint: str) -> set[str]:
    """Recipe names of the indicators that this dataset has already, with any parameters."""
    return {s.info.use for s in [*pool.scores(fingerprint), *pool.labels(fingerprint)]}
