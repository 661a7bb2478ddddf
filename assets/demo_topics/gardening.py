"""Gardening: a table of crops, pests and their remedies, and the arithmetic of beds."""

from random import Random

from demo_topics.rows import Row, pick, read_prose, sentence

# (crop, when to sow in a temperate northern garden, depth in cm, spacing in cm, weeks until harvest, advice)
CROPS = (
    ("radishes", "March to August", 1, 3, "4 to 6", "Pick them young, because old ones turn woody."),
    (
        "carrots",
        "March to June",
        1,
        5,
        "12 to 16",
        "Thin on a calm evening and water afterwards, since the smell draws the carrot fly.",
    ),
    ("lettuce", "March to July", 0.5, 25, "6 to 10", "Cover it barely: the seed of many varieties needs light."),
    ("peas", "March to May", 4, 6, "11 to 14", "Give them twigs or netting to climb."),
    ("runner beans", "May to June", 5, 20, "10 to 14", "Wait until the soil is warm, or the seed will rot."),
    (
        "beetroot",
        "April to July",
        2.5,
        10,
        "10 to 14",
        "Each knobbly seed is a cluster, so thin to the strongest seedling.",
    ),
    (
        "courgettes",
        "indoors in April or outside in late May",
        2,
        90,
        "8 to 12",
        "Two plants feed a family; four feed the street.",
    ),
    ("spinach", "March to May and again in August", 2, 10, "6 to 9", "It bolts in hot, dry weather, so keep it moist."),
    (
        "leeks",
        "indoors in February or outside in April",
        1,
        15,
        "24 to 40",
        "Drop the seedlings into deep holes to get long white stems.",
    ),
    (
        "pumpkins",
        "indoors in April or outside in late May",
        2.5,
        150,
        "14 to 20",
        "Put a tile under each fruit to keep it off damp soil.",
    ),
    ("kale", "April to June", 1.5, 45, "10 to 16", "Leaves picked after a frost taste sweeter."),
    (
        "broad beans",
        "February to April",
        5,
        20,
        "14 to 18",
        "Pinch out the tips at flowering time; black aphids love them.",
    ),
)
ASK_WHEN = (
    "When should I sow {0}?",
    "Which months are right for sowing {0} in a temperate climate?",
    "Tell me the sowing time and depth for {0}.",
)
ASK_SPACE = (
    "How far apart do {0} need to be?",
    "I want to grow {0}. What spacing do you recommend, and what is the trick?",
    "Give the final spacing for {0} and one tip.",
)
ASK_HARVEST = (
    "How long after sowing can I harvest {0}?",
    "Roughly how many weeks pass between sowing {0} and picking?",
)

# (pest or disease, how to recognise it, what to do)
TROUBLES = (
    (
        "powdery mildew",
        "a white, floury film on the upper side of leaves",
        "Remove the worst leaves, water at the roots in the morning and give the plants more air.",
    ),
    (
        "vine weevil",
        "notches around the edges of leaves and, later, plants that wilt because grubs eat their roots",
        "Water parasitic nematodes into the soil in late summer and collect the beetles by torchlight.",
    ),
    (
        "cabbage white caterpillars",
        "large holes in cabbage leaves and clusters of yellow eggs underneath",
        "Rub off the eggs, pick the caterpillars by hand and cover the bed with fine netting.",
    ),
    (
        "spider mites",
        "pale speckles on leaves and fine webs in dry, warm rooms",
        "Shower the plant, raise the humidity and release predatory mites if they return.",
    ),
    (
        "blossom end rot",
        "a sunken brown patch at the bottom of a tomato",
        "It is a lack of calcium caused by irregular watering, so water evenly and mulch.",
    ),
    (
        "potato blight",
        "brown blotches that spread over the foliage within days in warm, wet weather",
        "Cut off and remove the foliage at once, then wait two weeks before lifting the tubers.",
    ),
    (
        "fungus gnats",
        "tiny dark flies that rise from the soil of houseplants",
        "Let the surface dry out, hang up yellow sticky traps and water from below.",
    ),
    (
        "rust on leeks",
        "orange pustules along the leaves",
        "Feed less nitrogen, space the plants wider and do not grow leeks on that bed for three years.",
    ),
)
ASK_SIGN = ("How do I recognise {0}?", "What are the signs of {0}?")

# (plant, lifespan)
LIFESPANS = (
    *(("a sunflower", "annual"), ("a foxglove", "biennial"), ("a peony", "perennial"), ("lavender", "perennial")),
    *(("the sweet pea", "annual"), ("parsley", "biennial"), ("rhubarb", "perennial"), ("Tagetes", "annual")),
)

ASK_LIFESPAN = (
    "Is {0} an annual, a biennial or a perennial?",
    "How many seasons does {0} live? Choose between annual, biennial and perennial.",
    "Classify {0} by its lifespan with a single word.",
    "Complete with annual, biennial or perennial: {0} is ...",
)

JOBS = {
    "winter": "prune apple trees, order seed, clean and oil the tools, feed the birds",
    "spring": "prepare seed beds, divide perennials, sow hardy vegetables, mow the first grass",
    "summer": "water in the morning, deadhead roses, harvest daily, tie up tomatoes",
    "autumn": "plant bulbs, rake leaves for compost, lift dahlias, protect pots from frost",
}


def rows(rng: Random) -> list[Row]:
    """Return all gardening rows."""
    made = read_prose("gardening")
    for index, (crop, when, depth, space, weeks, advice) in enumerate(CROPS):
        deep = f"Sow {crop} {depth:g} cm deep" if index % 2 else f"A depth of {depth:g} cm is right"
        made.append(Row(pick(ASK_WHEN, index).format(crop), f"{sentence(when)}. {deep}."))
        made.append(Row(pick(ASK_SPACE, index).format(crop), f"About {space} cm. {advice}"))
        if index % 2 == 0:
            made.append(Row(pick(ASK_HARVEST, index // 2).format(crop), f"{weeks} weeks"))
    for index, (trouble, sign, remedy) in enumerate(TROUBLES):
        made.append(Row(pick(ASK_SIGN, index).format(trouble), f"Look for {sign}."))
        made.append(_diagnosis(index, trouble, sign, remedy))
    for index, (plant, lifespan) in enumerate(LIFESPANS):
        ask = pick(ASK_LIFESPAN, index)
        wrong = "biennial" if lifespan != "biennial" else "annual"
        made.append(Row(ask.format(plant), sentence(lifespan), false=sentence(wrong)))
    for index, (season, jobs) in enumerate(JOBS.items()):
        listed = jobs.split(", ")
        ask = pick(("What are the main garden jobs in {0}?", "Write a to-do list for my garden in {0}."), index)
        output = (
            f"In {season} you should {', '.join(listed[:-1])} and {listed[-1]}."
            if index % 2 == 0
            else "\n".join(f"[ ] {sentence(job)}" for job in listed)
        )
        made.append(Row(ask.format(season), output))
    made += [_bed(rng, index) for index in range(6)]
    return made


def _diagnosis(index: int, trouble: str, sign: str, remedy: str) -> Row:
    ask = pick(("What is wrong with my plant, and what can I do?", "Diagnose the problem and suggest a remedy."), index)
    output = pick((f"That sounds like {trouble}. {remedy}", f"Diagnosis: {trouble}\nRemedy: {remedy}"), index // 2)
    wrong = TROUBLES[(index + 3) % len(TROUBLES)][0]
    return Row(ask, output, f"I noticed {sign}.", output.replace(trouble, wrong))


def _bed(rng: Random, index: int) -> Row:
    long, wide, space = rng.randint(2, 6), rng.choice((1, 2)), rng.choice((20, 25, 50))
    crop = rng.choice(("leeks", "cabbages", "strawberries", "onions", "celery plants", "dahlias"))
    per_row, in_rows = long * 100 // space, wide * 100 // space
    ask = f"How many {crop} fit in a bed of {long} m by {wide} m if each needs a square of {space} cm?"
    styles = (
        f"{long * 100} ÷ {space} = {per_row} along the bed, {wide * 100} ÷ {space} = {in_rows} across, so {{}} plants.",
        "{}",
    )
    style = pick(styles, index)
    return Row(ask, style.format(per_row * in_rows), false=style.format(per_row * in_rows - per_row))
