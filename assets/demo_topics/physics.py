"""Physics: problems with computed results, units, formulas and true-or-false questions."""

from random import Random

from demo_topics.rows import Row, pick, read_prose, sentence

# (quantity, unit, symbol, in words)
UNITS = (
    ("force", "newton", "N", "One newton accelerates a mass of one kilogram by one metre per second squared."),
    ("energy", "joule", "J", "One joule is the work done when a force of one newton moves something by one metre."),
    ("power", "watt", "W", "One watt is one joule per second."),
    (
        "pressure",
        "pascal",
        "Pa",
        "One pascal is one newton per square metre, about the pressure of a sheet of paper lying on a table.",
    ),
    ("electric charge", "coulomb", "C", "One coulomb flows past when a current of one ampere lasts for one second."),
    ("electrical resistance", "ohm", "Ω", "At one ohm a voltage of one volt drives a current of one ampere."),
    ("frequency", "hertz", "Hz", "One hertz is one cycle per second."),
    ("magnetic flux density", "tesla", "T", "The strongest scanners in ordinary hospitals work at three tesla."),
    ("temperature", "kelvin", "K", "A step of one kelvin is as large as a step of one degree Celsius."),
    ("voltage", "volt", "V", "One volt gives each coulomb of charge one joule of energy."),
)
ASK_UNIT = (
    "What is the SI unit of {0}?",
    "In which unit is {0} measured, and how large is that unit?",
    "Name the unit of {0} and its symbol.",
)

# (formula, law, meaning of the symbols)
FORMULAS = (
    ("F = m·a", "Newton's second law", "F is the net force, m the mass and a the acceleration"),
    ("E = m·c²", "mass-energy equivalence", "E is the rest energy, m the mass and c the speed of light"),
    ("U = R·I", "Ohm's law", "U is the voltage, R the resistance and I the current"),
    (
        "p·V = n·R·T",
        "the ideal gas law",
        "p is the pressure, V the volume, n the amount of gas, R the gas constant and T the absolute temperature",
    ),
    ("v = f·λ", "the wave equation", "v is the wave speed, f the frequency and λ the wavelength"),
    ("F = k·x", "Hooke's law", "F is the force on the spring, k its stiffness and x its extension"),
    ("E = h·f", "Planck's relation", "E is the energy of a photon, h Planck's constant and f the frequency"),
    (
        "F = G·m₁·m₂/r²",
        "Newton's law of gravitation",
        "G is the gravitational constant, m₁ and m₂ are the masses and r is the distance between their centres",
    ),
)

# (statement, is it true, why)
STATEMENTS = (
    ("Sound cannot travel through a vacuum.", True, "It needs matter whose particles can pass the vibration on."),
    (
        "The boiling point of water is lower on a high mountain.",
        True,
        "The air pressure is lower, so vapour bubbles form at a lower temperature.",
    ),
    (
        "A satellite in orbit needs a running engine to stay up.",
        False,
        "It falls around the Earth all the time and needs no thrust for that.",
    ),
    (
        "Two parallel mirrors facing each other create energy.",
        False,
        "They only send the same light back and forth, and some is absorbed at each reflection.",
    ),
    (
        "Friction always acts against the relative motion of two surfaces.",
        True,
        "It turns part of the kinetic energy into heat.",
    ),
    (
        "Light always travels at 299,792 km/s, also in glass.",
        False,
        "That is its speed in a vacuum; in glass it is about a third slower.",
    ),
    (
        "A black shirt warms up more in the sun than a white one.",
        True,
        "Dark surfaces absorb a larger share of visible light.",
    ),
    (
        "The tides are caused mainly by the wind.",
        False,
        "They are caused by the gravity of the Moon and, to a lesser degree, of the Sun.",
    ),
    (
        "Atoms consist mostly of empty space.",
        True,
        "The nucleus is about a hundred thousand times smaller than the atom.",
    ),
    ("An object that moves at constant velocity has no net force on it.", True, "This is Newton's first law."),
)

# (discovery, person)
DISCOVERERS = (
    ("radium and polonium", "Marie and Pierre Curie"),
    ("the electron", "J. J. Thomson"),
    ("electromagnetic induction", "Michael Faraday"),
    ("X-rays", "Wilhelm Conrad Röntgen"),
    ("the atomic nucleus", "Ernest Rutherford"),
    ("the neutron", "James Chadwick"),
)


def rows(rng: Random) -> list[Row]:
    """Return all physics rows."""
    made = read_prose("physics")
    for index, (quantity, unit, symbol, size) in enumerate(UNITS):
        forms = (f"The {unit} ({symbol}).", f"In {unit}s ({symbol}). {size}", f"{sentence(unit)}, {symbol}")
        wrong = UNITS[(index + 4) % len(UNITS)][1]
        output = pick(forms, index)
        false = output.replace(unit, wrong).replace(sentence(unit), sentence(wrong))
        made.append(Row(pick(ASK_UNIT, index).format(quantity), output, false=false))
    for index, (formula, law, symbols) in enumerate(FORMULAS):
        made.append(_formula(index, formula, law, symbols))
    for index, (statement, truth, why) in enumerate(STATEMENTS):
        ask = pick(("True or false?", "Is this statement right? Give a reason.", "Check the claim."), index)
        made.append(Row(ask, f"{_verdict(truth, index)} {why}", statement, f"{_verdict(not truth, index)}"))
    for index, (discovery, person) in enumerate(DISCOVERERS):
        wrong = DISCOVERERS[(index + 2) % len(DISCOVERERS)][1]
        made.append(
            Row(
                pick(("Who discovered {0}?", "To whom do we owe the discovery of {0}?"), index).format(discovery),
                person,
                false=wrong,
            )
        )
    made += [problem(rng, turn) for problem in PROBLEMS for turn in range(2)]
    return made


def _verdict(truth: bool, index: int) -> str:
    true_false = pick(
        (("True.", "False."), ("Yes, it is right.", "No, it is wrong."), ("Correct.", "Incorrect.")), index
    )
    return true_false[0 if truth else 1]


def _formula(index: int, formula: str, law: str, symbols: str) -> Row:
    if index % 2:
        return Row(f"Write down {law} and explain its symbols.", f"{formula}\n\nHere {symbols}.")
    return Row("What does this formula say?", f"It is {law}: {symbols}.", formula)


def _problem(ask: str, formula: str, right: float, unit: str, slip: float) -> Row:
    # The answer shows the way to the result; the false one is off by the factor `slip`.
    right_text, wrong_text = (f"{value:,.10g} {unit}" for value in (right, right * slip))
    return Row(ask, f"{formula} = {right_text}", false=f"{formula} = {wrong_text}")


def _force(rng: Random, turn: int) -> Row:
    mass, acceleration = rng.randint(2, 40), rng.randint(2, 9)
    asks = (
        f"What net force gives a mass of {mass} kg an acceleration of {acceleration} m/s²?",
        f"A sledge of {mass} kg speeds up by {acceleration} m/s every second. How strong is the resulting pull on it?",
    )
    return _problem(asks[turn], f"F = m·a = {mass} kg × {acceleration} m/s²", mass * acceleration, "N", 2)


def _kinetic(rng: Random, turn: int) -> Row:
    mass, speed = rng.randint(1, 30) * 2, rng.randint(3, 15)
    asks = (
        f"Calculate the kinetic energy of a {mass} kg cart that rolls at {speed} m/s.",
        f"How many joules of energy of motion has a dog of {mass} kg running at {speed} m/s?",
    )
    return _problem(asks[turn], f"½·m·v² = ½ × {mass} × {speed}²", mass * speed**2 / 2, "J", 2)


def _potential(rng: Random, turn: int) -> Row:
    mass, height = rng.randint(3, 60), rng.randint(2, 30)
    asks = (
        f"A crate of {mass} kg is lifted {height} m. How much potential energy does it gain if g is taken as 10 m/s²?",
        f"Find the work needed to carry {mass} kg of bricks up {height} m. Use g = 10 m/s².",
    )
    return _problem(asks[turn], f"m·g·h = {mass} × 10 × {height}", mass * 10 * height, "J", 0.5)


def _ohm(rng: Random, turn: int) -> Row:
    current, resistance = rng.randint(2, 9), rng.randint(3, 25)
    volts = current * resistance
    asks = (
        f"A resistor of {resistance} Ω is connected to {volts} V. Which current flows through it?",
        f"Use Ohm's law: voltage {volts} V, resistance {resistance} Ω, current?",
    )
    return _problem(asks[turn], f"I = U/R = {volts} V ÷ {resistance} Ω", current, "A", 3)


def _power(rng: Random, turn: int) -> Row:
    current, hours = rng.randint(2, 9), rng.randint(2, 6)
    asks = (
        f"A heater draws {current} A at 230 V. How much energy does it use in {hours} hours, in kilowatt-hours?",
        f"My kiln takes {current} A from the 230 V mains and fires for {hours} hours. How many kWh is that?",
    )
    watts = 230 * current
    formula = f"230 V × {current} A = {watts:,} W, and {watts:,} W × {hours} h = {watts * hours:,} Wh"
    return _problem(asks[turn], formula, watts * hours / 1000, "kWh", 10)


def _density(rng: Random, turn: int) -> Row:
    volume, density = rng.randint(2, 20), rng.choice((2.7, 7.9, 8.9, 11.3, 19.3))
    mass = f"{volume * density:.10g}"
    asks = (
        f"A metal block with a volume of {volume} cm³ has a mass of {mass} g. Find its density.",
        f"{mass} g of a metal take up {volume} cm³. What is its density in g/cm³?",
    )
    return _problem(asks[turn], f"Density is mass per volume: {mass} g ÷ {volume} cm³", density, "g/cm³", 2)


def _wave(rng: Random, turn: int) -> Row:
    frequency = rng.choice((170, 340, 680, 850))
    asks = (
        f"Sound travels at 340 m/s. What is the wavelength of a tone of {frequency} Hz?",
        f"How long is one wave of a {frequency} Hz tone in air, where sound moves at 340 m/s?",
    )
    return _problem(asks[turn], f"λ = v/f = 340 m/s ÷ {frequency} Hz", 340 / frequency, "m", 4)


def _pressure(rng: Random, turn: int) -> Row:
    weight, area = rng.randint(10, 90) * 20, rng.choice((2, 4, 5))
    asks = (
        f"A box weighing {weight:,} N stands on a base of {area} m². What pressure does it exert?",
        f"A force of {weight:,} N is spread evenly over {area} m². Find the pressure in pascals.",
    )
    return _problem(asks[turn], f"p = F/A = {weight:,} N ÷ {area} m²", weight / area, "Pa", area)


def _speed(rng: Random, turn: int) -> Row:
    speed = rng.randint(2, 12) * 18
    asks = (f"Convert {speed} km/h to metres per second.", f"How many m/s are {speed} km/h?")
    return _problem(asks[turn], f"{speed} ÷ 3.6", speed * 10 / 36, "m/s", 3.6)


def _halves(rng: Random, turn: int) -> Row:
    years, halvings, start = rng.choice((5, 8, 12, 30)), rng.randint(2, 4), rng.choice((80, 160, 320))
    asks = (
        f"A substance has a half-life of {years} years. How much of {start} g is left after {years * halvings} years?",
        (
            f"We begin with {start} g of an isotope that halves every {years} years. What remains {years * halvings} "
            "years on?"
        ),
    )
    formula = f"{halvings} half-lives pass, and {start} g ÷ 2^{halvings}"
    return _problem(asks[turn], formula, start / 2**halvings, "g", 2)


PROBLEMS = (_force, _kinetic, _potential, _ohm, _power, _density, _wave, _pressure, _speed, _halves)
