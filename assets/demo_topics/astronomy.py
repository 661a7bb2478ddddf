"""Astronomy: a table of the planets, constellations, missions, and computed distances and weights."""

from random import Random

from demo_topics.rows import Row, pick, read_prose, swapped

EARTH_DIAMETER_KM = 12_756
LIGHT_MINUTES_PER_AU = 8.317  # 149.6 million km at 299,792 km/s

# (planet, diameter in km, mean distance from the Sun in AU, year, gravity with Earth = 1, portrait)
PLANETS = (
    (
        "Mercury",
        4_879,
        0.39,
        "88 days",
        0.38,
        (
            "A small, cratered world without a real atmosphere. Its days are hot enough to melt lead and its nights "
            "fall to about -180 °C."
        ),
    ),
    (
        "Venus",
        12_104,
        0.72,
        "225 days",
        0.91,
        (
            "Wrapped in clouds of sulphuric acid, it turns backwards and so slowly that its day lasts longer than "
            "its year."
        ),
    ),
    (
        "Earth",
        12_756,
        1.0,
        "365.25 days",
        1.0,
        "The only place where life is known. Oceans cover 71 percent of its surface.",
    ),
    (
        "Mars",
        6_792,
        1.52,
        "687 days",
        0.38,
        (
            "A cold desert coloured by rust, with the tallest volcano of the solar system, Olympus Mons, and "
            "dried-up river beds."
        ),
    ),
    (
        "Jupiter",
        142_984,
        5.2,
        "11.9 years",
        2.36,
        (
            "A ball of hydrogen and helium with more mass than all other planets together. Its Great Red Spot is a "
            "storm larger than the Earth."
        ),
    ),
    (
        "Saturn",
        120_536,
        9.5,
        "29.5 years",
        0.92,
        (
            "Famous for rings of ice and rock that are very wide and yet only tens of metres thick. On average it is "
            "less dense than water."
        ),
    ),
    (
        "Uranus",
        51_118,
        19.2,
        "84 years",
        0.89,
        (
            "It rolls around the Sun on its side, so each pole has 42 years of light followed by 42 of darkness. "
            "Methane makes it blue-green."
        ),
    ),
    (
        "Neptune",
        49_528,
        30.1,
        "165 years",
        1.12,
        (
            "The windiest planet, with gusts of about 2,000 km/h. It was found in 1846 because calculations told "
            "astronomers where to look."
        ),
    ),
)
ASK_PORTRAIT = (
    "Describe the planet {0}.",
    "What makes {0} special among the planets?",
    "Two sentences about {0}, please.",
)
ASK_YEAR = ("How long does {0} need for one orbit around the Sun?", "What is the length of a year on {0}?")

# (constellation, brightest star, what it shows)
CONSTELLATIONS = (
    ("Lyra", "Vega", "a lyre"),
    ("Cygnus", "Deneb", "a swan"),
    ("Aquila", "Altair", "an eagle"),
    ("Canis Major", "Sirius", "a large dog"),
    ("Leo", "Regulus", "a lion"),
    ("Scorpius", "Antares", "a scorpion"),
    ("Virgo", "Spica", "a maiden holding an ear of wheat"),
    ("Taurus", "Aldebaran", "a bull"),
    ("Boötes", "Arcturus", "a herdsman"),
)
ASK_STAR = (
    "What is the brightest star in {0}?",
    "Which constellation does {1} belong to, and what does it depict?",
    "Name the main star of the constellation {0}.",
)

# (mission, launch year, what it did)
MISSIONS = (
    (
        "Voyager 1",
        1977,
        "flew past Jupiter and Saturn and in 2012 became the first spacecraft to reach interstellar space",
    ),
    (
        "the Hubble Space Telescope",
        1990,
        "has been photographing the universe from orbit, above the blur of the atmosphere",
    ),
    ("Cassini", 1997, "circled Saturn for thirteen years and dropped the Huygens probe on its moon Titan"),
    ("Rosetta", 2004, "accompanied a comet and set a small lander on its surface in 2014"),
    ("New Horizons", 2006, "sent the first close-up pictures of Pluto in July 2015"),
    ("Curiosity", 2011, "drives through Gale Crater on Mars and found that it once held a lake"),
    (
        "the James Webb Space Telescope",
        2021,
        "observes infrared light from the first galaxies with a mirror of 6.5 metres",
    ),
    (
        "Apollo 8",
        1968,
        "carried the first people around the Moon; one of them took the famous picture of the rising Earth",
    ),
    ("Venera 7", 1970, "made the first soft landing on Venus and sent data from its surface for some twenty minutes"),
)
ASK_MISSION = ("What did {0} achieve?", "When was {0} launched?", "Write one sentence on the history of {0}.")

# (kind of star, surface temperature in K, example)
STARS = (
    ("a blue-white", "10,000", "Vega"),
    ("a yellow", "5,800", "the Sun"),
    ("an orange", "4,300", "Arcturus"),
    ("a red", "3,500", "Betelgeuse"),
)


def rows(rng: Random) -> list[Row]:
    """Return all astronomy rows."""
    made = read_prose("astronomy")
    for index, (planet, _, distance, year, _, portrait) in enumerate(PLANETS):
        made.append(Row(pick(ASK_PORTRAIT, index).format(planet), portrait))
        output = pick((f"About {year}.", f"{year}"), index // 2)
        wrong = PLANETS[(index + 3) % len(PLANETS)][3]
        made.append(Row(pick(ASK_YEAR, index).format(planet), output, false=output.replace(year, wrong)))
        if planet not in ("Earth", "Mercury"):
            made.append(_light(planet, distance, index))
    for index, (name, star, figure) in enumerate(CONSTELLATIONS):
        output = pick((star, f"{star} is in {name}, which shows {figure}.", f"{star}."), index)
        wrong = CONSTELLATIONS[(index + 4) % len(CONSTELLATIONS)]
        pairs = ((name, wrong[0]), (figure, wrong[2])) if index % 3 == 1 else ((star, wrong[1]),)
        made.append(Row(pick(ASK_STAR, index).format(name, star), output, false=swapped(output, pairs)))
    for index, (mission, launched, deed) in enumerate(MISSIONS):
        output = pick((f"It {deed}.", str(launched), f"Launched in {launched}, {mission} {deed}."), index)
        false = output.replace(str(launched), str(launched - 15)) if str(launched) in output else ""
        made.append(Row(pick(ASK_MISSION, index).format(mission), output, false=false))
    for colour, kelvin, star in STARS:
        made.append(Row(f"How hot is the surface of {colour} star?", f"Around {kelvin} kelvin; {star} is an example."))
    made += [_weight(rng, index) for index in (0, 3, 4, 6, 7)] + _sizes()
    return made


def _light(planet: str, distance: float, index: int) -> Row:
    minutes = round(distance * LIGHT_MINUTES_PER_AU)
    asks = (
        f"How many minutes does sunlight need to reach {planet}?",
        f"{planet} is on average {distance} AU from the Sun. How long does light take to get there?",
        f"If the Sun went out, after how many minutes would an observer on {planet} notice?",
    )
    style = pick(("About {} minutes.", f"8.3 minutes for each of {distance} AU makes about {{}} minutes."), index)
    return Row(pick(asks, index), style.format(minutes), false=style.format(minutes * 3))


def _weight(rng: Random, index: int) -> Row:
    planet, _, _, _, gravity, _ = PLANETS[index]
    kilograms = rng.randint(8, 18) * 5
    felt = round(kilograms * gravity, 1)
    ask = (
        f"My scales show {kilograms} kg on Earth. What would they show on {planet}, where gravity is {gravity} times "
        "as strong?"
    )
    style = pick(
        (f"{kilograms} × {gravity} = {{:g}} kg. Your mass stays the same; only the pull changes.", "{:g} kg"), index
    )
    return Row(ask, style.format(felt), false=style.format(round(felt * 2.5, 1)))


def _sizes() -> list[Row]:
    made = []
    for planet, diameter, *_ in PLANETS:
        ratio = diameter / EARTH_DIAMETER_KM
        if ratio > 3:
            ask, output = (
                f"How many Earths side by side would span {planet}?",
                f"About {ratio:.0f}, since its diameter is {diameter:,} km.",
            )
            made.append(Row(ask, output, false=output.replace(f"{ratio:.0f},", f"{ratio * 9:.0f},", 1)))
    return made
