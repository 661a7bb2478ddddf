"""Contracts: every method that is found is run on pools and inputs made for the ports of its verb.

Nothing here names a method, so a new one is covered by writing its file. What the harness needs to know about a field
that has no default it reads from the field's `examples`: they must work on the pool made here, whose records have the
fields `category` and `rating`, whose Labels are named train, held-out and other, whose Scores have the columns `extra`
and `tokens`, and where a port that takes several artifacts by name gets `a` and `b`. A file `scores.csv` lies in the
user's folder: a line per row with its `row_id`, `content`, `id` (the category) and `score`.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import numpy as np
import pytest
from pydantic import ValidationError

from curation.core.artifacts import (
    NO_ROW,
    Artifact,
    Coverage,
    Dynamics,
    Features,
    Labels,
    Layout,
    Missing,
    Model,
    Neighbours,
    Score,
    Selection,
    Trial,
)
from curation.core.dataset import Dataset, Row, in_memory
from curation.core.errors import CurationError
from curation.core.generated import Derived, Made
from curation.core.method import Ask, Exporter, Generator, Method, Port, Selector, discover
from curation.core.runtime import Runtime

CASES = ("usual", "one row", "all equal", "missing values")
ROWS = 40
NAMES = ("held-out", "other", "train")
NETWORK: dict[str, Path] = {}
"""Role, or method with a field `model`, → folder of a tiny network; filled in by the fixture `harness`."""
GRADIENTS = {
    "encoder": "gradients",
    "warmup": "w",
    "projection": "p",
    "blocks": 1,
    "direction": "sgd",
    "rates": [1.0],
    "scale": 1.0,
}
"""Facts that gradient features of one warm-up share; other methods pass them over."""
WORDS = ("river", "stone", "cloud", "lamp", "paper", "green", "seven", "quiet", "engine", "bread", "window", "salt")

EXPECTED_ERRORS = {
    ("labeller/split", "all equal"): "belong together",  # equal rows cannot be split
    ("scorer/distilled", "one row"): "too few scores to learn from",
    ("scorer/instruct-mining-refit", "one row"): "left to train on",
    ("scorer/instruct-mining-refit", "all equal"): "left to train on",  # all are equal to a row kept apart
    ("selector/size-search", "one row"): "cannot be halved",
    ("selector/size-search", "all equal"): "cannot be halved",
    ("trainer/base", "one row"): "too few different rows",
    ("trainer/base", "all equal"): "too few different rows",
    ("trainer/classifier", "one row"): "of one class",
    ("trainer/classifier", "all equal"): "of one class",
    ("trainer/encoder", "one row"): "the same intent",
    ("trainer/encoder", "all equal"): "the same intent",
    ("trial", "one row"): "can be measured",
    ("trial", "all equal"): "left to train on",  # all are copies of evaluation rows
}
"""What cannot work by the nature of the method, with a part of the message that says so."""

EITHER = {"targets": ("queries", "query_tasks")}
"""Ports of which a method takes one or the others: the one is left out of "all ports", and tried alone."""

MAY_REFUSE = ("encoder", "exporter", "trainer", "trial", "scorer/reward", "scorer/unieval", "scorer/evol-score")
"""Families and methods in which a choice other than the default may be refused with an error: no device takes every
precision, no trainer every format, no model every template."""


# ---------------------------------------------------------------------- variants of parameters


@dataclass(frozen=True)
class Variant:
    """A method with parameters to try, and a short name for it."""

    cls: type[Method]
    name: str
    parameters: dict[str, Any]

    def method(self) -> Method:
        network = NETWORK.get(self.cls.use())  # its default may need the network
        return self.cls(**({"model": str(network)} if network else {}), **self.parameters)

    def __str__(self) -> str:
        return f"{self.cls.use()}[{self.name}]"


def required(cls: type[Method]) -> dict[str, Any]:
    """Values for fields without a default, from their examples."""
    return {n: i.examples[0] if i.examples else None for n, i in cls.model_fields.items() if i.is_required()}


def choices(annotation: Any) -> list[Any]:
    """The values of a Literal or bool field, [] for any other."""
    if annotation is bool:
        return [False, True]
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    return []


def variants(cls: type[Method]) -> list[Variant]:
    """The defaults, and every choice of every Literal or bool field, one at a time."""
    base = required(cls)
    examples = {n: i.examples[0] for n, i in cls.model_fields.items() if i.examples}
    try:
        cls(**base)
    except ValidationError:
        base = examples  # some optional field must be given
    found = [Variant(cls, "default", base)]
    for name, info in cls.model_fields.items():
        for choice in choices(info.annotation):
            if choice == info.default:
                continue
            parameters = {**base, name: choice}
            try:
                cls(**parameters)
            except ValidationError:
                parameters = {**examples, **parameters}  # some choices need another field
            found.append(Variant(cls, f"{name}={choice}", parameters))
    return found


# ---------------------------------------------------------------------- pools and artifacts


@dataclass(frozen=True)
class Given:
    """A pool and artifacts for it, made on demand; all arrays are read-only, as those of a workspace are.

    Args:
        case: One of CASES.
        n: Rows.
    """

    case: str
    n: int
    pool: Dataset = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "pool", self._pool())

    def _pool(self) -> Dataset:
        rng = np.random.default_rng(0)
        rows = []
        for i in range(self.n):
            prompt = "What is a river?" if self.case == "all equal" else f"Say {i}: {' '.join(rng.choice(WORDS, 6))}?"
            answer = "It is water." if self.case == "all equal" else f"{' '.join(rng.choice(WORDS, 12))}. So be it {i}."
            if self.case == "missing values" and i == 5:
                prompt, answer = "?", ""
            record = {"instruction": prompt, "input": "", "output": answer, "category": NAMES[i % 3], "rating": i % 5}
            messages = [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]
            rows.append(Row(messages, json.dumps(record), f"part{i % 2}.json", i, "alpaca"))
        return in_memory(rows, "contract")

    def _values(self, shape: tuple[int, ...], seed: int, gaps: tuple[int, ...]) -> np.ndarray:
        values = np.random.default_rng(seed).normal(size=shape)
        if self.case == "all equal":
            values[:] = values[0]
        if self.case == "missing values":
            values[list(gaps)] = np.nan
        return values

    def _missing(self, gaps: tuple[int, ...]) -> Missing:
        mask = np.zeros(self.n, bool)
        if self.case == "missing values":
            mask[list(gaps)] = True
        return Missing.where(mask, "made so")

    def features(self, seed: int = 0) -> Features:
        values = self._values((self.n, 6), seed, (2, 7)).astype(np.float32)
        ones = np.ones(self.n, np.float32)  # as gradient features of one checkpoint have them
        return Features(self.pool.fingerprint, values, self._missing((2, 7)), {"norm_1": ones}, GRADIENTS)

    def score(self, seed: int = 1) -> Score:
        columns = {"extra": self._values((self.n,), seed + 10, (3, 9)), "tokens": np.arange(self.n) + 5.0}
        values = self._values((self.n,), seed, (3, 7))
        return Score(self.pool.fingerprint, values, self._missing((3, 7)), "made", True, columns)

    def some_scores(self, seed: int = 1) -> Score:
        """A score that every third row has: what is set aside for calibration is not learnt from."""
        made = self.score(seed)
        absent = np.arange(self.n) % 3 > 0
        missing = Missing.where(absent | made.missing.mask, "not asked")
        made = dataclasses.replace(made, values=np.where(absent, np.nan, made.values), missing=missing)
        freeze(made)
        return made

    def labels(self, seed: int = 0) -> Labels:
        missing = self._missing((4, 7))
        codes = (np.arange(self.n) % 3 + seed).astype(np.int32) % 3
        if self.case in ("all equal", "one row"):
            codes[:] = 2
        codes[missing.mask] = NO_ROW
        first = {int(c): int(np.flatnonzero(codes == c)[0]) for c in np.unique(codes) if c >= 0}
        of = np.array([NO_ROW if c < 0 or first[int(c)] == i else first[int(c)] for i, c in enumerate(codes)], np.int64)
        similarity = np.where(of >= 0, 0.9, np.nan)
        return Labels(
            self.pool.fingerprint, codes, NAMES, missing, {"of": of, "similarity": similarity}, {"relation": "copy"}
        )

    def some_duplicates(self) -> Labels:
        """Labels in which every tenth row has one duplicate, the row after it."""
        rows = np.arange(self.n)
        codes = np.where(rows % 10 < 2, rows // 10, NO_ROW).astype(np.int32)
        of = np.where(rows % 10 == 1, rows - 1, NO_ROW).astype(np.int64)
        names = tuple(f"group {i + 1}" for i in range(self.n // 10 + 1))
        made = Labels(self.pool.fingerprint, codes, names, Missing.none(self.n), {"of": of})
        freeze(made)
        return made

    def neighbours(self, seed: int = 0) -> Neighbours:
        features = self.features(seed)
        k = min(15, max(self.n - 1, 1))
        indices, distances = np.full((self.n, k), NO_ROW, np.int32), np.full((self.n, k), np.inf, np.float32)
        rows = np.flatnonzero(~features.missing.mask)
        points = features.values[rows].astype(np.float64)
        points /= np.linalg.norm(points, axis=1, keepdims=True)
        apart = ((points[:, None] - points[None]) ** 2).sum(axis=2) / 2
        np.fill_diagonal(apart, np.inf)
        order = np.argsort(apart, axis=1, kind="stable")[:, : len(rows) - 1][:, :k]
        indices[rows, : order.shape[1]] = rows[order]
        distances[rows, : order.shape[1]] = np.take_along_axis(apart, order, 1)
        return Neighbours(self.pool.fingerprint, indices, distances, "cosine", features.missing)

    def layout(self, seed: int = 3) -> Layout:
        xy = self._values((self.n, 2), seed, (2, 7)).astype(np.float32)
        return Layout(self.pool.fingerprint, xy, self._missing((2, 7)))

    def selection(self, seed: int = 0) -> Selection:
        order = np.random.default_rng(seed).permutation(self.n)[: max(1, self.n // 3)]
        stage = np.ones(self.n, np.int16)
        stage[order] = 0
        return Selection(self.pool.fingerprint, self.n, order, stage=stage, stages=("not picked",), nested=True)

    def _measures(self, seed: int) -> dict[str, np.ndarray]:
        rng = np.random.default_rng(seed)
        names = ("loss", "p_true", "correct", "el2n", "margin", "entropy", "grand", "presented", "score", "kept")
        names += ("el2n_norm", "el2n_sum")
        found = {name: rng.random((2, 3, self.n)).astype(np.float32) for name in names}
        for name in ("correct", "presented", "kept"):
            found[name] = np.round(found[name])
        for values in found.values():
            if self.case == "all equal":
                values[:] = values[:, :, :1]
            if self.case == "missing values":
                values[:, :, [3, 7]] = np.nan
        return found

    def dynamics(self, seed: int = 0) -> Dynamics:
        return Dynamics(self.pool.fingerprint, self._missing((3, 7)), self._measures(seed), np.array([0.0, 1.0, 2.0]))

    def model(self, seed: int = 0) -> Model:
        seen = self.pool.contents[[4]] if self.case == "missing values" else np.empty(0, "S16")
        return Model(
            self.pool.fingerprint, Missing.none(self.n), path=str(NETWORK["causal"]), role="causal", name="tiny",
            seen=seen, owned=False, info={"parameters": 26_000},
        )  # fmt: skip

    def warmup(self) -> Model:
        """The tiny model with the checkpoints of a training."""
        return dataclasses.replace(self.model(), path=str(NETWORK["warmup"]), name="tiny, warmed up")

    def made_rows(self) -> Dataset:
        """The rows of `dataset`, each made from a row of the pool; a score of those is one of these."""
        other = self.dataset()
        facts = zip(other.sources, (json.dumps(r) for r in other.records()), strict=True)
        parents = [self.pool.row_id(i % self.n) for i in range(len(other))]
        rows = [
            Row(other.messages(i), record, source, i, "alpaca", None, parents[i])
            for i, (source, record) in enumerate(facts)
        ]
        return in_memory(rows, "made")

    def dataset(self, seed: int = 0) -> Dataset:
        return Given("usual", 6).pool

    def trial(self, seed: int = 0) -> Trial:
        arms = tuple({"arm": name, "kind": "random", "selection": "", "seed": 0} for name in ("a", "b"))
        return Trial(self.pool.fingerprint, arms, np.random.default_rng(seed).random((2, 4)).astype(np.float32))

    def coverage(self, seed: int = 0) -> Coverage:
        return Coverage(self.pool.fingerprint, {"radius": 0.5}, np.array([1, 2]), {"radius": np.array([1.0, 0.5])})

    def artifact(self, kind: type[Artifact] | type[Dataset], seed: int = 0) -> Artifact | Dataset:
        if issubclass(kind, Dataset):
            return self.dataset(seed)
        made = getattr(self, kind.kind)(seed)
        freeze(made)
        return made

    def ports(self, cls: type[Method], *, optional: bool) -> dict[str, Any]:
        """Arguments for the verb, each of its own making; optional ones only if asked for."""
        return {
            # where rows need not be free of duplicates only some have one, or nothing would be left
            name: self.some_duplicates()
            if name == "duplicates" and port.optional
            else self.made_rows()
            if name == "made"
            else dataclasses.replace(Given("usual", 6).score(), dataset=self.made_rows().fingerprint)
            if name == "score" and "made" in cls.ports()
            else (Given("usual", 6) if name in cls.elsewhere else self)._named(name, port, seed)
            for seed, (name, port) in enumerate(cls.ports().items())
            if (optional or not port.optional) and not (name in EITHER and EITHER[name][0] in cls.ports())
        }

    def other_ports(self, cls: type[Method]) -> dict[str, Any] | None:
        """As `ports`, all of them, with the other of two kinds that exclude each other; None where there are none."""
        ports = cls.ports()
        one = next((name for name in EITHER if name in ports and EITHER[name][0] in ports), None)
        if one is None:
            return None
        rest = {name: value for name, value in self.ports(cls, optional=True).items() if name not in EITHER[one]}
        return {**rest, one: self._port(ports[one], list(ports).index(one))}

    def _named(self, name: str, port: Port, seed: int) -> Any:
        if name == "calibration":
            return self.some_scores(seed)
        return self.warmup() if name == "warmup" else self._port(port, seed)

    def _port(self, port: Port, seed: int) -> Any:
        if port.many == "one":
            return self.artifact(port.kind, seed)
        two = [self.artifact(port.kind, seed), self.artifact(port.kind, seed + 1)]
        return two if port.many == "list" else {"a": two[0], "b": two[1]}


def given(case: str, rows: int = ROWS) -> Given:
    """A pool and inputs for a case."""
    return Given(case, 1 if case == "one row" else rows)


def arrays_of(value: Any) -> Iterator[np.ndarray]:
    """Every array in an artifact, or in a list or dict of them."""
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from arrays_of(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from arrays_of(part)
    elif dataclasses.is_dataclass(value):
        for f in dataclasses.fields(value):
            yield from arrays_of(getattr(value, f.name))


def freeze(value: Any) -> None:
    """Make all arrays read-only."""
    for array in arrays_of(value):
        array.flags.writeable = False


def same(a: Any, b: Any) -> bool:
    """Exact equality of artifacts, NaN being equal to NaN."""
    if isinstance(a, Dataset):
        return isinstance(b, Dataset) and a.fingerprint == b.fingerprint
    if isinstance(a, np.ndarray):
        nan = a.dtype.kind == "f"
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and np.array_equal(a, b, equal_nan=nan)
    if isinstance(a, Model) and isinstance(b, Model) and a.owned and b.owned and a.path != b.path:
        return _files(a.path) == _files(b.path) and same(a, dataclasses.replace(b, path=a.path))
    if dataclasses.is_dataclass(a):
        return type(a) is type(b) and all(same(getattr(a, f.name), getattr(b, f.name)) for f in dataclasses.fields(a))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return bool(a == b) or (a != a and b != b)


def _files(folder: str) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(Path(folder).rglob("*")) if p.is_file()}


# ---------------------------------------------------------------------- running as the engine does


class Harness:
    """Runs verbs as the engine does; see the functions above for what it is made of."""

    given = staticmethod(given)
    same = staticmethod(same)
    variants = staticmethod(variants)
    choices = staticmethod(choices)
    required = staticmethod(required)
    cases = CASES

    def __init__(self, folder: Path) -> None:
        self.folder, self.runs = folder, 0

    def write_file(self, made: Given) -> None:
        """What a method reads that joins a file of the user with the rows."""
        ids, groups = made.pool.row_ids(), made.pool.field("category")
        lines = [f"{row},{row.partition('-')[0]},{group},1.5\n" for row, group in zip(ids, groups, strict=True)]
        (self.folder / "scores.csv").write_text("row_id,content,id,score\n" + "".join(lines))

    def runtime(self, method: Method) -> Runtime:
        self.runs += 1
        folder = self.folder / str(self.runs)
        folder.mkdir()
        if not isinstance(method, Exporter):
            return Runtime(cache=self.folder / "cache", keep=folder)
        context = {"recipe": "steps: {}\nresult: $a\n", "folder": folder, "step": "a", "results": []}
        return Runtime(cache=self.folder / "cache", context=context)

    def eligible(self, method: Selector, ports: dict[str, Any], n: int) -> np.ndarray:
        """Rows that are present in every port that decides it."""
        out = np.zeros(n, bool)
        for name in method.eligible_ports:
            value = ports.get(name)
            if isinstance(value, Artifact):
                out |= value.missing.mask
        return np.flatnonzero(~out)

    def select(
        self, method: Selector, made: Given, ports: dict[str, Any], count: int, known: np.ndarray | None = None
    ) -> Selection:
        ask = Ask(self.eligible(method, ports, made.n), count if method.budgeted() else 0, known)
        freeze(ask)
        return method.select(made.pool, ask, self.runtime(method), **ports)  # type: ignore[attr-defined]

    def call(self, method: Method, made: Given, ports: dict[str, Any]) -> tuple[Artifact, Dataset]:
        """The verb's result and the pool it was called with: rows missing in Features or Neighbours are cut away."""
        if isinstance(method, Selector):
            eligible = len(self.eligible(method, ports, made.n))
            return self.select(method, made, ports, max(1, eligible // 3)), made.pool
        out = np.zeros(made.n, bool)
        if method.returns.row_aligned:
            for name, value in ports.items():
                if name not in method.elsewhere and isinstance(value, Features | Neighbours):
                    out |= value.missing.mask
        pool = made.pool
        if out.any():
            rows = np.flatnonzero(~out)
            pool = pool.take(rows)
            ports = {
                name: value if name in method.elsewhere else _cut(value, rows, pool.fingerprint)
                for name, value in ports.items()
            }
        result = getattr(method, method.verb)(pool, self.runtime(method), **ports)
        return (derived(result, pool) if isinstance(method, Generator) else result), pool

    def try_out(self, variant: Variant, case: str, check: Callable[[Method, Given, dict[str, Any]], None]) -> None:
        """Run `check` without and with optional inputs; one of the two must do, the other may be a user's error."""
        made, errors = given(case), []
        self.write_file(made)
        port_sets = [made.ports(variant.cls, optional=False)]
        if any(port.optional for port in variant.cls.ports().values()):
            port_sets.append(made.ports(variant.cls, optional=True))
        other = made.other_ports(variant.cls)
        port_sets += [] if other is None else [other]
        for ports in port_sets:
            try:
                check(variant.method().shortened().resolve(Runtime()), made, ports)
            except CurationError as error:
                assert error.message, "an error says what is wrong"
                assert error.hint, f"an error says what to do: {error.message}"
                errors.append(error)
        expected = EXPECTED_ERRORS.get((variant.cls.use(), case))
        if expected is not None:
            assert any(expected in error.message for error in errors), f"this was to fail with '{expected}'"
        elif len(errors) == len(port_sets) and not (
            variant.name != "default" and {variant.cls.family, variant.cls.use()} & {*MAY_REFUSE}
        ):
            raise errors[0]


def derived(made: Made, pool: Dataset) -> Derived:
    """What the engine stores of the rows that a generator made."""
    assert isinstance(made, Made) and made.name
    assert len(made.rows) == len(made.parents), "every row has a parent or none"
    if not made.rows:
        raise CurationError("not one row was made", "give other rows")
    rows = in_memory(row._replace(line=line) for line, row in enumerate(made.rows))
    return Derived(pool.fingerprint, rows.fingerprint, made.parents, made.missing, made.info)


def _cut(value: Any, rows: np.ndarray, dataset: str) -> Any:
    if isinstance(value, Dataset) or value is None:
        return value
    if isinstance(value, list):
        return [_cut(part, rows, dataset) for part in value]
    if isinstance(value, dict):
        return {name: _cut(part, rows, dataset) for name, part in value.items()}
    cut = value.take(rows, dataset)
    freeze(cut)
    return cut


@pytest.fixture
def harness(
    tmp_path: Path,
    tiny_causal: Path,
    tiny_encoder: Path,
    tiny_reward: Path,
    tiny_t5: Path,
    tiny_warmup: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Harness:
    """Runs methods as the engine does."""
    NETWORK.update({"causal": tiny_causal, "scorer/reward": tiny_reward, "scorer/unieval": tiny_t5})
    NETWORK.update({"trainer/encoder": tiny_encoder, "warmup": tiny_warmup})
    monkeypatch.setenv("CURATION_FOLDER", str(tmp_path))
    return Harness(tmp_path)


PARAMETERS: dict[str, Callable[[Variant], bool]] = {
    "variant": lambda v: True,
    "selector": lambda v: issubclass(v.cls, Selector),
    "nested": lambda v: issubclass(v.cls, Selector) and v.cls.nested and v.method().is_nested(),
    "seeded": lambda v: issubclass(v.cls, Selector) and "seed" in v.cls.model_fields,
    "row_wise": lambda v: v.cls.row_wise,
}
"""Argument of a test → the variants it is run on."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The argument `cls` is every method in turn; for the others see PARAMETERS."""
    names = metafunc.fixturenames
    methods = [cls for _, cls in sorted(discover().items())]
    if "cls" in names:
        metafunc.parametrize("cls", methods, ids=[cls.use() for cls in methods])
    for name in PARAMETERS.keys() & set(names):
        metafunc.parametrize(name, [v for c in methods for v in variants(c) if PARAMETERS[name](v)], ids=str)
    if "case" in names:
        metafunc.parametrize("case", CASES)
