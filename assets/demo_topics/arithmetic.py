"""Arithmetic word problems: the numbers come from the generator, the answers are computed."""

from random import Random

from demo_topics import arithmetic_numbers, arithmetic_stories
from demo_topics.rows import Row

WORDINGS = 3  # each kind of problem is told in this many ways, with its numbers in the same order


def rows(rng: Random) -> list[Row]:
    """Return one problem of each kind in each of its wordings."""
    kinds = arithmetic_stories.KINDS + arithmetic_numbers.KINDS
    return [kind(rng, turn) for kind in kinds for turn in range(WORDINGS)]
