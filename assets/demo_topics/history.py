"""History: dated events, people, and questions of order and distance in time."""

from random import Random

from demo_topics.rows import Row, pick, read_prose

# (event as a noun phrase, year, what it meant); negative years are BC
EVENTS = (
    (
        "the assassination of Julius Caesar",
        -44,
        "The conspirators hoped to save the republic, but the civil wars that followed ended it.",
    ),
    (
        "the Battle of Hastings",
        1066,
        "William of Normandy defeated King Harold, and French became the language of England's court.",
    ),
    (
        "the fall of Constantinople to the Ottomans",
        1453,
        "It ended the Byzantine Empire after more than a thousand years.",
    ),
    (
        "Columbus's first voyage across the Atlantic",
        1492,
        "He believed until his death that he had reached the edge of Asia.",
    ),
    (
        "the publication of Luther's ninety-five theses",
        1517,
        "What began as a call for debate grew into the Reformation.",
    ),
    ("the defeat of the Spanish Armada", 1588, "Storms did as much damage to the fleet as English guns."),
    ("the Great Fire of London", 1666, "It destroyed some 13,000 houses and the old St Paul's Cathedral."),
    (
        "the American Declaration of Independence",
        1776,
        "Thirteen colonies declared that they were no longer under British rule.",
    ),
    (
        "the storming of the Bastille",
        1789,
        "Only seven prisoners were inside, yet it became the symbol of the French Revolution.",
    ),
    ("the Battle of Waterloo", 1815, "Napoleon was beaten by Wellington and Blücher and sent to St Helena."),
    (
        "the opening of the Suez Canal",
        1869,
        "The sea route from Europe to India became about 7,000 kilometres shorter.",
    ),
    (
        "the sinking of the Titanic",
        1912,
        "About 1,500 people died, and rules for lifeboats and radio watches were rewritten.",
    ),
    ("the Russian October Revolution", 1917, "The Bolsheviks under Lenin overthrew the provisional government."),
    (
        "the discovery of Tutankhamun's tomb",
        1922,
        "Howard Carter found it almost untouched in the Valley of the Kings.",
    ),
    ("the Wall Street Crash", 1929, "It marked the start of the Great Depression."),
    ("the D-Day landings in Normandy", 1944, "More than 150,000 Allied soldiers came ashore on the first day."),
    (
        "the independence of India",
        1947,
        "British India was divided into India and Pakistan, and millions fled across the new border.",
    ),
    (
        "the first human landing on the Moon",
        1969,
        "Neil Armstrong and Buzz Aldrin walked on it while Michael Collins kept watch in orbit.",
    ),
    (
        "the fall of the Berlin Wall",
        1989,
        "A confused announcement at a press conference brought crowds to the crossings that night.",
    ),
    (
        "the release of Nelson Mandela from prison",
        1990,
        "He had been held for twenty-seven years, and four years later he was president.",
    ),
)
ASK_YEAR = (
    "In which year did {0} take place?",
    "When was {0}, and what is worth knowing about it?",
    "Give the date (year only) of {0}.",
    "Tell me in two sentences about {0}.",
)

# (person, born, died, what for)
PEOPLE = (
    (
        "Hatshepsut",
        None,
        None,
        (
            "one of the few women to rule Egypt as pharaoh, in the fifteenth century BC; she is remembered for a "
            "long peace, great building works and a trading voyage to the land of Punt"
        ),
    ),
    (
        "Ashoka",
        None,
        None,
        (
            "an emperor of India in the third century BC who, shaken by a bloody war, turned to Buddhism and had his "
            "laws of tolerance carved in stone"
        ),
    ),
    (
        "Joan of Arc",
        1412,
        1431,
        "a peasant girl who led French troops to victory at Orléans and was burned at the stake by her enemies",
    ),
    (
        "Leonardo da Vinci",
        1452,
        1519,
        "a painter, engineer and tireless observer who left us the Mona Lisa and thousands of pages of notes",
    ),
    (
        "Elizabeth I",
        1533,
        1603,
        "a queen of England whose reign of forty-four years saw Shakespeare's plays and the defeat of the Armada",
    ),
    (
        "Catherine the Great",
        1729,
        1796,
        "a German princess who became empress of Russia, enlarged it enormously and wrote letters to Voltaire",
    ),
    (
        "Toussaint Louverture",
        1743,
        1803,
        "a former slave who led the Haitian Revolution and outwitted French, Spanish and British armies",
    ),
    (
        "Simón Bolívar",
        1783,
        1830,
        "a general who freed much of South America from Spain and after whom Bolivia is named",
    ),
    ("Florence Nightingale", 1820, 1910, "a nurse and statistician who reformed hospitals after the Crimean War"),
    ("Mahatma Gandhi", 1869, 1948, "a lawyer who led India's movement for independence with non-violent protest"),
    (
        "Rosa Parks",
        1913,
        2005,
        "an American activist whose refusal to give up her bus seat in 1955 set off the Montgomery boycott",
    ),
    (
        "Alan Turing",
        1912,
        1954,
        "a British mathematician who laid the foundations of computer science and helped to break the Enigma cipher",
    ),
)
ASK_PERSON = ("Who was {0}?", "Introduce {0} to a school class in one sentence.", "Why do we remember {0}?")


def rows(rng: Random) -> list[Row]:
    """Return all history rows."""
    made = read_prose("history")
    for index, (event, year, meaning) in enumerate(EVENTS):
        forms = (
            _year(year),
            f"It happened in {_year(year)}. {meaning}",
            _year(year),
            f"The year was {_year(year)}. {meaning}",
        )
        output, wrong = pick(forms, index), _year(year + rng.choice((-60, -40, -20, 20)))
        made.append(Row(pick(ASK_YEAR, index).format(event), output, false=output.replace(_year(year), wrong)))
    for index, (person, born, died, deed) in enumerate(PEOPLE):
        dates = f" ({born} to {died})" if born else ""
        if index % 2:
            ask = pick(("Name the person described.", "Who is meant?"), index // 2)
            made.append(Row(ask, person, f"This was {deed}.", pick(PEOPLE, index + 4)[0]))
        else:
            made.append(Row(pick(ASK_PERSON, index // 2).format(person), f"{person}{dates} was {deed}."))
    made += [_order(rng, index) for index in range(5)]
    drawn = rng.sample(EVENTS[1:], 12)  # the first is BC, where years cannot simply be subtracted
    made += [_gap(index, *pair) for index, pair in enumerate(zip(drawn[::2], drawn[1::2], strict=True))]
    made += [_century(*EVENTS[index]) for index in (1, 3, 5, 6, 11)]
    return made


def _year(year: int) -> str:
    return str(year) if year > 0 else f"{-year} BC"


def _order(rng: Random, index: int) -> Row:
    events = rng.sample(EVENTS, rng.choice((3, 4)))
    right = sorted(events, key=lambda event: event[1])
    wrong = [right[-1], *right[:-1]]
    asks = ("Sort these events from the earliest to the latest.", "Bring the events into chronological order.")
    listed, false = (
        "\n".join(f"{i}. {_upper(e[0])} ({_year(e[1])})" for i, e in enumerate(side, 1)) for side in (right, wrong)
    )
    return Row(pick(asks, index), listed, "; ".join(event[0] for event in events), false)


def _upper(text: str) -> str:
    return text.removeprefix("the ")[0].upper() + text.removeprefix("the ")[1:]


def _gap(index: int, one: tuple[str, int, str], other: tuple[str, int, str]) -> Row:
    first, second = sorted((one, other), key=lambda event: event[1])
    gap = second[1] - first[1]
    ask = pick(("How many years lie between {0} and {1}?", "How long after {0} did {1} happen?"), index)
    style = pick((f"{second[1]} - {first[1]} = {{}} years", "{} years"), index // 2)
    return Row(ask.format(first[0], second[0]), style.format(gap), false=style.format(gap + 20))


def _century(event: str, year: int, _: str) -> Row:
    century = (year - 1) // 100 + 1
    return Row(
        f"To which century does {event} belong?", f"The {century}th century.", false=f"The {century - 1}th century."
    )
