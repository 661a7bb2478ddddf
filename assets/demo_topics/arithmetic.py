"""Arithmetic word problems: the numbers come from the generator, the answers are computed."""

import math
from fractions import Fraction
from random import Random
from statistics import median

from demo_topics.rows import Row

REPEATS = 3  # rows made from each kind of problem

NAMES = ("Mia", "Omar", "Lena", "Ravi", "Sofia", "Jonas", "Aiko", "Ben", "Chloe", "Diego", "Nadia", "Tom")
GOODS = ("notebooks", "mugs", "candles", "tennis balls", "paint brushes", "puzzles", "plant pots", "scarves")
EXTRAS = ("pen case", "poster", "calendar", "tote bag", "desk lamp", "frame")
VEHICLES = ("train", "coach", "delivery van", "motorcycle", "ferry")
THINGS = ("winter coat", "bicycle helmet", "rucksack", "coffee machine", "pair of boots", "board game")
TIMES = {2: "twice", 3: "three times", 4: "four times", 5: "five times"}
SHARED = (("sweets", "children"), ("stickers", "pupils"), ("chairs", "rooms"), ("apples", "baskets"))


def rows(rng: Random) -> list[Row]:
    """Return `REPEATS` problems of each kind, all different."""
    made: dict[str, Row] = {}
    for kind in KINDS:
        wanted = len(made) + REPEATS
        while len(made) < wanted:
            row = kind(rng)
            made[row.instruction + row.input] = row
    return list(made.values())


def _row(rng: Random, ask: str, right: float | str, *styles: str, given: str = "", wrong: str = "") -> Row:
    """Fill `{x}` in one of the answer styles with the right and, for the false version, with a wrong result."""
    style = rng.choice(styles)
    return Row(ask, style.format(x=_text(right)), given, style.format(x=wrong or _text(_miss(rng, right))))


def _text(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:,.2f}" if value != int(value) else f"{int(value):,}"


def _miss(rng: Random, right: float | str) -> float:
    """Return a plausible slip: the result of a forgotten carry or of counting one too far."""
    value = float(right)
    return value + rng.choice([slip for slip in (-10, -2, -1, 1, 2, 10) if value + slip > 0])


def _bill(rng: Random) -> Row:
    count, price, extra = rng.randint(3, 9), rng.randint(3, 14), rng.randint(4, 19)
    ask = (
        f"{rng.choice(NAMES)} buys {count} {rng.choice(GOODS)} at ${price} each and one {rng.choice(EXTRAS)} "
        f"for ${extra}. How much is the bill?"
    )
    first = count * price
    return _row(
        rng, ask, first + extra, f"{count} × {price} = {first} and {first} + {extra} = {{x}}, so ${{x}}.", "${x}"
    )


def _change(rng: Random) -> Row:
    meal, drink, note = rng.randint(9, 30), rng.randint(2, 8), rng.choice((50, 100))
    ask = f"Lunch costs ${meal} and the drinks cost ${drink}. What change do you get from a ${note} note?"
    spent = meal + drink
    return _row(
        rng, ask, note - spent, f"Together {meal} + {drink} = {spent}; {note} - {spent} = {{x}}. You get ${{x}}."
    )


def _distance(rng: Random) -> Row:
    speed, hours = rng.randint(4, 13) * 10, rng.randint(2, 7)
    ask = f"A {rng.choice(VEHICLES)} keeps a steady {speed} km/h for {hours} hours. How far does it get?"
    return _row(rng, ask, speed * hours, "{x} km", f"Distance is speed times time: {speed} × {hours} = {{x}} km.")


def _duration(rng: Random) -> Row:
    speed, hours = rng.randint(12, 24), rng.randint(2, 6)
    ask = (
        f"{rng.choice(NAMES)} cycles {speed * hours} km at an average of {speed} km/h. How many hours does the ride "
        "take?"
    )
    return _row(
        rng, ask, hours, f"Divide the distance by the speed: {speed * hours} ÷ {speed} = {{x}}.", "It takes {x} hours."
    )


def _share(rng: Random) -> Row:
    (things, groups), each, count = rng.choice(SHARED), rng.randint(5, 12), rng.randint(4, 9)
    left = rng.randint(1, count - 1)
    total = each * count + left
    ask = f"{total} {things} are divided equally among {count} {groups}. How many are left over?"
    work = f"{count} × {each} = {each * count} is the largest multiple that fits, and {total} - {each * count} = {{x}}."
    return _row(rng, ask, left, work, "{x}", wrong=str((left + 1) % count))


def _percent(rng: Random) -> Row:
    rate, base = rng.choice((5, 15, 20, 25, 30, 40, 60, 75)), rng.randint(2, 40) * 20
    return _row(rng, f"What is {rate}% of {base}?", rate * base / 100, "{x}", f"{rate}% of {base} is {{x}}.")


def _discount(rng: Random) -> Row:
    rate, price = rng.choice((10, 20, 25, 30, 40)), rng.randint(3, 15) * 20
    ask = f"A {rng.choice(THINGS)} that used to cost ${price} is reduced by {rate}%. Find the sale price."
    off = _text(price * rate / 100)
    work = f"The discount is {rate}% of {price}, that is ${off}.\nThe sale price is {price} - {off} = ${{x}}."
    return _row(rng, ask, price - price * rate / 100, work)


def _increase(rng: Random) -> Row:
    base, rate = rng.randint(4, 18) * 100, rng.choice((3, 4, 5, 6, 8, 12))
    new = base + base * rate // 100
    ask = f"The monthly rent rose from ${base:,} to ${new:,}. By what percentage did it rise?"
    work = f"The rise is ${new - base}. Divided by the old rent that is {rate / 100}, an increase of {{x}}%."
    return _row(rng, ask, rate, work, "By {x}%.", wrong=str(rate + 2))


def _mean(rng: Random) -> Row:
    centre, steps = rng.randint(30, 60), [rng.randint(-5, 5) for _ in range(rng.randint(3, 5))]
    values = [centre + step for step in (*steps, -sum(steps))]  # the steps cancel, so the mean is the centre
    count = len(values)
    ask = rng.choice(("Calculate the mean of these numbers.", "What is the average of the list?"))
    total = sum(values)
    work = f"The {count} numbers add up to {total}, and {total} ÷ {count} = {{x}}."
    return _row(rng, ask, total // count, work, "{x}", given=", ".join(map(str, values)))


def _median(rng: Random) -> Row:
    values = [rng.randint(1, 99) for _ in range(rng.choice((5, 7)))]
    ordered = ", ".join(map(str, sorted(values)))
    work = f"In order the numbers are {ordered}. The one in the middle is {{x}}."
    return _row(rng, "Find the median.", median(values), work, "{x}", given="  ".join(map(str, values)))


def _fence(rng: Random) -> Row:
    long, wide = rng.randint(8, 30), rng.randint(3, 7)
    ask = f"A vegetable plot is {long} m long and {wide} m wide. How many metres of fence go around it?"
    work = f"Length plus width is {long} + {wide} = {long + wide}, and twice that gives {{x}}."
    return _row(rng, ask, 2 * (long + wide), work, "{x}")


def _carpet(rng: Random) -> Row:
    long, wide, price = rng.randint(4, 9), rng.randint(3, 6), rng.choice((15, 20, 25, 30))
    ask = f"Carpet costs ${price} per square metre. What does it cost to cover a floor of {long} m by {wide} m?"
    area = long * wide
    return _row(rng, ask, area * price, f"Area: {long} × {wide} = {area}\nCost: {area} × {price} = ${{x}}", "${x}")


def _fraction(rng: Random) -> Row:
    top, bottom = rng.choice(((2, 3), (3, 4), (2, 5), (4, 5), (5, 6), (3, 8)))
    whole = bottom * rng.randint(5, 20)
    ask = f"A school has {whole} bicycles, and {top}/{bottom} of them are in use. How many bicycles is that?"
    part = whole // bottom
    return _row(rng, ask, top * part, f"{whole} ÷ {bottom} = {part}, and {top} × {part} = {{x}}.", "{x} bicycles")


def _ages(rng: Random) -> Row:
    (older, younger), times, age = rng.sample(NAMES, 2), rng.randint(2, 5), rng.randint(6, 15)
    total = (times + 1) * age
    ask = f"{older} is {TIMES[times]} as old as {younger}. Together they are {total} years old. How old is {younger}?"
    work = (
        f"Call {younger}'s age y. Then {older} is {times}y, and together they are {times + 1}y = {total}.\n"
        f"Dividing gives y = {{x}}."
    )
    return _row(rng, ask, age, work, f"{younger} is {{x}}.")


def _ratio(rng: Random) -> Row:
    blue, white, part = rng.randint(2, 5), rng.randint(6, 9), rng.randint(2, 6)
    total = (blue + white) * part
    ask = f"Blue and white paint are mixed in the ratio {blue}:{white} to make {total} litres. How much blue is needed?"
    work = (
        f"There are {blue + white} parts of {part} litres each. Blue takes {blue} of them: {blue} × {part} = {{x}} "
        "litres."
    )
    return _row(rng, ask, blue * part, work, "{x} litres")


def _workers(rng: Random) -> Row:
    few, many, unit = *rng.choice(((3, 4), (4, 6), (5, 6), (2, 5), (6, 8))), rng.randint(1, 3)
    days = math.lcm(few, many) // few * unit
    ask = f"{few} painters need {days} days for a building. How many days do {many} painters need at the same pace?"
    work = f"The job is {few} × {days} = {few * days} painter-days, and {few * days} ÷ {many} = {{x}}."
    return _row(rng, ask, few * days // many, work, wrong=str(few * days // many + 2))


def _minutes(rng: Random) -> Row:
    hours, rest = rng.randint(2, 9), rng.choice((5, 10, 15, 25, 40, 50))
    work = f"{hours} × 60 = {hours * 60}; {hours * 60} + {rest} = {{x}}."
    return _row(rng, f"Convert {hours} hours and {rest} minutes to minutes.", hours * 60 + rest, work, "{x}")


def _clock(rng: Random) -> Row:
    hour, minute, lasts = rng.randint(13, 19), rng.choice((5, 15, 20, 35, 45)), rng.randint(15, 38) * 5
    end = hour * 60 + minute + lasts
    ask = f"A film starts at {hour}:{minute:02d} and runs for {lasts} minutes. At what time does it end?"
    right, wrong = (f"{t // 60}:{t % 60:02d}" for t in (end, end - 30))
    return _row(
        rng,
        ask,
        right,
        f"{lasts} minutes are {lasts // 60} h {lasts % 60} min, so it ends at {{x}}.",
        "{x}",
        wrong=wrong,
    )


def _legs(rng: Random) -> Row:
    hens, goats = rng.randint(4, 15), rng.randint(3, 12)
    heads, legs = hens + goats, 2 * hens + 4 * goats
    ask = f"A farmer counts {heads} heads and {legs} legs among hens and goats. How many goats are there?"
    work = (
        f"If all {heads} animals were hens there would be {2 * heads} legs. That leaves {legs} - {2 * heads} = "
        f"{legs - 2 * heads} extra legs, two for each goat, so the number of goats is {{x}}."
    )
    return _row(rng, ask, goats, work, "{x} goats", wrong=str(goats + 1))


def _sequence(rng: Random) -> Row:
    start, step, times = rng.randint(1, 12), rng.randint(3, 11), rng.choice((1, 1, 2))
    terms = [start]
    while len(terms) < 6:
        terms.append(terms[-1] * times + step)
    shown = ", ".join(map(str, terms[:5]))
    rule = f"add {step}" if times == 1 else f"double the number and add {step}"
    return _row(
        rng, "Continue the sequence with one number.", terms[5], f"The rule is to {rule}: {{x}}", "{x}", given=shown
    )


def _equation(rng: Random) -> Row:
    factor, solution, shift = rng.randint(2, 9), rng.randint(2, 14), rng.randint(1, 20)
    total = factor * solution + shift
    work = f"Subtract {shift} from both sides: {factor}x = {total - shift}. Divide by {factor}: x = {{x}}."
    return _row(rng, f"Solve for x: {factor}x + {shift} = {total}", solution, work, "x = {x}")


def _buses(rng: Random) -> Row:
    people, seats = rng.randint(90, 400), rng.choice((32, 45, 48, 54))
    needed = math.ceil(people / seats)
    ask = f"{people} guests travel to a wedding in coaches with {seats} seats. How many coaches must be ordered?"
    work = f"{needed - 1} coaches hold only {(needed - 1) * seats} people, which is not enough, so the answer is {{x}}."
    return _row(rng, ask, needed, work, "{x}", wrong=str(needed - 1))


def _saving(rng: Random) -> Row:
    name, has, weekly, weeks = (
        rng.choice(NAMES),
        rng.randint(2, 9) * 10,
        rng.choice((8, 12, 15, 20)),
        rng.randint(5, 16),
    )
    goal = has + weekly * weeks
    ask = f"{name} has ${has}, saves ${weekly} a week and wants a keyboard for ${goal}. How many weeks will it take?"
    work = f"Still missing: {goal} - {has} = {goal - has}\nWeeks: {goal - has} ÷ {weekly} = {{x}}"
    return _row(rng, ask, weeks, work, "{x} weeks")


def _trams(rng: Random) -> Row:
    first, second = rng.choice(((6, 8), (8, 12), (9, 12), (10, 15), (12, 18), (6, 10)))
    ask = (
        f"Two trams leave together; one runs every {first} minutes and one every {second}. When do they next leave "
        "together?"
    )
    work = f"Look for the least common multiple of {first} and {second}. After {{x}} minutes."
    return _row(rng, ask, math.lcm(first, second), work, "After {x} minutes.")


def _marbles(rng: Random) -> Row:
    red, green = rng.randint(2, 7), rng.randint(3, 9)
    ask = f"A bag holds {red} red and {green} green marbles. Give the chance of drawing a red one in lowest terms."
    right, wrong = str(Fraction(red, red + green)), str(Fraction(red + 1, red + green))
    return _row(
        rng, ask, right, "{x}", f"Of all {red + green} marbles {red} are red, so the probability is {{x}}.", wrong=wrong
    )


def _library(rng: Random) -> Row:
    start, given_away, boxes, each = (
        rng.randint(200, 900),
        rng.randint(20, 90),
        rng.randint(3, 8),
        rng.choice((12, 15, 24)),
    )
    ask = (
        f"A library owns {start} books, gives away {given_away} and buys {boxes} boxes of {each}. How many books has "
        "it now?"
    )
    kept, bought = start - given_away, boxes * each
    work = f"{start} - {given_away} = {kept}\n{boxes} × {each} = {bought}\n{kept} + {bought} = {{x}}"
    return _row(rng, ask, kept + bought, work, "{x} books")


def _brackets(rng: Random) -> Row:
    a, b, c, d = rng.randint(3, 20), rng.randint(2, 9), rng.randint(9, 15), rng.randint(2, 8)
    ask = f"Evaluate {a} + {b} × ({c} - {d})."
    product = b * (c - d)
    work = f"Brackets first: {c} - {d} = {c - d}. Then {b} × {c - d} = {product}, and finally {a} + {product} = {{x}}."
    return _row(rng, ask, a + product, work, "{x}")


def _rounding(rng: Random) -> Row:
    value, unit = rng.randint(1_010, 98_990), rng.choice((10, 100, 1_000))
    right = (value + unit // 2) // unit * unit
    ask = f"Round {value:,} to the nearest {unit:,}."
    return _row(rng, ask, right, "{x}", "Rounded, it is {x}.", wrong=f"{right - unit:,}")


def _tiles(rng: Random) -> Row:
    side, across, up = rng.choice((20, 25, 40, 50)), rng.randint(6, 15), rng.randint(4, 9)
    ask = f"How many square tiles with sides of {side} cm cover a wall {across * side} cm wide and {up * side} cm high?"
    work = f"{across} tiles fit next to each other and {up} on top of each other, and {across} × {up} = {{x}}."
    return _row(rng, ask, across * up, work, "{x} tiles")


KINDS = (
    *(_bill, _change, _distance, _duration, _share, _percent, _discount, _increase, _mean, _median, _fence, _carpet),
    *(_fraction, _ages, _ratio, _workers, _minutes, _clock, _legs, _sequence, _equation, _buses, _saving, _trams),
    *(_marbles, _library, _brackets, _rounding, _tiles),
)
