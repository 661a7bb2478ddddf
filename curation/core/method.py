"""What a method is, and how methods are found.

A method is a frozen, strict set of parameters (pydantic fields, each with a range and a one-line description) with one
verb. What it reads from other steps are its *ports*: the keyword-only arguments of the verb, typed by artifact kind

    class KCenter(Selector):
        budget: Budget = Field(1000, description="rows to pick")

        def select(self, pool: Dataset, ask: Ask, runtime: Runtime, *, features: Features) -> Selection: ...

A port may be `Features`, `Score | None` (optional), `list[Selection]` or `dict[str, Score]`; a port of type `Dataset`
reads other rows (an evaluation file), one of type `Dynamics` accepts a Model too. The step's name in
recipes is family/file: `curation/selectors/k_center.py` is `selector/k-center`; a family that is still one module, such
as `curation/layout.py`, is `layout`.

Rows outside `within` never reach a verb: encoders, scorers, labellers and other row-aligned methods see a pool and
artifacts cut to the rows they should work on, and the engine spreads the result again. Rows missing in a port of type
Features or Neighbours are left out in the same way, with the reason they had there. Selectors see whole arrays and
choose among `ask.eligible`; the engine writes the reasons of rows that were not eligible.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pkgutil
import re
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Literal, Self, get_args, get_origin

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict

from curation.core.artifacts import Artifact, Export, Features, Labels, Model, Score, Selection
from curation.core.dataset import Dataset
from curation.core.errors import CurationError, RecipeError
from curation.core.generated import Derived
from curation.core.runtime import Runtime

MethodClass = Literal["statistical", "zero-order", "first-order", "bayesian"]

Purpose = Literal[
    "coverage",
    "diversity and quality",
    "targeted",
    "duplicates",
    "bayesian",
    "by score",
    "baselines",
    "building blocks",
]
"""What a selector is for: the groups in which the app offers selectors and presets."""

FAMILIES: dict[str, str] = {
    "encoder": "curation.encoders",
    "labeller": "curation.labellers",
    "scorer": "curation.scorers",
    "selector": "curation.selectors",
    "exporter": "curation.exporters",
    "trainer": "curation.trainers",
    "generator": "curation.generators",
    "neighbours": "curation.neighbours",
    "layout": "curation.layout",
    "coverage": "curation.coverage",
    "trial": "curation.trial",
}
"""Family → package (a folder of methods) or module (a family of one)."""


# ---------------------------------------------------------------------- budgets


def _check_budget(value: int | str) -> int | str:
    try:
        parse_budget(value)
    except CurationError as error:  # pydantic adds the name of the field to a ValueError only
        raise ValueError(f"{error.message}; {error.hint}") from None
    return value


_THOUSANDS = re.compile(r"(?<![\d.,])[1-9]\d{0,2}(?:[,_]\d{3})+(?![\d,])")


def without_separators(text: str) -> str:
    """Text without the separators of thousands in its numbers; a comma that is none, as in 2,5, stays."""
    return _THOUSANDS.sub(lambda found: found[0].replace(",", "").replace("_", ""), text)


def parse_budget(value: int | str) -> tuple[Literal["rows", "percent", "tokens"], float]:
    """Read a budget: `1000`, `"1000"`, `"5%"`, `"200000 tokens"` (also `"2M tokens"`, `"200k tokens"`).

    Raises:
        CurationError: if it is none of these, or not above zero.
    """
    text = without_separators(str(value).strip().lower())
    unit: Literal["rows", "percent", "tokens"] = "rows"
    if text.endswith("%"):
        text, unit = text[:-1], "percent"
    elif text.endswith("tokens"):
        text, unit = text.removesuffix("tokens"), "tokens"
    text = text.removesuffix("rows").strip()
    scale = {"k": 1e3, "m": 1e6, "b": 1e9}.get(text[-1:], 1.0)
    try:
        number = float(text[:-1] if scale > 1 else text) * scale
    except ValueError:
        number = float("nan")
    whole = unit == "percent" or number == int(number) if np.isfinite(number) else False
    if not whole or number <= 0 or (unit == "percent" and number > 100):
        raise CurationError(
            f"budget {value!r} is not a budget", "use a count (1000), a percentage (5%) or tokens (200k tokens)"
        )
    return unit, number


def resolve_count(budget: int | str, eligible: int) -> int:
    """Rows that a budget in rows or percent means among `eligible` rows: round half up, at least 1, at most all.

    Raises:
        CurationError: for a token budget, which needs token counts and an order.
    """
    unit, number = parse_budget(budget)
    if unit == "tokens":
        raise CurationError("a token budget needs the token count of every row")
    wanted = int(number) if unit == "rows" else max(1, int(np.floor(number / 100 * eligible + 0.5)))
    return min(wanted, eligible)


Budget = Annotated[int | str, AfterValidator(_check_budget)]
"""A count, a percentage of the eligible rows, or tokens."""


# ---------------------------------------------------------------------- the base


@dataclass(frozen=True)
class Size:
    """What an estimate is made from.

    Args:
        rows: Rows to work on (for row-wise methods: those not computed yet).
        chars: Characters in them.
        dims: Width of the features it reads, 0 if none.
        count: Rows to pick, 0 if not a budgeted selector.
        parameters: Parameters of the network it reads, 1 if none.
    """

    rows: int
    chars: int
    dims: int = 0
    count: int = 0
    parameters: float = 1.0


class Method(BaseModel):
    """Base of all methods; see the module's docstring."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    family: ClassVar[str] = ""
    verb: ClassVar[str] = ""
    title: ClassVar[str] = ""  # what the app calls it
    method_class: ClassVar[MethodClass] = "statistical"
    weakness: ClassVar[str] = ""  # known weakness, one sentence, shown beside it
    source: ClassVar[str] = ""  # paper or origin
    version: ClassVar[int] = 1  # bumped whenever results change
    row_wise: ClassVar[bool] = False  # each row's result depends on that row alone, so it is kept per row content
    cached: ClassVar[bool] = True  # False for exporters: they act every time
    remote: ClassVar[bool] = False  # it mostly waits for a server, so other jobs may compute meanwhile
    elsewhere: ClassVar[tuple[str, ...]] = ()  # ports whose artifacts belong to another Dataset (query rows)
    returns: ClassVar[type[Artifact]] = Artifact

    @classmethod
    def use(cls) -> str:
        """The name in recipes, from the file: `selector/k-center`."""
        module = cls.__module__
        home = FAMILIES.get(cls.family, "")
        if module == home:
            return cls.family
        return f"{cls.family}/{module.rsplit('.', 1)[-1].replace('_', '-')}"

    @classmethod
    def ports(cls) -> dict[str, Port]:
        """What the verb reads from other steps, from its keyword-only arguments."""
        function = getattr(cls, cls.verb)
        hints = typing.get_type_hints(function)
        parameters = inspect.signature(function).parameters.values()
        return {p.name: _port(hints[p.name]) for p in parameters if p.kind is p.KEYWORD_ONLY}

    def resolve(self, runtime: Runtime) -> Self:
        """Replace every `auto` by what it means here; called before keys are made. May import torch."""
        return self

    def waits(self) -> bool:
        """True when these parameters mostly wait for a server."""
        return self.remote

    def key_parameters(self) -> dict[str, Any]:
        """What enters the key: every parameter, also 0 and False."""
        return self.model_dump(mode="json")

    def work(self, size: Size) -> float:
        """Cost in any unit that grows as time does; the engine calibrates seconds per unit. Default: characters."""
        return float(size.chars + 1)

    def shortened(self) -> Self:
        """The same with less to do (fewer steps, fewer runs), for a calibration; `work` of both grows as time does."""
        return self

    def memory(self, size: Size) -> float:
        """Bytes at the peak beyond the inputs."""
        return 64e6 + 4.0 * size.rows * max(size.dims, 1)

    def disk(self, size: Size) -> float:
        """Bytes that the result takes."""
        return 8.0 * size.rows


@dataclass(frozen=True)
class Port:
    """What a verb reads from another step.

    Args:
        kind: Artifact class, or Dataset.
        many: "one", "list" or "dict".
        optional: True when it may be left out.
    """

    kind: type[Artifact] | type[Dataset]
    many: Literal["one", "list", "dict"] = "one"
    optional: bool = False

    @property
    def word(self) -> str:
        """What it reads, in one word: "features", "dataset"."""
        return "dataset" if issubclass(self.kind, Dataset) else self.kind.kind


def _port(hint: Any) -> Port:
    optional = False
    if get_origin(hint) in (types.UnionType, typing.Union):
        inner = [a for a in get_args(hint) if a is not type(None)]
        optional = len(inner) < len(get_args(hint))
        hint = inner[0]
    if get_origin(hint) is list:
        return Port(get_args(hint)[0], "list", optional)
    if get_origin(hint) is dict:
        return Port(get_args(hint)[1], "dict", optional)
    return Port(hint, "one", optional)


class Encoder(Method):
    """Makes Features from rows: `encode(pool, runtime) -> Features`."""

    family: ClassVar[str] = "encoder"
    verb: ClassVar[str] = "encode"
    returns: ClassVar[type[Artifact]] = Features


class Scorer(Method):
    """Makes a Score: `score(pool, runtime, *, ports) -> Score`."""

    family: ClassVar[str] = "scorer"
    verb: ClassVar[str] = "score"
    returns: ClassVar[type[Artifact]] = Score


class Labeller(Method):
    """Makes Labels: `label(pool, runtime, *, ports) -> Labels`."""

    family: ClassVar[str] = "labeller"
    verb: ClassVar[str] = "label"
    returns: ClassVar[type[Artifact]] = Labels


@dataclass(frozen=True)
class Ask:
    """What a selector is asked for.

    Args:
        eligible: int64, sorted: the rows it may pick from.
        count: How many to pick; 0 for selectors without a budget.
        known: int64: the first picks, already known from an earlier run of the same order. A nested selector returns an
            order that begins with them, and may use them to save work.
    """

    eligible: np.ndarray
    count: int = 0
    known: np.ndarray | None = None


class Selector(Method):
    """Picks rows: `select(pool, ask, runtime, *, ports) -> Selection`. A field named `budget` makes it budgeted."""

    family: ClassVar[str] = "selector"
    verb: ClassVar[str] = "select"
    returns: ClassVar[type[Artifact]] = Selection
    nested: ClassVar[bool] = False  # the pick of k is the first k of the pick of k + 1
    purpose: ClassVar[Purpose] = "building blocks"
    when: ClassVar[str] = ""  # one sentence: when to use it
    eligible_ports: ClassVar[tuple[str, ...]] = ("features", "score", "labels", "neighbours")
    """Ports in which a row must be present to be eligible."""

    @classmethod
    def budgeted(cls) -> bool:
        """True when it takes a budget."""
        return "budget" in cls.model_fields

    def is_nested(self) -> bool:
        """True when these parameters give a nested order."""
        return self.nested

    def key_parameters(self) -> dict[str, Any]:
        """As everywhere, but the budget of a nested order does not enter its key."""
        parameters = super().key_parameters()
        if self.is_nested():
            parameters.pop("budget", None)
        return parameters

    def work(self, size: Size) -> float:
        """Rows, or rows × picks × width where features are read."""
        return float(size.rows * (1 + size.count * size.dims))


class Trainer(Method):
    """Makes a Model and records its Dynamics: `train(pool, runtime, *, ports) -> Model`.

    A killed training goes on from `runtime.keep`, a folder that lives until the result is published, and ends with the
    same result.
    """

    family: ClassVar[str] = "trainer"
    verb: ClassVar[str] = "train"
    returns: ClassVar[type[Artifact]] = Model

    def independent(self) -> bool:
        """True when the network is the same whatever the rows are: one that was made elsewhere and is only loaded."""
        return False

    def parameters(self) -> float | None:
        """Parameters of the network that it makes; None = as many as the one it reads, or not known before."""
        return None


class Generator(Method):
    """Makes new rows: `generate(pool, runtime, *, ports) -> core.generated.Made`.

    The engine stores them as a Dataset whose rows name their parent; other steps work on it by `on: $step`.
    """

    family: ClassVar[str] = "generator"
    verb: ClassVar[str] = "generate"
    returns: ClassVar[type[Artifact]] = Derived


class Exporter(Method):
    """Writes files: `export(pool, runtime, *, selection, ...) -> Export`."""

    family: ClassVar[str] = "exporter"
    verb: ClassVar[str] = "export"
    cached: ClassVar[bool] = False
    returns: ClassVar[type[Artifact]] = Export


# ---------------------------------------------------------------------- finding


@lru_cache(1)
def discover() -> dict[str, type[Method]]:
    """Every method by its recipe name, found by walking the families' folders. Modules with a leading _ are helpers.

    Raises:
        RuntimeError: if two methods claim one name, or a file holds two methods.
    """
    found: dict[str, type[Method]] = {}
    for home in FAMILIES.values():
        for module in _modules(home):
            for cls in _own(module):
                if cls.use() in found:
                    raise RuntimeError(f"two methods claim the name {cls.use()}: {found[cls.use()]} and {cls}")
                found[cls.use()] = cls
    return found


def _own(module: types.ModuleType) -> list[type[Method]]:
    classes = [c for c in vars(module).values() if isinstance(c, type) and issubclass(c, Method)]
    return [c for c in classes if c.__module__ == module.__name__]


def _modules(home: str) -> Iterator[types.ModuleType]:
    top = importlib.import_module(home)
    yield top
    for info in pkgutil.iter_modules(getattr(top, "__path__", [])):
        if not info.name.startswith("_"):
            yield importlib.import_module(f"{home}.{info.name}")


def find(use: str) -> type[Method]:
    """The method of a recipe name.

    Raises:
        RecipeError: if there is none, with the nearest names.
    """
    family, _, name = use.partition("/")
    if family in FAMILIES and (not name or name.replace("-", "").isalnum()):
        # only this one file is imported, not every method's
        path = ".".join([FAMILIES[family], *([name.replace("-", "_")] if name else [])])
        if _exists(path):
            for cls in _own(importlib.import_module(path)):
                if cls.use() == use:
                    return cls
    from difflib import get_close_matches

    near = get_close_matches(use, discover(), 3, 0.4)
    hint = f"did you mean {', '.join(near)}?" if near else "see: curate methods"
    raise RecipeError(f"there is no method '{use}'", hint)


def _exists(path: str) -> bool:
    try:
        return importlib.util.find_spec(path) is not None
    except ModuleNotFoundError:
        return False
