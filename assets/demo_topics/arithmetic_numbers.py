"""Arithmetic problems about numbers: percentages, means, sequences, equations, order of operations."""

import math
from fractions import Fraction
from random import Random
from statistics import median

from demo_topics.arithmetic_row import sum_row
from demo_topics.rows import Row, pick


def _percent(rng: Random, turn: int) -> Row:
    rate, base = rng.choice((5, 15, 20, 25, 30, 40, 60, 75)), rng.randint(2, 40) * 20
    asks = (
        f"What is {rate}% of {base}?",
        f"Calculate {rate} percent of {base}.",
        f"In a survey {rate}% of {base} people said yes. How many people is that?",
    )
    work = f"One percent of {base} is {base / 100:g}, so {rate} percent is {{x}}."
    return sum_row(rng, pick(asks, turn), rate * base / 100, work, "{x}")


def _increase(rng: Random, turn: int) -> Row:
    base, rate = rng.randint(4, 18) * 100, rng.choice((3, 4, 5, 6, 8, 12))
    new = base + base * rate // 100
    asks = (
        f"The monthly rent rose from ${base:,} to ${new:,}. By what percentage did it rise?",
        f"A club grew from {base:,} to {new:,} members. What is the percentage increase?",
        f"Last year we baked {base:,} loaves, this year {new:,}. How many percent more is that?",
    )
    work = f"The difference is {new - base}. Divided by {base:,} that is {rate / 100}, an increase of {{x}}%."
    return sum_row(rng, pick(asks, turn), rate, work, "By {x}%.", "{x}%", wrong=str(rate + 2))


def _mean(rng: Random, turn: int) -> Row:
    centre, steps = rng.randint(30, 60), [rng.randint(-5, 5) for _ in range(rng.randint(3, 5))]
    values = [centre + step for step in (*steps, -sum(steps))]  # the steps cancel, so the mean is the centre
    asks = ("Calculate the mean of these numbers.", "What is the average of the list?", "Average, please:")
    total, count = sum(values), len(values)
    work = f"The {count} numbers add up to {total}, and {total} ÷ {count} = {{x}}."
    return sum_row(rng, pick(asks, turn), total // count, work, "{x}", given=", ".join(map(str, values)))


def _median(rng: Random, turn: int) -> Row:
    values = [rng.randint(1, 99) for _ in range(rng.choice((5, 7)))]
    ordered = ", ".join(map(str, sorted(values)))
    asks = ("Find the median.", "Which value is in the middle once the list is sorted?", "Determine the median value.")
    work = f"In order the numbers are {ordered}. The one in the middle is {{x}}."
    return sum_row(rng, pick(asks, turn), median(values), work, "{x}", given="  ".join(map(str, values)))


def _fraction(rng: Random, turn: int) -> Row:
    top, bottom = rng.choice(((2, 3), (3, 4), (2, 5), (4, 5), (5, 6), (3, 8)))
    whole = bottom * rng.randint(5, 20)
    asks = (
        f"A school has {whole} bicycles, and {top}/{bottom} of them are in use. How many bicycles is that?",
        f"Of {whole} eggs, {top}/{bottom} are brown. How many brown eggs are there?",
        f"A tank holds {whole} litres when full. How many litres are in it at {top}/{bottom} of its capacity?",
    )
    part = whole // bottom
    return sum_row(
        rng, pick(asks, turn), top * part, f"{whole} ÷ {bottom} = {part}, and {top} × {part} = {{x}}.", "{x}"
    )


def _ratio(rng: Random, turn: int) -> Row:
    blue, white, part = rng.randint(2, 5), rng.randint(6, 9), rng.randint(2, 6)
    total = (blue + white) * part
    asks = (
        f"Blue and white paint are mixed in the ratio {blue}:{white} to make {total} litres. How much blue is needed?",
        (
            f"Sand and gravel stand in the ratio {blue}:{white}. How many kilograms of sand are in {total} kg of the "
            "mixture?"
        ),
        (
            f"Two friends split a prize in the ratio {blue}:{white}. The prize is {total} euros. What is the smaller "
            "share?"
        ),
    )
    work = (
        f"There are {blue + white} parts of {part} each. The smaller side has {blue} of them: {blue} × {part} = {{x}}."
    )
    return sum_row(rng, pick(asks, turn), blue * part, work, "{x}")


def _minutes(rng: Random, turn: int) -> Row:
    hours, rest = rng.randint(2, 9), rng.choice((5, 10, 15, 25, 40, 50))
    asks = (
        f"Convert {hours} hours and {rest} minutes to minutes.",
        f"The match lasted {hours} hours {rest} minutes. Express that in minutes only.",
        f"How many minutes are {hours} h {rest} min?",
    )
    work = f"{hours} × 60 = {hours * 60}; {hours * 60} + {rest} = {{x}}."
    return sum_row(rng, pick(asks, turn), hours * 60 + rest, work, "{x}")


def _sequence(rng: Random, turn: int) -> Row:
    start, step, times = rng.randint(1, 12), rng.randint(3, 11), rng.choice((1, 1, 2))
    terms = [start]
    while len(terms) < 6:
        terms.append(terms[-1] * times + step)
    asks = ("Continue the sequence with one number.", "What comes next?", "Find the next term of the sequence.")
    rule = f"add {step}" if times == 1 else f"double the number and add {step}"
    given = ", ".join(map(str, terms[:5]))
    return sum_row(rng, pick(asks, turn), terms[5], f"The rule is to {rule}: {{x}}", "{x}", given=given)


def _equation(rng: Random, turn: int) -> Row:
    factor, solution, shift = rng.randint(2, 9), rng.randint(2, 14), rng.randint(1, 20)
    total = factor * solution + shift
    asks = (
        f"Solve for x: {factor}x + {shift} = {total}",
        f"For which x is {factor}x + {shift} equal to {total}?",
        f"I think of a number, multiply it by {factor}, add {shift} and get {total}. What is my number?",
    )
    work = f"Subtract {shift} from both sides: {factor}x = {total - shift}. Divide by {factor}: x = {{x}}."
    return sum_row(rng, pick(asks, turn), solution, work, "{x}")


def _trams(rng: Random, turn: int) -> Row:
    first, second = rng.choice(((6, 8), (8, 12), (9, 12), (10, 15), (12, 18), (6, 10)))
    asks = (
        (
            f"Two trams leave together; one runs every {first} minutes and one every {second}. When do they meet here "
            "again?"
        ),
        f"What is the least common multiple of {first} and {second}?",
        (
            f"One lamp flashes every {first} seconds, another every {second}. They flash at once now; in how many "
            "seconds again?"
        ),
    )
    work = f"Count up the multiples of {second} until one is divisible by {first}: that is {{x}}."
    return sum_row(rng, pick(asks, turn), math.lcm(first, second), work, "{x}")


def _marbles(rng: Random, turn: int) -> Row:
    red, green = rng.randint(2, 7), rng.randint(3, 9)
    asks = (
        f"A bag holds {red} red and {green} green marbles. Give the chance of drawing a red one in lowest terms.",
        f"{red} tickets win and {green} lose. What is the probability that a ticket wins, as a simplified fraction?",
        (
            f"With {red} left and {green} right socks in a drawer, how likely is a left sock? Answer with a reduced "
            "fraction."
        ),
    )
    right, wrong = (str(Fraction(some, red + green)) for some in (red, red + 1))
    work = f"There are {red} good cases out of {red + green}, so the probability is {{x}}."
    return sum_row(rng, pick(asks, turn), right, work, "{x}", wrong=wrong)


def _brackets(rng: Random, turn: int) -> Row:
    a, b, c, d = rng.randint(3, 20), rng.randint(2, 9), rng.randint(9, 15), rng.randint(2, 8)
    asks = (
        f"Evaluate {a} + {b} × ({c} - {d}).",
        f"Mind the order of operations: {a} + {b} × ({c} - {d}) = ?",
        f"What is the value of the expression {a} + {b} × ({c} - {d})?",
    )
    product = b * (c - d)
    work = f"Brackets first: {c} - {d} = {c - d}. Then {b} × {c - d} = {product}, and finally {a} + {product} = {{x}}."
    return sum_row(rng, pick(asks, turn), a + product, work, "{x}")


def _rounding(rng: Random, turn: int) -> Row:
    value, unit = rng.randint(1_010, 98_990), (10, 100, 1_000)[turn]
    right = (value + unit // 2) // unit * unit
    asks = (
        f"Round {value:,} to the nearest {unit:,}.",
        f"The stadium counted {value:,} visitors. Round the number to the nearest {unit:,}.",
        f"To the nearest {unit:,}, what is {value:,}?",
    )
    return sum_row(rng, pick(asks, turn), right, "Rounded, it is {x}.", "{x}", wrong=f"{right - unit:,}")


KINDS = (
    _percent,
    _increase,
    _mean,
    _median,
    _fraction,
    _ratio,
    _minutes,
    _sequence,
    _equation,
    _trams,
    _marbles,
    _brackets,
    _rounding,
)
