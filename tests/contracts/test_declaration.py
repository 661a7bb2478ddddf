"""What every method declares about itself."""

from __future__ import annotations

import inspect
import json
import typing
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from curation.core.generated import Made
from curation.core.method import FAMILIES, Generator, MethodClass, Purpose, Scorer, Selector, Size, discover
from curation.recipe import RESERVED

TESTS = Path(__file__).parents[1]
LONGEST_DESCRIPTION = 160


def test_it_is_found_under_its_own_name(cls):
    assert discover()[cls.use()] is cls
    assert cls.family in FAMILIES
    assert cls.use() == cls.family or cls.use().startswith(f"{cls.family}/")


def test_its_file_holds_no_other_method(cls):
    others = [c for c in discover().values() if c.__module__ == cls.__module__]
    assert others == [cls]


def test_its_verb_makes_what_it_declares(cls):
    verb = getattr(cls, cls.verb)
    made = Made if issubclass(cls, Generator) else cls.returns  # the engine stores the rows of a generator
    assert typing.get_type_hints(verb)["return"] is made
    assert inspect.getdoc(verb), "the verb has no docstring"


def test_it_says_what_it_does_and_where_it_comes_from(cls):
    assert cls.__dict__.get("__doc__"), "no docstring of its own"
    assert cls.title
    assert cls.source
    assert cls.method_class in get_args(MethodClass)
    assert type(cls.version) is int
    assert cls.version >= 1
    if issubclass(cls, Selector | Scorer):
        assert cls.weakness, "no known weakness"
    if issubclass(cls, Selector):
        assert cls.purpose in get_args(Purpose)
        assert cls.when, "it is not said when to use it"
    for text in (cls.title, cls.source, cls.weakness):
        assert "\n" not in text


def test_every_field_has_a_description_of_one_line(cls):
    for name, info in cls.model_fields.items():
        assert info.description, f"{name} has no description"
        assert "\n" not in info.description
        assert len(info.description) <= LONGEST_DESCRIPTION, name
        assert info.examples or not info.is_required(), f"{name} has no default, so it needs examples=[...]"


def test_every_number_has_a_range_or_is_any_finite_number(cls):
    for name, info in cls.model_fields.items():
        kinds = _kinds(info)
        if int in kinds and str not in kinds and bool not in kinds:
            assert _limits(info, Ge, Gt), f"{name} has no lower limit"
        if float in kinds:
            assert _limits(info, Ge, Gt) or _finite(info), f"{name} takes NaN and infinity"


def test_fields_and_ports_do_not_clash(cls):
    names = [*cls.model_fields, *cls.ports()]
    assert len(set(names)) == len(names)
    assert not set(names) & set(RESERVED)


def test_only_budgeted_selectors_are_nested(variant):
    method = variant.method()
    if isinstance(method, Selector) and method.is_nested():
        assert method.budgeted()
        assert "budget" not in method.key_parameters()
    else:
        # who is asked enters the key by endpoint and model, not by the name that a user gave the connection
        named = {n for n in type(method).model_fields if method.remote and n.endswith("connection")}
        assert set(method.key_parameters()) == set(type(method).model_fields) - named


def test_parameters_survive_json_and_yaml(variant):
    method = variant.method()
    assert type(method).model_validate(json.loads(method.model_dump_json())) == method
    assert type(method).model_validate(yaml.safe_load(yaml.safe_dump(method.model_dump(mode="json")))) == method


def test_parameters_are_frozen_and_strict(variant):
    method = variant.method()
    for name in type(method).model_fields:
        with pytest.raises(ValidationError, match="frozen"):
            setattr(method, name, getattr(method, name))
    with pytest.raises(ValidationError, match="no_such_field"):
        variant.cls(**variant.parameters, no_such_field=1)


def test_out_of_range_values_raise_an_error_that_names_the_parameter(cls, harness):
    base = harness.variants(cls)[0].parameters
    for name, info in cls.model_fields.items():
        wrong = list(_invalid(info, harness.choices(info.annotation)))
        assert wrong, f"no value of {name} is wrong"
        for value in wrong:
            with pytest.raises(ValidationError) as error:
                cls(**{**base, name: value})
            assert any(name in [str(p) for p in e["loc"]] for e in error.value.errors()), (name, value)


@pytest.mark.parametrize("better", ["work", "memory", "disk"])
def test_estimates_are_positive_and_grow_with_rows(variant, better):
    method = variant.method()
    small, large = Size(100, 20_000, 8, 10), Size(10_000, 2_000_000, 8, 10)
    assert 0 <= getattr(method, better)(small) <= getattr(method, better)(large) < float("inf")
    assert method.work(small) > 0
    assert method.work(Size(0, 0)) >= 0


def test_it_has_a_test_file(cls):
    module = cls.__module__.removeprefix("curation.").split(".")
    path = TESTS.joinpath(*module[:-1], f"test_{module[-1]}.py")
    assert path.is_file(), f"write {path.relative_to(TESTS.parent)}"


# ---------------------------------------------------------------------- reading fields


def _kinds(info: FieldInfo) -> set[Any]:
    """The plain types that a field takes."""
    found: set[Any] = set()
    waiting = [info.annotation]
    while waiting:
        hint = waiting.pop()
        inner = get_args(hint)
        if typing.get_origin(hint) is typing.Literal:
            continue
        if inner:
            waiting.extend(a for a in inner if isinstance(a, type) or get_args(a))
        else:
            found.add(hint)
    return found


def _limits(info: FieldInfo, *kinds: type) -> list[Any]:
    return [m for m in info.metadata if isinstance(m, kinds)]


def _finite(info: FieldInfo) -> bool:
    """True when NaN and infinity are refused, by the field or by what it holds (`dict[str, FiniteFloat]`)."""
    inside = [m for part in get_args(info.annotation) for m in getattr(part, "__metadata__", ())]
    return any(getattr(m, "allow_inf_nan", True) is False for m in [*info.metadata, *inside])


def _invalid(info: FieldInfo, choices: list[Any]) -> typing.Iterator[Any]:
    """Values that a field must refuse: beyond each of its limits, of no choice, of another type."""
    yield object()
    if choices:
        yield "no such choice"
    kinds = _kinds(info)
    for limit in info.metadata:
        if isinstance(limit, Ge):
            yield limit.ge - 1
        elif isinstance(limit, Gt):
            yield limit.gt
        elif isinstance(limit, Le):
            yield limit.le + 1
        elif isinstance(limit, Lt):
            yield limit.lt
        elif isinstance(limit, MinLen) and limit.min_length > 0:
            yield "" if str in kinds and tuple not in kinds and limit.min_length == 1 else []
        elif isinstance(limit, MaxLen):
            yield "x" * (limit.max_length + 1)
    if float in kinds:
        yield float("nan")
    if "budget" in (info.description or "") or _is_budget(info):
        yield from (0, -1, "101%", "0%", "many", 1.5)


def _is_budget(info: FieldInfo) -> bool:
    return any(getattr(m, "func", None).__name__ == "_check_budget" for m in info.metadata if hasattr(m, "func"))
