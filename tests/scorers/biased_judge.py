"""A judge for the loopback server that goes by the number in the answer, and is harder on answers that come first."""

from __future__ import annotations

import re


def judge(asked) -> str:
    """The last digit of the answer, halved; half a point less where the response stands before the instruction."""
    digit = int(re.search(r"Answer (\d+)", asked.text)[1]) % 10
    first = asked.text.index(" response]\n") < asked.text.index(" instruction]\n")
    return f"{digit / 2 + 0.5 - 0.5 * first:g}\nSo it is."
