"""Travel: countries, phrases, landmarks, time differences, packing lists."""

from random import Random

from demo_topics.rows import Row, bullets, pick, read_prose

# (country, capital, its best-known other city, currency)
COUNTRIES = (
    ("Australia", "Canberra", "Sydney", "Australian dollar"),
    ("Brazil", "Brasília", "Rio de Janeiro", "real"),
    ("Canada", "Ottawa", "Toronto", "Canadian dollar"),
    ("Turkey", "Ankara", "Istanbul", "lira"),
    ("Morocco", "Rabat", "Casablanca", "dirham"),
    ("Vietnam", "Hanoi", "Ho Chi Minh City", "dong"),
    ("New Zealand", "Wellington", "Auckland", "New Zealand dollar"),
    ("Poland", "Warsaw", "Kraków", "złoty"),
    ("Kenya", "Nairobi", "Mombasa", "shilling"),
    ("Kazakhstan", "Astana", "Almaty", "tenge"),
    ("India", "New Delhi", "Mumbai", "rupee"),
    ("Thailand", "Bangkok", "Chiang Mai", "baht"),
)
ASK_CAPITAL = ("What is the capital of {0}?", "Name the capital city of {0}.", "Is {1} the capital of {0}?")
ASK_CURRENCY = ("What currency will I need in {0}?", "Name the currency of {0}.")

# (language, hello, thank you, the bill please)
PHRASES = (
    ("Portuguese", "Olá", "Obrigado (said by a man) or obrigada (by a woman)", "A conta, por favor"),
    ("Italian", "Buongiorno", "Grazie", "Il conto, per favore"),
    ("German", "Guten Tag", "Danke", "Die Rechnung, bitte"),
    ("Spanish", "Hola", "Gracias", "La cuenta, por favor"),
    ("French", "Bonjour", "Merci", "L'addition, s'il vous plaît"),
    ("Dutch", "Goedendag", "Dank u wel", "De rekening, alstublieft"),
    ("Swedish", "Hej", "Tack", "Notan, tack"),
    ("Polish", "Dzień dobry", "Dziękuję", "Poproszę rachunek"),
)

# (sight, city, one thing to know)
SIGHTS = (
    ("the Alhambra", "Granada", "Book weeks ahead: the number of visitors a day is limited."),
    ("the Rijksmuseum", "Amsterdam", "A public cycle path runs straight through the building."),
    ("the Hagia Sophia", "Istanbul", "It has been a church, a mosque, a museum and, since 2020, a mosque again."),
    ("the Prado", "Madrid", "Entry is free in the last two hours of the day, if you can face the queue."),
    ("Charles Bridge", "Prague", "Cross it at sunrise to have the statues to yourself."),
    ("the Acropolis", "Athens", "Wear shoes with grip, because the marble is slippery."),
    ("Table Mountain", "Cape Town", "The cable car stops when the wind is strong, so go on the first clear day."),
    ("the Uffizi", "Florence", "Reserve a time slot and start on the top floor."),
    ("Gyeongbokgung Palace", "Seoul", "Visitors who wear traditional dress get in free."),
    ("the Little Mermaid statue", "Copenhagen", "She is smaller than most people expect, about 1.25 metres."),
    ("Christ the Redeemer", "Rio de Janeiro", "The rack railway up the mountain is part of the pleasure."),
    ("the Sagrada Família", "Barcelona", "Work on it began in 1882."),
)
ASK_SIGHT = (
    "In which city will I find {0}, and is there anything I should know before I go?",
    "Where is {0}? Add one practical or surprising fact.",
    "I would like to see {0}. Which city do I have to travel to?",
)

# Cities that keep the same offset from universal time all year, in minutes
OFFSETS = {
    "Tokyo": 540,
    "Singapore": 480,
    "Dubai": 240,
    "Mumbai": 330,
    "Nairobi": 180,
    "Bangkok": 420,
    "Lagos": 60,
    "Reykjavik": 0,
    "Bogotá": -300,
    "Honolulu": -600,
    "Brisbane": 600,
    "Phoenix": -420,
}

# (journey, what it needs, a closing sentence)
PACKING = (
    (
        "a weekend of hiking in the Alps in July",
        "hiking boots, rain jacket, sun cream, map, water bottle, plasters",
        "Mountain weather turns fast, so pack the jacket even under a blue sky.",
    ),
    (
        "five days in Iceland in winter",
        "windproof coat, wool layers, swimsuit, crampons for shoes, head torch, lip balm",
        "The swimsuit is no joke: there are hot springs everywhere.",
    ),
    (
        "a business trip of two nights",
        "suit, two shirts, laptop, charger, printed itinerary, business cards",
        "Everything should fit in one cabin bag.",
    ),
    (
        "two weeks of backpacking in Thailand",
        "light clothes, scarf for temples, insect repellent, sandals, dry bag, copy of the passport",
        "Half of what you first lay on the bed can stay at home.",
    ),
    (
        "a beach holiday with small children",
        "sun hats, rash shirts, buckets and spades, swim nappies, snacks, picture books",
        "Put one full set of clothes for each child in the hand luggage.",
    ),
    (
        "a city break in rainy Dublin",
        "umbrella, waterproof shoes, jumper, day pack, travel card, book for the pub",
        "Layers beat one thick coat.",
    ),
    (
        "a week of camping in Sweden",
        "tent, sleeping bag, stove, mosquito net, enamel mug, matches in a tin",
        "Thanks to the right of public access you may pitch a tent almost anywhere for a night.",
    ),
)
ASK_PACKING = ("What should I pack for {0}?", "Make a packing list for {0}.", "Help me pack: {0}.")


def rows(rng: Random) -> list[Row]:
    """Return all travel rows."""
    made = read_prose("travel")
    for index, country in enumerate(COUNTRIES):
        made += _country(index, *country)
    for index, phrase in enumerate(PHRASES):
        made.append(_phrase(index, *phrase))
    for index, (sight, city, fact) in enumerate(SIGHTS):
        wrong = SIGHTS[(index + 7) % len(SIGHTS)][1]
        made.append(Row(pick(ASK_SIGHT, index).format(sight), f"{city}. {fact}", false=f"{wrong}. {fact}"))
    for index in range(7):
        made.append(_time(rng, index))
    for index, (journey, items, closing) in enumerate(PACKING):
        made.append(Row(pick(ASK_PACKING, index).format(journey), bullets(items.split(", ")) + f"\n\n{closing}"))
    return made


def _country(index: int, country: str, capital: str, other: str, currency: str) -> list[Row]:
    ask = pick(ASK_CAPITAL, index)
    if "{1}" in ask:
        output, false = f"No, the capital is {capital}.", f"Yes, {other} is the capital."
    else:
        output, false = capital, other
    made = [Row(ask.format(country, other), output, false=false)]
    if index % 2:
        made.append(Row(pick(ASK_CURRENCY, index // 2).format(country), f"The {currency}."))
    return made


def _phrase(index: int, language: str, hello: str, thanks: str, bill: str) -> Row:
    forms = (
        (f"How do I say thank you in {language}?", f"{thanks}."),
        (
            f"Teach me three useful {language} phrases for a restaurant.",
            f"1. {hello}: hello\n2. {bill}: the bill, please\n3. {thanks}: thank you",
        ),
        (f"Translate into {language}.", f"{bill}."),
        (
            f"I am going to meet my {language}-speaking in-laws. How do I greet them and thank them for dinner?",
            f'Greet them with "{hello}" and say "{thanks}" when you leave the table.',
        ),
    )
    ask, output = pick(forms, index)
    return Row(ask, output, "The bill, please." if ask.startswith("Translate") else "")


def _time(rng: Random, index: int) -> Row:
    here, there = rng.sample(sorted(OFFSETS), 2)
    now = rng.randrange(8 * 60, 21 * 60, 15)
    ask = pick(
        (
            "It is {1} in {0}. What time is it in {2}?",
            "My flight leaves {0} at {1}. What does a clock in {2} show then?",
        ),
        index,
    )
    right, wrong = (_clock(now + OFFSETS[there] - OFFSETS[here] + slip) for slip in (0, 120))
    hours = abs(OFFSETS[there] - OFFSETS[here]) / 60
    side = "ahead of" if OFFSETS[there] > OFFSETS[here] else "behind"
    length = "1 hour" if hours == 1 else f"{hours:g} hours"
    output = f"{there} is {length} {side} {here}, so it is {{}}."
    return Row(ask.format(here, _clock(now), there), output.format(right), false=output.format(wrong))


def _clock(minutes: int) -> str:
    day = minutes // 1440
    text = f"{minutes % 1440 // 60:02d}:{minutes % 60:02d}"
    return text + {-1: " on the day before", 0: "", 1: " on the next day"}[day]
