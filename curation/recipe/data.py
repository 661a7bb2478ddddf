"""Recipes: strict data that names methods.

```yaml
about: {title: …, source: …}          # presets only
inputs: {pool: Dataset}
steps:
  embed: {use: encoder/sentence, on: $pool}
  pick:  {use: selector/k-center, features: $embed, budget: 1000}
result: $pick
```

`$name` is a step or an input, any other value is a value. Reserved words of a step: `use`, `on` (the Dataset), `within`
(a Selection: only those rows), `tokens` (a Score of token counts, for budgets in tokens), and of a selector `quota`
(Labels) with `at_least` and `at_most`, the rows of every label that it must and may pick: `{zh: 50, "*": 5%}`, where
`"*"` is every label not named; see `curation.core.quota`.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from curation.core.artifacts import KINDS
from curation.core.errors import RecipeError
from curation.core.method import find
from curation.workspace.files import user_path

RESERVED = ("use", "on", "within", "tokens", "quota", "at_least", "at_most")
INPUT_KINDS = {"Dataset": "dataset", **{cls.__name__: kind for kind, cls in KINDS.items()}}


class _Loader(yaml.SafeLoader):
    """Safe YAML in which `on`, `off`, `yes`, `no` and dates are words: YAML 1.1 would read the key `on` as true.

    A key that is written twice is an error: one of two steps of the same name would be lost without a word.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable):
                if key in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"'{key}' stands here twice", key_node.start_mark
                    )
                seen.add(key)
        return super().construct_mapping(node, deep)


class _Dumper(yaml.SafeDumper):
    """The same words are written without quotes."""


for _tool in (_Loader, _Dumper):
    _tool.yaml_implicit_resolvers = {
        letter: [(tag, pattern) for tag, pattern in found if not tag.endswith((":bool", ":timestamp"))]
        for letter, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    _tool.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(?:true|True|false|False)$"), list("tTfF"))


def load_yaml(text: str) -> Any:
    """Plain data from YAML text; see `_Loader` for the differences.

    Raises:
        RecipeError: if the text is not YAML.
    """
    try:
        return yaml.load(text, Loader=_Loader)  # a SafeLoader: plain data only
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        what = " ".join(str(getattr(error, "problem", None) or error).split())
        raise RecipeError(f"not valid YAML{place}: {what}", "put texts with special characters into quotes") from None


class Input(BaseModel):
    """One unbound input of a recipe."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    type: str = Field(description="Dataset or an artifact kind")
    optional: bool = False

    @field_validator("type")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in INPUT_KINDS:
            raise ValueError(f"'{value}' is no input type; use one of {', '.join(INPUT_KINDS)}")
        return value


class Recipe(BaseModel):
    """See the module's docstring."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    about: dict[str, Any] = Field(default_factory=dict)
    inputs: dict[str, Input] = Field(default_factory=dict)
    steps: dict[str, dict[str, Any]]
    result: str

    @field_validator("inputs", mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        if isinstance(value, dict):
            return {k: {"type": v} if isinstance(v, str) else v for k, v in value.items()}
        return value

    @classmethod
    def read(cls, source: str | Path | Mapping[str, Any]) -> Recipe:
        """From a preset's name, a path to a YAML file, YAML text, or plain data.

        Raises:
            RecipeError: naming what is wrong and where.
        """
        if isinstance(source, Mapping):
            return cls._checked(dict(source), "recipe")
        text = str(source)
        if "\n" in text:
            return cls._parsed(text, "recipe")
        if text in preset_names():
            return _preset(text).model_copy(deep=True)  # its dicts are the caller's own
        path = user_path(text)
        if not _is_file(path):
            near = get_close_matches(text, preset_names(), 3, 0.4)
            known = ", ".join(near or preset_names())
            raise RecipeError(f"'{text}' is neither a preset nor a recipe file", f"presets: {known}")
        try:
            return cls._parsed(path.read_text(encoding="utf-8-sig"), str(path))
        except UnicodeDecodeError:
            raise RecipeError(f"{path} is no text in UTF-8", "a recipe is a YAML file") from None

    @classmethod
    def _parsed(cls, text: str, name: str) -> Recipe:
        try:
            data = load_yaml(text)
        except RecipeError as error:
            raise RecipeError(f"{name} is {error.message}", error.hint) from None
        if not isinstance(data, dict):
            raise RecipeError(f"{name} holds no mapping with inputs, steps and result")
        return cls._checked(data, name)

    @classmethod
    def _checked(cls, data: dict[str, Any], name: str) -> Recipe:
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise RecipeError(f"{name}: {first_problem(error)}") from None

    def yaml(self) -> str:
        """The recipe as YAML text."""
        data = self.model_dump(mode="json", exclude_defaults=True)
        data["inputs"] = {
            k: v.type if not v.optional else {"type": v.type, "optional": True} for k, v in self.inputs.items()
        }
        order = [k for k in ("about", "inputs", "steps", "result") if k in data]
        return yaml.dump({k: data[k] for k in order}, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)

    def with_settings(self, settings: Sequence[str]) -> Recipe:
        """A copy with `STEP.FIELD=VALUE` settings; values are read as YAML (`true`, `0.5`, `[a, b]`, text).

        `STEP.use=METHOD` puts another method in a step's place: what the recipe said to the old one and the new one has
        no field or port for is dropped, so that a model can be replaced by a column that holds its scores.

        Raises:
            RecipeError: if a setting has another form or names no step.
        """
        steps = {name: dict(step) for name, step in self.steps.items()}
        for setting in settings:
            place, equals, value = setting.partition("=")
            # a step's name may have dots in it: the last one is before the field
            name, dot, fieldname = place.strip().rpartition(".")
            if not (equals and dot and name and fieldname):
                raise RecipeError(f"'{setting}' is not of the form STEP.FIELD=VALUE")
            if name not in steps:
                raise RecipeError(f"there is no step '{name}'", f"steps: {', '.join(steps)}")
            try:
                steps[name][fieldname] = load_yaml(value)
                if fieldname == "use":
                    cls = find(str(steps[name]["use"]))
                    has = {*RESERVED, *cls.model_fields, *cls.ports()}
                    steps[name] = {k: v for k, v in steps[name].items() if k in has}
            except RecipeError as error:
                raise RecipeError(f"'{setting}': {error.message}", error.hint) from None
        return self.model_copy(update={"steps": steps})

    def upto(self, step: str) -> Recipe:
        """Only the steps that this step needs, which becomes the result."""
        needed: dict[str, None] = {}

        def visit(value: Any) -> None:
            if isinstance(value, dict):
                for inner in value.values():
                    visit(inner)
            elif isinstance(value, list):
                for inner in value:
                    visit(inner)
            elif isinstance(value, str) and value.startswith("$") and value[1:] not in needed:
                if value[1:] in self.steps:
                    needed[value[1:]] = None
                    visit(self.steps[value[1:]])
                elif value[1:] in self.inputs:
                    needed[value[1:]] = None

        visit(f"${step}")
        steps = {name: s for name, s in self.steps.items() if name in needed}
        return self.model_copy(update={"steps": steps, "result": f"${step}"})


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that no file can have
        return False


def preset_names() -> list[str]:
    """Names of all presets."""
    return list(_names())


@lru_cache(1)
def _names() -> tuple[str, ...]:
    """Read once: presets come with the program. Pages ask for them some hundred times a run."""
    folder = resources.files("curation.presets")
    return tuple(sorted(f.name.removesuffix(".yaml") for f in folder.iterdir() if f.name.endswith(".yaml")))


@lru_cache(256)
def _preset(name: str) -> Recipe:
    return Recipe._parsed(preset_text(name), f"preset {name}")


def preset_text(name: str) -> str:
    """The YAML of a preset."""
    return (resources.files("curation.presets") / f"{name}.yaml").read_text(encoding="utf-8")


def first_problem(error: ValidationError) -> str:
    """The first problem of a pydantic error, in one line that names the field and the value."""
    problem = error.errors()[0]
    place = ".".join(str(p) for p in problem["loc"])
    given = problem.get("input")
    text = (f"'{place}': " if place else "") + f"{problem['msg'].removeprefix('Value error, ')}"
    return text if isinstance(given, dict | list) or given is None else f"{text}, got {given!r}"
