"""A form made from a method's fields: the same ranges and descriptions that the recipe and the command line check.

```python
form = method_form(KCenter, key="pick", values={"budget": 200})
if form.method is not None and st.button("Run"):
    start(form.values)
```

| field | widget |
|---|---|
| `bool` | toggle |
| `Literal` | segmented control up to four short choices, else a select box |
| `int`, `float` | slider where both ends are known and near, else a number input |
| `Budget` | rows, percent or tokens, and a number |
| `str` | text input |
| `list[str]`, `tuple[str, ...]` | tags that can be typed |
| `X | None` | the same with an empty choice |
| anything else | JSON in a text area |

Every value is checked by the method itself; what it says stands under its field. Values outlive a form that is not
drawn for a while. A form may be put inside `st.form`, but a Budget field then cannot change its unit until the form is
sent.
"""

from __future__ import annotations

import json
import math
import types
import typing
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

import streamlit as st
from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from curation.core.method import Budget, Method, parse_budget
from curation.ui.text import plain, prose
from curation.ui.words import field_title, recipe_name

SEGMENTS = 4
SEGMENT_LETTERS = 34
"""Choices are laid side by side up to this many, and this many letters together."""
SLIDER_STEPS = 1000
"""A range with more steps than this becomes a number input."""
NOT_SET = "not set"


@dataclass(frozen=True)
class MethodForm:
    """What a form holds.

    Args:
        values: Field → value as the recipe writes it, also where it is wrong.
        errors: Field → what is wrong with it ("" = the fields together).
        method: The checked method, None while something is wrong.
    """

    values: dict[str, Any]
    errors: dict[str, str]
    method: BaseModel | None

    @property
    def changed(self) -> dict[str, Any]:
        """Only the values that differ from the method's defaults: what a short recipe says."""
        if self.method is None:
            return dict(self.values)
        fields = type(self.method).model_fields
        defaults = {n: f.get_default(call_default_factory=True) for n, f in fields.items()}
        return {k: v for k, v in self.values.items() if getattr(self.method, k) != defaults[k]}


def method_form(
    method: type[Method] | type[BaseModel],
    *,
    key: str,
    values: Mapping[str, Any] | None = None,
    hide: Collection[str] = (),
    columns: int = 2,
) -> MethodForm:
    """Draw the fields of a method and return what they hold.

    Args:
        method: Parameter class.
        key: Prefix of the widgets' keys; the form forgets nothing while it stays the same.
        values: Start values by field; the method's defaults otherwise.
        hide: Fields that are not drawn; they keep their start value.
        columns: Fields side by side.
    """
    start = {n: f.get_default(call_default_factory=True) for n, f in method.model_fields.items()} | dict(values or {})
    found = {n: start[n] for n in hide if n in start and start[n] is not PydanticUndefined}
    problems: dict[str, Any] = {}
    shown = [n for n in method.model_fields if n not in hide]
    places = st.columns(columns) if shown and columns > 1 else [st.container()]
    for i, name in enumerate(shown):
        with places[i % len(places)]:
            found[name] = _field(method, name, start[name], f"{key}.{name}")
            problems[name] = st.empty()
    checked, errors = _check(method, found)
    for name, message in errors.items():
        problems.get(name, st).error(plain(message), icon=":material/error:")
    return MethodForm(found, errors, checked)


def _check(method: type[BaseModel], values: dict[str, Any]) -> tuple[BaseModel | None, dict[str, str]]:
    try:
        return method.model_validate(values), {}
    except ValidationError as error:
        errors: dict[str, str] = {}
        for problem in error.errors():
            name = str(problem["loc"][0]) if problem["loc"] else ""
            errors.setdefault(name, problem["msg"].removeprefix("Value error, "))
        return None, errors


# ------------------------------------------------------------------ one field


@dataclass(frozen=True)
class _Spec:
    """What a widget needs to know of a field."""

    label: str
    help: str | None
    key: str
    start: Any
    optional: bool
    low: float | None
    high: float | None
    low_open: bool
    high_open: bool


def _field(method: type[BaseModel], name: str, start: Any, key: str) -> Any:
    info = method.model_fields[name]
    hint, optional = _without_none(info.annotation)
    about = [prose(_sentence(info.description or "")), plain(recipe_name(method, name))]
    start = None if start is PydanticUndefined else start
    spec = _Spec(field_title(method, name), ". ".join(filter(None, about)) or None, key, start, optional, *_range(info))
    if _is_budget(info):
        return budget_input(spec.label, key=key, start=start, help=spec.help)
    if get_origin(hint) is Literal:
        return _choice(spec, get_args(hint))
    if hint is bool:
        return (
            _choice(spec, (True, False))
            if optional
            else st.toggle(spec.label, bool(start), key=key, help=spec.help, persist_state="session")
        )
    if hint in (int, float):
        return _number(spec, hint)
    if hint is str:
        text = st.text_input(
            spec.label,
            start or "",
            key=key,
            help=spec.help,
            persist_state="session",
            placeholder=NOT_SET if optional else None,
        )
        return None if optional and not text else text
    if get_origin(hint) in (list, tuple) and set(get_args(hint)) - {...} == {str}:
        given = list(start or [])
        return st.multiselect(
            spec.label, given, given, key=key, help=spec.help, persist_state="session", accept_new_options=True
        )
    return _json(spec)


def _without_none(hint: Any) -> tuple[Any, bool]:
    if get_origin(hint) is typing.Annotated:
        hint = get_args(hint)[0]
    if get_origin(hint) in (types.UnionType, typing.Union):
        inner = [a for a in get_args(hint) if a is not type(None)]
        optional = len(inner) < len(get_args(hint))
        return (inner[0] if len(inner) == 1 else hint), optional
    return hint, False


def _is_budget(info: FieldInfo) -> bool:
    return get_args(Budget)[1] in info.metadata  # its validator marks it


def _range(info: FieldInfo) -> tuple[float | None, float | None, bool, bool]:
    low = high = None
    low_open = high_open = False
    for m in info.metadata:
        if isinstance(m, Ge | Gt):
            low, low_open = typing.cast(float, m.ge if isinstance(m, Ge) else m.gt), isinstance(m, Gt)
        elif isinstance(m, Le | Lt):
            high, high_open = typing.cast(float, m.le if isinstance(m, Le) else m.lt), isinstance(m, Lt)
    return low, high, low_open, high_open


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _choice(spec: _Spec, options: tuple[Any, ...]) -> Any:
    everything = (None, *options) if spec.optional and None not in options else options
    at = everything.index(spec.start) if spec.start in everything else 0
    short = len(everything) <= SEGMENTS and sum(len(_say(o)) for o in everything) <= SEGMENT_LETTERS
    if short:
        return st.segmented_control(
            spec.label,
            everything,
            default=everything[at],
            required=True,
            format_func=lambda o: plain(_say(o)),
            key=spec.key,
            help=spec.help,
            wrap=True,
            persist_state="session",
        )
    return st.selectbox(
        spec.label, everything, at, format_func=_say, key=spec.key, help=spec.help, persist_state="session"
    )


def _say(option: Any) -> str:
    if option is None:
        return NOT_SET
    return {True: "yes", False: "no"}.get(option, str(option)) if isinstance(option, bool) else str(option)


def _number(spec: _Spec, kind: type) -> Any:
    step = 1 if kind is int else _float_step(spec)
    low = None if spec.low is None else kind(spec.low + (step if spec.low_open else 0))
    high = None if spec.high is None else kind(spec.high - (step if spec.high_open else 0))
    start = None if spec.start is None else kind(spec.start)
    digits = None if kind is int else f"%.{max(0, -math.floor(math.log10(step) + 1e-9))}f"
    near = low is not None and high is not None and (high - low) / step <= SLIDER_STEPS
    if near and start is not None and not spec.optional:
        return st.slider(
            spec.label, low, high, start, step, digits, key=spec.key, help=spec.help, persist_state="session"
        )
    return st.number_input(
        spec.label, low, high, start, step, digits, key=spec.key, help=spec.help, persist_state="session",
        placeholder=NOT_SET if spec.optional else None,
    )  # fmt: skip


def _float_step(spec: _Spec) -> float:
    """A hundredth of the range, finer where the start value has more digits."""
    width = spec.high - spec.low if spec.low is not None and spec.high is not None else max(abs(spec.start or 1.0), 1.0)
    step = 10.0 ** (math.floor(math.log10(width)) - 2) if width > 0 else 0.01
    digits = len(f"{spec.start:.10f}".rstrip("0").partition(".")[2]) if spec.start is not None else 0
    return float(min(step, 10.0**-digits)) if digits else float(step)


def _plain(value: Any) -> Any:
    """A value that JSON has no word for: the fields of a model, such as a criterion of a rubric, or its text."""
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else str(value)


def _json(spec: _Spec) -> Any:
    start = "" if spec.start is None else json.dumps(spec.start, ensure_ascii=False, default=_plain)
    text = st.text_area(f"{spec.label} (JSON)", start, key=spec.key, help=spec.help, persist_state="session", height=80)
    if not text.strip():
        return None
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text  # a bare word; the method says whether it takes it


# ------------------------------------------------------------------ budgets

UNITS = {"rows": "rows", "percent": "% of rows", "tokens": "tokens"}


def budget_input(
    label: str, *, key: str, start: int | str | None = None, rows: int | None = None, help: str | None = None
) -> int | str:
    """A budget in rows, percent or tokens, as a recipe writes it: `1000`, `"5%"`, `"200000 tokens"`.

    Args:
        label: What the budget is for.
        key: Prefix of the widgets' keys.
        start: Start value.
        rows: Rows there are, the most that can be asked for.
        help: Shown at the question mark.
    """
    unit, amount = parse_budget(start or 1000)
    names = list(UNITS)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        chosen = st.segmented_control(
            label,
            names,
            default=unit,
            required=True,
            format_func=UNITS.__getitem__,
            key=f"{key}.unit",
            help=help,
            wrap=True,
            persist_state="session",
        )
        common: dict[str, Any] = {"label_visibility": "collapsed", "key": f"{key}.{chosen}", "persist_state": "session"}
        if chosen == "percent":
            value = amount if unit == "percent" else 10.0
            return f"{st.number_input('per cent', 0.1, 100.0, float(value), 1.0, '%.1f', **common):g}%"
        if chosen == "tokens":
            value = int(amount) if unit == "tokens" else 200_000
            return f"{st.number_input('tokens', 1, None, value, 10_000, **common)} tokens"
        value = int(amount) if unit == "rows" else 1000
        return int(st.number_input("rows", 1, rows, min(value, rows or value), max(1, min(100, value // 10)), **common))
