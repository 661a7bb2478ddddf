"""A Python coding task: a request and code that answers it, with the check that proves it."""

from dataclasses import dataclass

from demo_topics.rows import Row, swapped


@dataclass(frozen=True, slots=True)
class Task:
    """A request, the code that answers it, and what goes with it.

    Attributes:
        ask: the instruction.
        code: the right code.
        check: statements that raise if the code, run before them, is wrong.
        note: a sentence to stand beside the code; "" = the code alone.
        bug: (right, wrong): the swap that makes the code fail its check; None = no false version.
    """

    ask: str
    code: str
    check: str
    note: str = ""
    bug: tuple[str, str] | None = None

    def row(self, *, note_first: bool) -> Row:
        """Return the task as a row, with the note before or after the code."""
        block = f"```python\n{self.code.strip()}\n```"
        parts = [self.note, block] if note_first else [block, self.note]
        output = "\n\n".join(part for part in parts if part)
        return Row(self.ask, output, false=swapped(output, [self.bug]) if self.bug else "")
