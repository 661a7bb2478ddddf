r"""The row that every topic makes, and the reader of the prose files.

A prose file holds free-form rows:

    == the instruction
    << the input, when there is one, with \n for a line break
    the output, on as many lines as it needs
    ~~ right words => wrong words ~~ right words => wrong words

The last line is optional; applying its swaps to the output gives an answer that is false.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Row:
    """One instruction with its right answer and, where we have one, a false answer."""

    instruction: str
    output: str
    input: str = ""
    false: str = ""  # "" = no false version of the output was written


def swapped(text: str, pairs: Sequence[tuple[str, str]]) -> str:
    """Return `text` with each right phrase replaced by its wrong one.

    Args:
        text: the true answer.
        pairs: (right words, wrong words); each right phrase must occur in the text.

    Returns:
        The false answer.

    Raises:
        ValueError: if a right phrase does not occur, so that a typo cannot make a "false" answer that is true.
    """
    for right, wrong in pairs:
        if right not in text:
            raise ValueError(f"{right!r} does not occur in {text!r}")
        text = text.replace(right, wrong)
    return text


def pick(wordings: Sequence[str], index: int) -> str:
    """Return the wording for the index-th fact, so that all wordings are used equally often."""
    return wordings[index % len(wordings)]


def sentence(text: str) -> str:
    """Return the text with its first letter in upper case and the rest as it was."""
    return text[0].upper() + text[1:]


def bullets(items: Sequence[str]) -> str:
    """Return the items as a dashed list, one a line."""
    return "\n".join(f"- {item}" for item in items)


def read_prose(name: str) -> list[Row]:
    """Read the free-form rows of `<name>.txt`, in file order."""
    text = (FOLDER / f"{name}.txt").read_text(encoding="utf-8")
    return [_parse(block) for block in text.removeprefix("== ").split("\n== ")]


def _parse(block: str) -> Row:
    instruction, *lines = block.strip().split("\n")
    given = lines.pop(0).removeprefix("<< ") if lines[0].startswith("<< ") else ""
    swaps = lines.pop().removeprefix("~~ ").split(" ~~ ") if lines[-1].startswith("~~ ") else []
    output = "\n".join(lines).strip()
    pairs = [(right.strip(), wrong.strip()) for right, _, wrong in (swap.partition(" => ") for swap in swaps)]
    return Row(instruction, output, given.replace("\\n", "\n"), swapped(output, pairs) if pairs else "")
