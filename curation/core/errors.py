"""Everything a user can mend is a CurationError; anything else is a bug and keeps its traceback."""

from __future__ import annotations


class CurationError(Exception):
    """A problem the user can mend.

    Args:
        message: What is wrong, with the value that was found.
        hint: What to do about it.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class DataError(CurationError):
    """A file, row or field that cannot be read."""

    def __init__(
        self, message: str, hint: str = "", *, file: str | None = None, row: int | None = None, field: str | None = None
    ) -> None:
        place = ", ".join(
            part
            for part in (file, f"row {row}" if row is not None else "", f"field '{field}'" if field else "")
            if part
        )
        super().__init__(f"{place}: {message}" if place else message, hint)
        self.file, self.row, self.field = file, row, field


class RecipeError(CurationError):
    """A recipe that cannot be carried out; `step` names the place."""

    def __init__(self, message: str, hint: str = "", *, step: str | None = None) -> None:
        super().__init__(f"step '{step}': {message}" if step else message, hint)
        self.step = step


class MissingDependency(CurationError):  # noqa: N818 - the design's word
    """An optional package is not installed; the hint is the install line."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"the package '{package}' is not installed", f'pip install "curation[{extra}]"')


class ModelError(CurationError):
    """A model that cannot be loaded or gave something unusable."""


class JobCancelled(CurationError):  # noqa: N818 - the design's word
    """The user asked the running job to stop."""
