"""Arithmetic word problems: the numbers come from the generator, the answers are computed."""

import math
from fractions import Fraction
from random import Random
from statistics import median

from demo_topics.rows import Row, pick

WORDINGS = 3  # each kind of problem is told in this many ways, with its numbers in the same order

NAMES = ("Mia", "Omar", "Lena", "Ravi", "Sofia", "Jonas", "Aiko", "Ben", "Chloe", "Diego", "Nadia", "Tom")
GOODS = ("notebooks", "mugs", "candles", "tennis balls", "brushes", "puzzles", "plant pots", "scarves")
EXTRAS = ("pen case", "poster", "calendar", "tote bag", "desk lamp", "frame")
VEHICLES = ("train", "coach", "delivery van", "motorcycle", "ferry")
THINGS = ("winter coat", "bicycle helmet", "rucksack", "coffee machine", "pair of boots", "board game")
TIMES = {2: "twice", 3: "three times", 4: "four times", 5: "five times"}
SHARED = (("sweets", "children"), ("stickers", "pupils"), ("chairs", "rooms"), ("apples", "baskets"))


def rows(rng: Random) -> list[Row]:
    """Return one problem of each kind in each of its wordings."""
    return [kind(rng, turn) for kind in KINDS for turn in range(WORDINGS)]


def _row(rng: Random, ask: str, right: float | str, *styles: str, given: str = "", wrong: str = "") -> Row:
    # `{x}` in the answer style is the result; the false version has another one in the same place.
    style = rng.choice(styles)
    return Row(ask, style.format(x=_text(right)), given, style.format(x=wrong or _text(_miss(rng, right))))


def _text(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:,.2f}" if value != int(value) else f"{int(value):,}"


def _miss(rng: Random, right: float | str) -> float:
    # A plausible slip: a forgotten carry, or counting one too far.
    value = float(right)
    return value + rng.choice([slip for slip in (-10, -2, -1, 1, 2, 10) if value + slip > 0])


def _bill(rng: Random, turn: int) -> Row:
    count, price, extra = rng.randint(3, 9), rng.randint(3, 14), rng.randint(4, 19)
    name, goods, other = rng.choice(NAMES), rng.choice(GOODS), rng.choice(EXTRAS)
    asks = (
        f"{name} buys {count} {goods} at ${price} each and one {other} for ${extra}. How much is the bill?",
        f"{count} {goods} cost ${price} apiece and a {other} costs ${extra}. What does everything cost together?",
        (
            f"At a market stall {name} takes {count} {goods} (${price} each) plus a {other} (${extra}). Work out the "
            "total."
        ),
    )
    first = count * price
    work = f"{count} × {price} = {first} and {first} + {extra} = {{x}}, so ${{x}}."
    return _row(
        rng, pick(asks, turn), first + extra, work, "${x}", f"The {goods} cost ${first}. All in all it is ${{x}}."
    )


def _change(rng: Random, turn: int) -> Row:
    meal, drink, note = rng.randint(9, 30), rng.randint(2, 8), rng.choice((50, 100))
    asks = (
        f"Lunch costs ${meal} and the drinks cost ${drink}. What change do you get from a ${note} note?",
        f"I owe ${meal} for the meal and ${drink} for the juice and hand over ${note}. How much change is due?",
        f"A ticket for ${meal} and a snack for ${drink} are paid with ${note}. Find the change.",
    )
    spent = meal + drink
    work = f"Together {meal} + {drink} = {spent}; {note} - {spent} = {{x}}. You get ${{x}}."
    return _row(rng, pick(asks, turn), note - spent, work, "${x}")


def _distance(rng: Random, turn: int) -> Row:
    speed, hours, vehicle = rng.randint(4, 13) * 10, rng.randint(2, 7), rng.choice(VEHICLES)
    asks = (
        f"A {vehicle} keeps a steady {speed} km/h for {hours} hours. How far does it get?",
        f"Travelling at {speed} km/h, what distance does a {vehicle} cover in {hours} hours?",
        f"The {vehicle} averages {speed} km/h and is on its way for {hours} hours. Give the length of the trip.",
    )
    work = f"Distance is speed times time: {speed} × {hours} = {{x}} km."
    return _row(rng, pick(asks, turn), speed * hours, "{x} km", work, f"{speed} km/h × {hours} h = {{x}} km")


def _duration(rng: Random, turn: int) -> Row:
    speed, hours, name = rng.randint(12, 24), rng.randint(2, 6), rng.choice(NAMES)
    asks = (
        f"{name} cycles {speed * hours} km at an average of {speed} km/h. How many hours does the ride take?",
        f"A boat has {speed * hours} km to go and makes {speed} km/h. In how many hours will it arrive?",
        f"How many hours does a skater need for {speed * hours} km if the pace is {speed} km/h?",
    )
    work = f"Divide the distance by the speed: {speed * hours} ÷ {speed} = {{x}}."
    return _row(rng, pick(asks, turn), hours, work, "{x} hours", "It takes {x} hours.")


def _share(rng: Random, turn: int) -> Row:
    (things, groups), each, count = rng.choice(SHARED), rng.randint(5, 12), rng.randint(4, 9)
    left = rng.randint(1, count - 2)
    total = each * count + left
    asks = (
        f"{total} {things} are divided equally among {count} {groups}. How many are left over?",
        f"I have {total} {things} for {count} {groups}, and each gets the same number. How many remain?",
        f"Share {total} {things} fairly between {count} {groups}. What is the remainder?",
    )
    work = f"{count} × {each} = {each * count} is the largest multiple that fits, and {total} - {each * count} = {{x}}."
    return _row(rng, pick(asks, turn), left, work, "{x}", f"Each gets {each}; left over: {{x}}", wrong=str(left + 1))


def _percent(rng: Random, turn: int) -> Row:
    rate, base = rng.choice((5, 15, 20, 25, 30, 40, 60, 75)), rng.randint(2, 40) * 20
    asks = (
        f"What is {rate}% of {base}?",
        f"Calculate {rate} percent of {base}.",
        f"In a survey {rate}% of {base} people said yes. How many people is that?",
    )
    work = f"One percent of {base} is {base / 100:g}, so {rate} percent is {{x}}."
    return _row(rng, pick(asks, turn), rate * base / 100, "{x}", work)


def _discount(rng: Random, turn: int) -> Row:
    thing, price, rate = rng.choice(THINGS), rng.randint(3, 15) * 20, rng.choice((10, 20, 25, 30, 40))
    asks = (
        f"A {thing} that used to cost ${price} is reduced by {rate}%. Find the sale price.",
        f"The price tag of a {thing} says ${price}, and today there is a discount of {rate}%. What do I pay?",
        f"How much is a {thing} of ${price} after a reduction of {rate}%?",
    )
    off = _text(price * rate / 100)
    work = f"The discount is {rate}% of {price}, that is ${off}.\nThe sale price is {price} - {off} = ${{x}}."
    return _row(rng, pick(asks, turn), price - price * rate / 100, work, "${x}")


def _increase(rng: Random, turn: int) -> Row:
    base, rate = rng.randint(4, 18) * 100, rng.choice((3, 4, 5, 6, 8, 12))
    new = base + base * rate // 100
    asks = (
        f"The monthly rent rose from ${base:,} to ${new:,}. By what percentage did it rise?",
        f"A club grew from {base:,} to {new:,} members. What is the percentage increase?",
        f"Last year we baked {base:,} loaves, this year {new:,}. How many percent more is that?",
    )
    work = f"The difference is {new - base}. Divided by {base} that is {rate / 100}, an increase of {{x}}%."
    return _row(rng, pick(asks, turn), rate, work, "By {x}%.", "{x}%", wrong=str(rate + 2))


def _mean(rng: Random, turn: int) -> Row:
    centre, steps = rng.randint(30, 60), [rng.randint(-5, 5) for _ in range(rng.randint(3, 5))]
    values = [centre + step for step in (*steps, -sum(steps))]  # the steps cancel, so the mean is the centre
    asks = ("Calculate the mean of these numbers.", "What is the average of the list?", "Average, please:")
    total, count = sum(values), len(values)
    work = f"The {count} numbers add up to {total}, and {total} ÷ {count} = {{x}}."
    return _row(rng, pick(asks, turn), total // count, work, "{x}", given=", ".join(map(str, values)))


def _median(rng: Random, turn: int) -> Row:
    values = [rng.randint(1, 99) for _ in range(rng.choice((5, 7)))]
    ordered = ", ".join(map(str, sorted(values)))
    asks = ("Find the median.", "Which value is in the middle once the list is sorted?", "Determine the median value.")
    work = f"In order the numbers are {ordered}. The one in the middle is {{x}}."
    return _row(rng, pick(asks, turn), median(values), work, "{x}", given="  ".join(map(str, values)))


def _fence(rng: Random, turn: int) -> Row:
    long, wide = rng.randint(8, 30), rng.randint(3, 7)
    asks = (
        f"A vegetable plot is {long} m long and {wide} m wide. How many metres of fence go around it?",
        f"Find the perimeter of a rectangle with sides of {long} m and {wide} m.",
        (
            f"{rng.choice(NAMES)} walks once around a pool of {long} m by {wide} m, close to the edge. How many "
            "metres is that?"
        ),
    )
    work = f"Length plus width is {long} + {wide} = {long + wide}, and twice that gives {{x}}."
    return _row(rng, pick(asks, turn), 2 * (long + wide), work, "{x} m", f"2 × {long} plus 2 × {wide} makes {{x}}.")


def _carpet(rng: Random, turn: int) -> Row:
    price, long, wide = rng.choice((15, 20, 25, 30)), rng.randint(4, 9), rng.randint(3, 6)
    asks = (
        f"Carpet costs ${price} per square metre. What does it cost to cover a floor of {long} m by {wide} m?",
        f"At ${price} a square metre, how expensive is new turf for a lawn of {long} m × {wide} m?",
        f"A painter charges ${price} for each square metre. What is her bill for a wall of {long} m by {wide} m?",
    )
    area = long * wide
    work = f"Area: {long} × {wide} = {area}\nCost: {area} × {price} = ${{x}}"
    return _row(rng, pick(asks, turn), area * price, work, "${x}", f"{area} square metres at ${price} come to ${{x}}.")


def _fraction(rng: Random, turn: int) -> Row:
    top, bottom = rng.choice(((2, 3), (3, 4), (2, 5), (4, 5), (5, 6), (3, 8)))
    whole = bottom * rng.randint(5, 20)
    asks = (
        f"A school has {whole} bicycles, and {top}/{bottom} of them are in use. How many bicycles is that?",
        f"Of {whole} eggs, {top}/{bottom} are brown. How many brown eggs are there?",
        f"A tank holds {whole} litres when full. How many litres are in it at {top}/{bottom} of its capacity?",
    )
    part = whole // bottom
    return _row(rng, pick(asks, turn), top * part, f"{whole} ÷ {bottom} = {part}, and {top} × {part} = {{x}}.", "{x}")


def _ages(rng: Random, turn: int) -> Row:
    (older, younger), times, age = rng.sample(NAMES, 2), rng.randint(2, 5), rng.randint(6, 15)
    total = (times + 1) * age
    asks = (
        f"{older} is {TIMES[times]} as old as {younger}. Together they are {total} years old. How old is {younger}?",
        f"{older}'s age is {TIMES[times]} that of {younger}, and their ages add up to {total}. Find {younger}'s age.",
        (
            f"An oak is {TIMES[times]} as old as a birch beside it. The two are {total} years old in sum. How old is "
            "the birch?"
        ),
    )
    work = (
        f"Call the smaller age y. Then the other is {times}y, and together they are {times + 1}y = {total}.\n"
        f"Dividing gives y = {{x}}."
    )
    return _row(rng, pick(asks, turn), age, work, "{x} years", "{x}")


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
    return _row(rng, pick(asks, turn), blue * part, work, "{x}")


def _workers(rng: Random, turn: int) -> Row:
    few, many, unit = *rng.choice(((3, 4), (4, 6), (5, 6), (2, 5), (6, 8))), rng.randint(1, 3)
    days = math.lcm(few, many) // few * unit
    asks = (
        f"{few} painters need {days} days for a building. How many days do {many} painters need at the same pace?",
        f"With {few} pumps a pool is empty after {days} hours. How many hours does it take {many} equal pumps?",
        f"A field is mown by {few} people in {days} hours. How long would {many} people take, working equally fast?",
    )
    done = few * days
    work = f"The whole job is {few} × {days} = {done} units of work, and {done} ÷ {many} = {{x}}."
    return _row(rng, pick(asks, turn), done // many, work, "{x}", wrong=str(done // many + 2))


def _minutes(rng: Random, turn: int) -> Row:
    hours, rest = rng.randint(2, 9), rng.choice((5, 10, 15, 25, 40, 50))
    asks = (
        f"Convert {hours} hours and {rest} minutes to minutes.",
        f"The match lasted {hours} hours {rest} minutes. Express that in minutes only.",
        f"How many minutes are {hours} h {rest} min?",
    )
    work = f"{hours} × 60 = {hours * 60}; {hours * 60} + {rest} = {{x}}."
    return _row(rng, pick(asks, turn), hours * 60 + rest, work, "{x}")


def _clock(rng: Random, turn: int) -> Row:
    hour, minute, lasts = rng.randint(13, 19), rng.choice((5, 15, 20, 35, 45)), rng.randint(15, 38) * 5
    start, end = hour * 60 + minute, hour * 60 + minute + lasts
    asks = (
        f"A film starts at {_clock_text(start)} and runs for {lasts} minutes. At what time does it end?",
        f"The roast went into the oven at {_clock_text(start)} and needs {lasts} minutes. When do I take it out?",
        f"If a train leaves at {_clock_text(start)} and the journey takes {lasts} minutes, when does it arrive?",
    )
    work = f"{lasts} minutes are {lasts // 60} h {lasts % 60} min, which leads to {{x}}."
    return _row(rng, pick(asks, turn), _clock_text(end), work, "{x}", "At {x}.", wrong=_clock_text(end - 30))


def _clock_text(minutes: int) -> str:
    return f"{minutes // 60}:{minutes % 60:02d}"


def _legs(rng: Random, turn: int) -> Row:
    hens, goats = rng.randint(4, 15), rng.randint(3, 12)
    heads, legs = hens + goats, 2 * hens + 4 * goats
    asks = (
        f"A farmer counts {heads} heads and {legs} legs among hens and goats. How many goats are there?",
        f"Bicycles and cars, {heads} vehicles in all, have {legs} wheels together. How many of them are cars?",
        f"In a barn there are {heads} owls and cats with {legs} legs. Find the number of cats.",
    )
    work = (
        f"If all {heads} had two there would be {2 * heads}. That leaves {legs} - {2 * heads} = {legs - 2 * heads}, "
        f"two more for each one with four, so the answer is {{x}}."
    )
    return _row(rng, pick(asks, turn), goats, work, "{x}", wrong=str(goats + 1))


def _sequence(rng: Random, turn: int) -> Row:
    start, step, times = rng.randint(1, 12), rng.randint(3, 11), rng.choice((1, 1, 2))
    terms = [start]
    while len(terms) < 6:
        terms.append(terms[-1] * times + step)
    asks = ("Continue the sequence with one number.", "What comes next?", "Find the next term of the sequence.")
    rule = f"add {step}" if times == 1 else f"double the number and add {step}"
    given = ", ".join(map(str, terms[:5]))
    return _row(rng, pick(asks, turn), terms[5], f"The rule is to {rule}: {{x}}", "{x}", given=given)


def _equation(rng: Random, turn: int) -> Row:
    factor, solution, shift = rng.randint(2, 9), rng.randint(2, 14), rng.randint(1, 20)
    total = factor * solution + shift
    asks = (
        f"Solve for x: {factor}x + {shift} = {total}",
        f"For which x is {factor}x + {shift} equal to {total}?",
        f"I think of a number, multiply it by {factor}, add {shift} and get {total}. What is my number?",
    )
    work = f"Subtract {shift} from both sides: {factor}x = {total - shift}. Divide by {factor}: x = {{x}}."
    return _row(rng, pick(asks, turn), solution, work, "{x}")


def _buses(rng: Random, turn: int) -> Row:
    people, seats = rng.randint(90, 400), rng.choice((32, 45, 48, 54))
    needed = math.ceil(people / seats)
    asks = (
        f"{people} guests travel to a wedding in coaches with {seats} seats. How many coaches must be ordered?",
        f"How many boxes do I need to pack {people} oranges if a box takes {seats}?",
        (
            f"A school of {people} pupils eats in shifts, because the canteen seats {seats}. What is the least number "
            "of shifts?"
        ),
    )
    work = f"{needed - 1} would be enough for only {(needed - 1) * seats}, so the answer is {{x}}."
    return _row(rng, pick(asks, turn), needed, work, "{x}", wrong=str(needed - 1))


def _saving(rng: Random, turn: int) -> Row:
    name, has, weekly, weeks = (
        rng.choice(NAMES),
        rng.randint(2, 9) * 10,
        rng.choice((8, 12, 15, 20)),
        rng.randint(5, 16),
    )
    goal = has + weekly * weeks
    asks = (
        f"{name} has ${has}, saves ${weekly} a week and wants a keyboard for ${goal}. How many weeks will it take?",
        f"Starting with ${has} and adding ${weekly} every week, after how many weeks does {name} own ${goal}?",
        f"A fund holds ${has} and grows by ${weekly} each week. How many weeks pass until it reaches ${goal}?",
    )
    work = f"Still missing: {goal} - {has} = {goal - has}\nWeeks: {goal - has} ÷ {weekly} = {{x}}"
    return _row(rng, pick(asks, turn), weeks, work, "{x} weeks")


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
    return _row(rng, pick(asks, turn), math.lcm(first, second), work, "{x}")


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
    return _row(rng, pick(asks, turn), right, "{x}", work, wrong=wrong)


def _library(rng: Random, turn: int) -> Row:
    start, gone, boxes, each = rng.randint(200, 900), rng.randint(20, 90), rng.randint(3, 8), rng.choice((12, 15, 24))
    asks = (
        f"A library owns {start} books, gives away {gone} and buys {boxes} boxes of {each}. How many books has it now?",
        (
            f"A baker starts with {start} rolls, sells {gone} and bakes {boxes} more trays of {each}. How many rolls "
            "are there?"
        ),
        f"From {start} stamps I sell {gone}, then I add {boxes} sheets with {each} stamps each. Count my stamps.",
    )
    kept, more = start - gone, boxes * each
    work = f"{start} - {gone} = {kept}\n{boxes} × {each} = {more}\n{kept} + {more} = {{x}}"
    return _row(rng, pick(asks, turn), kept + more, work, "{x}")


def _brackets(rng: Random, turn: int) -> Row:
    a, b, c, d = rng.randint(3, 20), rng.randint(2, 9), rng.randint(9, 15), rng.randint(2, 8)
    asks = (
        f"Evaluate {a} + {b} × ({c} - {d}).",
        f"Mind the order of operations: {a} + {b} × ({c} - {d}) = ?",
        f"What is the value of the expression {a} + {b} × ({c} - {d})?",
    )
    product = b * (c - d)
    work = f"Brackets first: {c} - {d} = {c - d}. Then {b} × {c - d} = {product}, and finally {a} + {product} = {{x}}."
    return _row(rng, pick(asks, turn), a + product, work, "{x}")


def _rounding(rng: Random, turn: int) -> Row:
    value, unit = rng.randint(1_010, 98_990), (10, 100, 1_000)[turn]
    right = (value + unit // 2) // unit * unit
    asks = (
        f"Round {value:,} to the nearest {unit:,}.",
        f"The stadium counted {value:,} visitors. Round the number to the nearest {unit:,}.",
        f"To the nearest {unit:,}, what is {value:,}?",
    )
    return _row(rng, pick(asks, turn), right, "{x}", "Rounded, it is {x}.", wrong=f"{right - unit:,}")


def _tiles(rng: Random, turn: int) -> Row:
    side, across, up = rng.choice((20, 25, 40, 50)), rng.randint(6, 15), rng.randint(4, 9)
    wide, high = across * side, up * side
    asks = (
        f"How many square tiles with sides of {side} cm cover a wall {wide} cm wide and {high} cm high?",
        f"Square patches of {side} cm are sewn into a quilt of {wide} cm by {high} cm. How many patches is that?",
        f"A sheet is cut into squares of {side} cm. How many squares do {wide} cm × {high} cm give?",
    )
    work = f"{across} fit next to each other and {up} on top of each other, and {across} × {up} = {{x}}."
    return _row(rng, pick(asks, turn), across * up, work, "{x}")


KINDS = (
    *(_bill, _change, _distance, _duration, _share, _percent, _discount, _increase, _mean, _median, _fence, _carpet),
    *(_fraction, _ages, _ratio, _workers, _minutes, _clock, _legs, _sequence, _equation, _buses, _saving, _trams),
    *(_marbles, _library, _brackets, _rounding, _tiles),
)
