"""Which field of a record plays which role. Detection makes a Mapping; the user may correct it."""

from __future__ import annotations

from collections.abc import Mapping as Dict
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from curation.core.errors import DataError

FormName = Literal[
    "alpaca", "dolly", "prompt-completion", "sharegpt", "messages", "preference", "text-label", "slots", "text"
]
TurnRole = Literal["system", "user", "assistant", "tool", "call"]

_TURNS = ("role", "content", "weight", "roles")
NEEDS: dict[FormName, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "alpaca": (("prompt", "response"), ("input", "system", "history", "images")),
    "dolly": (("prompt", "response"), ("input",)),
    "prompt-completion": (("prompt", "response"), ("input", "system", "tools", "images", *_TURNS)),
    "sharegpt": (("conversations",), ("system", "tools", "images", *_TURNS)),
    "messages": (("conversations",), ("system", "tools", "images", *_TURNS)),
    "preference": (("chosen", "rejected"), ("prompt", "input", "system", "history", "conversations", "tools", *_TURNS)),
    "text-label": (("text", "label"), ("input", "label_names")),
    "slots": (("tokens",), ("tags", "intent")),
    "text": (("text",), ()),
}
"""Form → roles it must have, roles it may have."""


class Mapping(BaseModel):
    """A form, and the record field behind each of its roles.

    A field name may be a position ("0", "1") where records are lists, "." where the record itself is the text, and a
    dotted path ("data.prompt") where the field lies inside another. A role that is None is not read.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    form: FormName = Field(description="the shape of the records")
    prompt: str | None = Field(None, description="the instruction or question, or a list of turns")
    input: str | None = Field(None, description="text that follows the prompt: input, context, second sentence")
    response: str | None = Field(None, description="the answer to learn, or a list of turns")
    system: str | None = Field(None, description="the system prompt")
    history: str | None = Field(None, description="earlier turns, a list of [question, answer]")
    conversations: str | None = Field(None, description="the list of turns")
    role: str | None = Field(None, description="inside a turn: who speaks")
    content: str | None = Field(None, description="inside a turn: what is said")
    weight: str | None = Field(None, description="inside a turn: its loss weight, or true/false for trained or not")
    roles: dict[str, TurnRole] = Field(
        default_factory=dict, description="names of speakers beyond the usual ones (human, gpt, user, assistant, ...)"
    )
    chosen: str | None = Field(None, description="the preferred response")
    rejected: str | None = Field(None, description="the other response; it stays in the record")
    text: str | None = Field(None, description="the text")
    label: str | None = Field(None, description="the label; it becomes the response")
    label_names: list[str] = Field(default_factory=list, description="names of numbered labels, in order")
    tokens: str | None = Field(None, description="the words of an utterance")
    tags: str | None = Field(None, description="one tag for each word")
    intent: str | None = Field(None, description="the intent; it becomes the response")
    tools: str | None = Field(None, description="the tools offered, as a list or as JSON text")
    images: str | None = Field(None, description="paths or contents of images, in the order they are shown")
    header: bool | None = Field(None, description="CSV and TSV only: whether the first line names the columns")

    @model_validator(mode="after")
    def _fits_its_form(self) -> Self:
        required, optional = NEEDS[self.form]
        named = {name for name in type(self).model_fields if getattr(self, name) not in (None, [], {})}
        named -= {"form", "header"}
        missing = [name for name in required if name not in named]
        if missing:
            raise ValueError(f"the form '{self.form}' needs a field for: {', '.join(missing)}")
        foreign = sorted(named - set(required) - set(optional))
        if foreign:
            known = ", ".join([*required, *optional])
            raise ValueError(f"the form '{self.form}' does not use: {', '.join(foreign)}. It uses: {known}")
        return self

    @classmethod
    def of(cls, values: Dict[str, Any]) -> Mapping:
        """A Mapping from plain data (a form in the app, options, YAML).

        Raises:
            DataError: if the values do not make one, naming what is wrong.
        """
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            problems = [
                (".".join(str(part) for part in e["loc"]) + ": " if e["loc"] else "")
                + e["msg"].removeprefix("Value error, ")
                for e in error.errors()
            ]
            raise DataError("the mapping is not usable: " + "; ".join(problems), f"forms: {', '.join(NEEDS)}") from None
