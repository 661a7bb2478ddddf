"""Arithmetic problems from daily life: bills, trips, areas, ages and work."""

import math
from random import Random

from demo_topics.arithmetic_row import sum_row
from demo_topics.rows import Row, pick

NAMES = ("Mia", "Omar", "Lena", "Ravi", "Sofia", "Jonas", "Aiko", "Ben", "Chloe", "Diego", "Nadia", "Tom")
GOODS = ("notebooks", "mugs", "candles", "tennis balls", "brushes", "puzzles", "plant pots", "scarves")
EXTRAS = ("pen case", "poster", "calendar", "tote bag", "desk lamp", "frame")
VEHICLES = ("train", "coach", "delivery van", "motorcycle", "ferry")
THINGS = ("winter coat", "bicycle helmet", "rucksack", "coffee machine", "pair of boots", "board game")
TIMES = {2: "twice", 3: "three times", 4: "four times", 5: "five times"}
SHARED = (("sweets", "children"), ("stickers", "pupils"), ("chairs", "rooms"), ("apples", "baskets"))


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
    return sum_row(
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
    return sum_row(rng, pick(asks, turn), note - spent, work, "${x}")


def _distance(rng: Random, turn: int) -> Row:
    speed, hours, vehicle = rng.randint(4, 13) * 10, rng.randint(2, 7), rng.choice(VEHICLES)
    asks = (
        f"A {vehicle} keeps a steady {speed} km/h for {hours} hours. How far does it get?",
        f"Travelling at {speed} km/h, what distance does a {vehicle} cover in {hours} hours?",
        f"The {vehicle} averages {speed} km/h and is on its way for {hours} hours. Give the length of the trip.",
    )
    work = f"Distance is speed times time: {speed} × {hours} = {{x}} km."
    return sum_row(rng, pick(asks, turn), speed * hours, work, "{x} km", f"{speed} km/h × {hours} h = {{x}} km")


def _duration(rng: Random, turn: int) -> Row:
    speed, hours, name = rng.randint(12, 24), rng.randint(2, 6), rng.choice(NAMES)
    asks = (
        f"{name} cycles {speed * hours} km at an average of {speed} km/h. How many hours does the ride take?",
        f"A boat has {speed * hours} km to go and makes {speed} km/h. In how many hours will it arrive?",
        f"How many hours does a skater need for {speed * hours} km if the pace is {speed} km/h?",
    )
    work = f"Divide the distance by the speed: {speed * hours} ÷ {speed} = {{x}}."
    return sum_row(rng, pick(asks, turn), hours, work, "{x} hours", "It takes {x} hours.")


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
    return sum_row(rng, pick(asks, turn), left, work, "{x}", f"Each gets {each}; left over: {{x}}", wrong=str(left + 1))


def _discount(rng: Random, turn: int) -> Row:
    thing, price, rate = rng.choice(THINGS), rng.randint(3, 15) * 20, rng.choice((10, 20, 25, 30, 40))
    asks = (
        f"A {thing} that used to cost ${price} is reduced by {rate}%. Find the sale price.",
        f"The price tag of a {thing} says ${price}, and today there is a discount of {rate}%. What do I pay?",
        f"How much is a {thing} of ${price} after a reduction of {rate}%?",
    )
    off = price * rate // 100
    work = f"The discount is {rate}% of {price}, that is ${off}.\nThe sale price is {price} - {off} = ${{x}}."
    return sum_row(rng, pick(asks, turn), price - off, work, "${x}")


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
    return sum_row(rng, pick(asks, turn), 2 * (long + wide), work, "{x} m", f"2 × {long} plus 2 × {wide} makes {{x}}.")


def _carpet(rng: Random, turn: int) -> Row:
    price, long, wide = rng.choice((15, 20, 25, 30)), rng.randint(4, 9), rng.randint(3, 6)
    asks = (
        f"Carpet costs ${price} per square metre. What does it cost to cover a floor of {long} m by {wide} m?",
        f"At ${price} a square metre, how expensive is new turf for a lawn of {long} m × {wide} m?",
        f"A painter charges ${price} for each square metre. What is her bill for a wall of {long} m by {wide} m?",
    )
    area = long * wide
    work = f"Area: {long} × {wide} = {area}\nCost: {area} × {price} = ${{x}}"
    return sum_row(
        rng, pick(asks, turn), area * price, work, "${x}", f"{area} square metres at ${price} come to ${{x}}."
    )


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
    return sum_row(rng, pick(asks, turn), age, work, "{x} years", "{x}")


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
    return sum_row(rng, pick(asks, turn), done // many, work, "{x}", wrong=str(done // many + 2))


def _clock(rng: Random, turn: int) -> Row:
    hour, minute, lasts = rng.randint(13, 19), rng.choice((5, 15, 20, 35, 45)), rng.randint(15, 38) * 5
    start, end = hour * 60 + minute, hour * 60 + minute + lasts
    asks = (
        f"A film starts at {_clock_text(start)} and runs for {lasts} minutes. At what time does it end?",
        f"The roast went into the oven at {_clock_text(start)} and needs {lasts} minutes. When do I take it out?",
        f"If a train leaves at {_clock_text(start)} and the journey takes {lasts} minutes, when does it arrive?",
    )
    work = f"{lasts} minutes are {lasts // 60} h {lasts % 60} min, which leads to {{x}}."
    return sum_row(rng, pick(asks, turn), _clock_text(end), work, "{x}", "At {x}.", wrong=_clock_text(end - 30))


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
    return sum_row(rng, pick(asks, turn), goats, work, "{x}", wrong=str(goats + 1))


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
    return sum_row(rng, pick(asks, turn), needed, work, "{x}", wrong=str(needed - 1))


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
    return sum_row(rng, pick(asks, turn), weeks, work, "{x} weeks")


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
    return sum_row(rng, pick(asks, turn), kept + more, work, "{x}")


def _tiles(rng: Random, turn: int) -> Row:
    side, across, up = rng.choice((20, 25, 40, 50)), rng.randint(6, 15), rng.randint(4, 9)
    wide, high = across * side, up * side
    asks = (
        f"How many square tiles with sides of {side} cm cover a wall {wide} cm wide and {high} cm high?",
        f"Square patches of {side} cm are sewn into a quilt of {wide} cm by {high} cm. How many patches is that?",
        f"A sheet is cut into squares of {side} cm. How many squares do {wide} cm × {high} cm give?",
    )
    work = f"{across} fit next to each other and {up} on top of each other, and {across} × {up} = {{x}}."
    return sum_row(rng, pick(asks, turn), across * up, work, "{x}")


def _clock_text(minutes: int) -> str:
    return f"{minutes // 60}:{minutes % 60:02d}"


KINDS = (
    _bill,
    _change,
    _distance,
    _duration,
    _share,
    _discount,
    _fence,
    _carpet,
    _ages,
    _workers,
    _clock,
    _legs,
    _buses,
    _saving,
    _library,
    _tiles,
)
