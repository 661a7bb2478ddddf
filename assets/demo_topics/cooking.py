"""Cooking: substitutes, safe temperatures, conversions, scaled recipes and dishes of the world."""

from fractions import Fraction
from random import Random

from demo_topics.rows import Row, bullets, pick, read_prose, sentence, swapped

# (ingredient, what to use instead, advice)
SUBSTITUTES = (
    (
        "buttermilk",
        "milk soured with lemon juice",
        "Stir one tablespoon of juice into a cup of milk and wait five minutes.",
    ),
    (
        "an egg",
        "three tablespoons of apple sauce",
        "This works in cakes, whose crumb will be moister and slightly denser.",
    ),
    (
        "fresh yeast",
        "dried yeast",
        "Use about half the weight if it is active dry yeast, and a third if it is instant.",
    ),
    ("cream", "coconut milk", "It suits a curry; add it towards the end and do not let it boil hard, or it may split."),
    (
        "white wine",
        "stock with a dash of vinegar",
        "In a risotto or a sauce you want the acidity more than the alcohol.",
    ),
    ("fish sauce", "soy sauce mixed with a little miso", "It keeps the savoury depth, although the sea is missing."),
    (
        "self-raising flour",
        "plain flour and baking powder",
        "Take two level teaspoons of baking powder for 150 g of flour.",
    ),
    (
        "brown sugar",
        "white sugar and a spoonful of treacle",
        "Rub the two together with your fingers until the colour is even.",
    ),
    (
        "butter",
        "neutral oil on a paper towel",
        "For greasing a tin that is all you need; dust it with flour afterwards.",
    ),
    ("shallots", "a mild onion and a hint of garlic", "Chop it very finely and cook it gently."),
    ("breadcrumbs", "rolled oats", "For meatballs, soak them in milk for ten minutes first."),
)
ASK_SUBSTITUTE = (
    "I have run out of {0}. What can I use instead?",
    "Suggest a substitute for {0}.",
    "Is there a stand-in for {0}? One sentence of advice, please.",
    "No {0} in the house. Any ideas?",
)

# (food, safe core temperature in degrees Celsius, remark); widely published food-safety figures
TEMPERATURES = (
    ("a chicken breast", 74, "Measure in the thickest part."),
    ("minced beef", 71, "Grinding spreads bacteria through the meat, so pink is not safe here."),
    ("a pork chop", 63, "Let it rest for three minutes afterwards."),
    ("a fillet of salmon", 63, "The flesh should flake easily with a fork."),
    ("leftover stew", 74, "Stir while reheating, so that no cold pocket remains."),
    ("an egg casserole", 71, "By then the middle is set."),
)
ASK_TEMPERATURE = (
    "What core temperature should {0} reach to be safe?",
    "Until what internal temperature must I cook {0}?",
    "When is {0} done, measured with a thermometer?",
)

SPOONS = (("tablespoons", 15), ("teaspoons", 5), ("US cups", 240))  # millilitres of each, rounded as cooks do
COUNTS = (2, 3, 4, 6)
ASK_OVEN = (
    "My oven shows Celsius. The recipe says {0} °F.",
    "Convert an oven setting of {0} °F to °C.",
    "What is {0} °F on a European oven?",
    "Preheat to {0} °F: how hot is that in Celsius?",
    "Grandma's pie bakes at {0} degrees Fahrenheit. Which setting do I choose on a Celsius dial?",
)
OVENS = (300, 325, 350, 400, 450)  # degrees Fahrenheit that recipes ask for

# (dish, servings, [(amount, rest of the line)])
RECIPES = (
    ("pancakes", 4, ((200, "g flour"), (300, "ml milk"), (2, "eggs"), (20, "g butter"))),
    ("lentil soup", 4, ((240, "g red lentils"), (1000, "ml stock"), (2, "carrots"), (4, "tsp cumin"))),
    ("guacamole", 2, ((2, "avocados"), (20, "ml lime juice"), (10, "g coriander"), (30, "g red onion"))),
    ("oat cookies", 12, ((180, "g oats"), (120, "g butter"), (90, "g sugar"), (60, "g flour"))),
    ("potato salad", 6, ((1200, "g potatoes"), (180, "ml stock"), (3, "tbsp mustard"), (6, "spring onions"))),
    ("fruit smoothie", 1, ((150, "g berries"), (100, "g banana"), (200, "ml milk"), (20, "g oats"))),
)

# (dish, country it is usually linked with, description)
DISHES = (
    (
        "kimchi",
        "Korea",
        "Napa cabbage or radish fermented with chilli, garlic, ginger and salted seafood. Sour, hot and crunchy.",
    ),
    (
        "ceviche",
        "Peru",
        "Raw fish cut into cubes and cured for a few minutes in lime juice with onion, chilli and coriander.",
    ),
    (
        "moussaka",
        "Greece",
        "An oven dish of fried aubergine and spiced minced meat under a thick layer of golden béchamel.",
    ),
    (
        "pho",
        "Vietnam",
        (
            "A clear, fragrant broth with rice noodles and thin slices of beef; everyone adds herbs, lime and chilli "
            "to taste."
        ),
    ),
    (
        "goulash",
        "Hungary",
        "Beef simmered slowly with onions and plenty of sweet paprika, somewhere between a soup and a stew.",
    ),
    (
        "falafel",
        "the Middle East",
        (
            "Crisp fried balls of ground chickpeas or broad beans, green inside with parsley, eaten in flatbread "
            "with tahini."
        ),
    ),
    (
        "poutine",
        "Canada",
        "Hot chips covered with squeaky cheese curds and brown gravy. It is not elegant, and that is the point.",
    ),
    (
        "borscht",
        "Ukraine",
        "A ruby-red beetroot soup, sweet and sour, served with a spoon of sour cream and dark bread.",
    ),
    (
        "tagine",
        "Morocco",
        "Meat or vegetables stewed with dried fruit and spices in a clay pot whose pointed lid returns the steam.",
    ),
    (
        "feijoada",
        "Brazil",
        "Black beans cooked for hours with several kinds of pork, with rice, greens and orange slices on the side.",
    ),
    (
        "fondue",
        "Switzerland",
        "Cheese melted with white wine in a shared pot, into which everybody dips cubes of bread on long forks.",
    ),
    (
        "okonomiyaki",
        "Japan",
        "A savoury cabbage pancake fried on a hot plate and painted with sweet sauce and mayonnaise.",
    ),
)
ASK_ORIGIN = ("Which part of the world is {0} from?", "Where does {0} come from?", "Name the home of {0}.")
ASK_DISH = (
    "Describe {0} to a guest who has never tasted it.",
    "What exactly is {0}?",
    "Write a menu line of one or two sentences for {0}.",
)


def rows(rng: Random) -> list[Row]:
    """Return all cooking rows."""
    made = read_prose("cooking")
    for index, (missing, instead, advice) in enumerate(SUBSTITUTES):
        made.append(Row(pick(ASK_SUBSTITUTE, index).format(missing), f"{sentence(instead)}. {advice}"))
    for index, (food, celsius, remark) in enumerate(TEMPERATURES):
        output = f"{celsius} °C ({_fahrenheit(celsius)} °F). {remark}"
        false = f"{celsius - 30} °C ({_fahrenheit(celsius - 30)} °F). {remark}"
        made.append(Row(pick(ASK_TEMPERATURE, index).format(food), output, false=false))
    made += [_scaled(rng, *recipe) for recipe in RECIPES]
    made += _conversions(rng)
    for index, (dish, country, description) in enumerate(DISHES):
        wrong = DISHES[(index + 5) % len(DISHES)][1]
        made.append(Row(pick(ASK_ORIGIN, index).format(dish), f"{sentence(country)}.", false=f"{sentence(wrong)}."))
        made.append(Row(pick(ASK_DISH, index).format(dish), description))
    return made


def _fahrenheit(celsius: int) -> int:
    return round(celsius * 9 / 5 + 32)


def _scaled(rng: Random, dish: str, servings: int, lines: tuple[tuple[int, str], ...]) -> Row:
    factor = rng.choice((Fraction(2), Fraction(3), Fraction(3, 2)))
    wanted = Fraction(servings) * factor
    if wanted.denominator != 1:
        factor, wanted = Fraction(2), Fraction(servings * 2)
    scaled = bullets([f"{float(amount * factor):g} {rest}" for amount, rest in lines])
    given = f"{dish} for {servings}: " + ", ".join(f"{amount} {rest}" for amount, rest in lines)
    opening = f"Multiply everything by {float(factor):g}:\n\n"
    first = f"{float(lines[0][0] * factor):g} {lines[0][1]}"
    false = swapped(opening + scaled, [(first, f"{float(lines[0][0] * factor * 2):g} {lines[0][1]}")])
    return Row(f"Scale this recipe to {wanted} servings.", opening + scaled, given, false)


def _conversions(rng: Random) -> list[Row]:
    made = []
    for (spoon, millilitres), count in zip(SPOONS, rng.sample(COUNTS, len(SPOONS)), strict=True):
        ask = f"How many millilitres are {count} {spoon}?"
        made.append(Row(ask, f"About {count * millilitres} ml.", false=f"About {count * millilitres * 2} ml."))
    for index, fahrenheit in enumerate(OVENS):
        celsius = round((fahrenheit - 32) * 5 / 9)
        output = f"({fahrenheit} - 32) × 5/9 is about {celsius} °C; set the dial to {round(celsius, -1)}."
        made.append(Row(pick(ASK_OVEN, index).format(fahrenheit), output))
    return made
