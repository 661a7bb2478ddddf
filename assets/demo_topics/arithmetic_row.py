"""The row of an arithmetic problem: a right result, and a wrong one in the same place."""

from random import Random

from demo_topics.rows import Row


def sum_row(rng: Random, ask: str, right: float | str, *styles: str, given: str = "", wrong: str = "") -> Row:
    """Return the problem with its answer in one of the styles.

    Args:
        rng: chooses the style and the slip.
        ask: the problem.
        right: its result.
        styles: answers with `{x}` for the result; the first one shows the work.
        given: the input of the row.
        wrong: the result of the false version; "" = a plausible slip.

    Returns:
        The row with its true and its false answer.
    """
    style = rng.choice((styles[0], *styles))  # shown work is wanted more often
    return Row(ask, style.format(x=_text(right)), given, style.format(x=wrong or _text(_miss(rng, right))))


def _text(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:,g}"


def _miss(rng: Random, right: float | str) -> float:
    # A plausible slip: a forgotten carry, or counting one too far.
    value = float(right)
    return value + rng.choice([slip for slip in (-10, -2, -1, 1, 2, 10) if value + slip > 0])
