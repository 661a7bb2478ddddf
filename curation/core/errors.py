"""Everything a user can mend is a CurationError; anything else is a bug and keeps its traceback."""

from __future__ import annotations

import errno


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


class CapReached(JobCancelled):  # noqa: N818 - beside JobCancelled
    """The run has spent what it may; what was answered is stored, and a resumed run does not pay for it again."""


def machine_problem(error: OSError | MemoryError) -> CurationError | None:
    """What the user can mend about an error of the operating system; None for any other, which is a bug."""
    if isinstance(error, MemoryError):
        return CurationError("there is not enough memory", "close other programs, or work on fewer rows with `within`")
    place = f" ({error.filename})" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return CurationError(f"the disk is full{place}", "free some space; curate prune removes results not in use")
    if error.errno == errno.EFBIG:
        return CurationError(f"the file is larger than the system allows{place}", "see: ulimit -f")
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return CurationError(f"no permission to write or read{place}", "choose another place, or ask whoever owns it")
    if error.errno == errno.EMFILE:
        return CurationError("too many files are open", "see: ulimit -n")
    return None
