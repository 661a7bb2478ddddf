"""Health habits: nutrients, sleep, stretches, first aid, small habits, and simple calculations."""

from random import Random

from demo_topics.rows import Row, pick, read_prose, sentence

# (nutrient, what it does, good sources)
NUTRIENTS = (
    ("vitamin A", "keeps the eyes and the skin healthy", "carrots, sweet potatoes, spinach and liver"),
    ("vitamin B12", "is needed for blood cells and nerves", "fish, meat, eggs and dairy products"),
    ("vitamin C", "helps wounds to heal and iron to be absorbed", "peppers, kiwis, citrus fruit and broccoli"),
    ("iron", "carries oxygen in the blood", "red meat, lentils, beans and pumpkin seeds"),
    ("calcium", "builds bones and teeth", "milk, yoghurt, kale and tofu set with calcium"),
    ("iodine", "is part of the hormones of the thyroid", "sea fish, seaweed, dairy products and iodised salt"),
    ("magnesium", "supports muscles and nerves", "nuts, seeds, whole grains and dark chocolate"),
    ("folate", "is needed for new cells and is especially important in pregnancy", "leafy greens, beans and oranges"),
    ("potassium", "helps to keep blood pressure and heartbeat steady", "bananas, potatoes, beans and yoghurt"),
    ("omega-3 fat", "supports the heart and the brain", "oily fish, walnuts, flaxseed and rapeseed oil"),
)
ASK_ROLE = ("What does the body need {0} for?", "Why is {0} important?")
ASK_SOURCE = (
    "Which foods are rich in {0}?",
    "I eat too little {0}. What should I put on my shopping list?",
    "Name good sources of {0}.",
)

# (age group, hours of sleep a day as usually recommended)
SLEEP = (
    ("a newborn", "14 to 17"),
    ("a child of seven", "9 to 12"),
    ("a teenager", "8 to 10"),
    ("an adult of thirty", "7 to 9"),
    ("a person over sixty-five", "7 to 8"),
)

# (part of the body, stretch)
STRETCHES = (
    (
        "the calves",
        (
            "Lean against a wall with one leg behind you, the heel on the floor and the knee straight. Hold for "
            "thirty seconds and change legs."
        ),
    ),
    (
        "the front of the thighs",
        "Stand on one leg, hold your other ankle and bring the heel to your bottom. Keep the knees together.",
    ),
    ("the lower back", "Lie down, hug both knees to your chest and rock gently from side to side."),
    ("tight shoulders", "Bring one arm across your chest, press it closer with the other hand and breathe out."),
    (
        "wrists after typing",
        "Stretch out an arm with the palm up and gently pull the fingers back with the other hand.",
    ),
    (
        "a stiff neck",
        (
            "Let your right ear sink towards the right shoulder, wait for five breaths, and come up slowly. Repeat "
            "on the left."
        ),
    ),
)

# (accident, first aid, common mistake)
FIRST_AID = (
    (
        "a nosebleed",
        "Sit upright, lean forward and pinch the soft part of the nose for ten minutes.",
        "tilting the head back",
    ),
    (
        "a small burn",
        "Cool it under lukewarm to cool running water for about twenty minutes and cover it loosely.",
        "putting butter or ice on it",
    ),
    (
        "a sprained ankle",
        "Rest it, cool it with a wrapped ice pack, bandage it firmly and raise it.",
        "walking on to see whether it gets better",
    ),
    (
        "a bee sting",
        (
            "Remove the sting quickly by scraping, wash the skin and cool it. Call for help if breathing becomes "
            "difficult."
        ),
        "squeezing the sting with tweezers for minutes",
    ),
    (
        "a blister on the heel",
        "Leave it closed, keep it clean and pad it with a special plaster.",
        "peeling off the skin",
    ),
    (
        "heat exhaustion",
        "Move into the shade, lie down with raised legs, loosen clothes and sip water.",
        "carrying on because the finish is near",
    ),
    (
        "a person who has fainted",
        (
            "Lay the person flat, raise the legs, loosen tight clothes and check that they breathe. Call for help if "
            "they do not wake within a minute."
        ),
        "pulling the person up at once",
    ),
)
ASK_AID = (
    "What should I do about {0}?",
    "Give first-aid advice for {0}, and name a common mistake.",
    "How do I help with {0}?",
)

# (goal, cue, tiny action, reward)
HABITS = (
    ("drink more water", "every time you switch on your computer", "drink one glass", "tick a box on a card"),
    (
        "read before sleeping",
        "when you plug in your phone in the kitchen",
        "read two pages",
        "enjoy how quiet the room is",
    ),
    (
        "eat more vegetables",
        "when you come home from the market",
        "wash and cut three of them",
        "taste the first slice",
    ),
    (
        "meditate",
        "after brushing your teeth in the morning",
        "take ten slow breaths",
        "smile at yourself in the mirror",
    ),
    ("do strength training", "while the kettle boils", "do five wall push-ups", "have your tea"),
    ("keep a diary", "when you sit down on the bus", "write one sentence", "look at what you wrote a week ago"),
    ("go for walks", "as soon as lunch is over", "put on your shoes and step outside", "listen to one favourite song"),
)
ASK_HABIT = (
    "I would like to {0}. Help me turn it into a habit.",
    "Design a tiny habit for someone who wants to {0}.",
    "How do I start to {0} without relying on willpower?",
)


def rows(rng: Random) -> list[Row]:
    """Return all health rows."""
    made = read_prose("health")
    for index, (nutrient, role, foods) in enumerate(NUTRIENTS):
        made.append(Row(pick(ASK_ROLE, index).format(nutrient), f"{sentence(nutrient)} {role}."))
        made.append(Row(pick(ASK_SOURCE, index).format(nutrient), f"{sentence(foods)}."))
    for index, (who, hours) in enumerate(SLEEP):
        ask = pick(("How much sleep does {0} need?", "Recommended hours of sleep per day for {0}?"), index)
        made.append(Row(ask.format(who), f"{hours} hours", false="4 to 5 hours"))
    for index, (part, how) in enumerate(STRETCHES):
        ask = pick(("Show me a stretch for {0}.", "Which exercise loosens {0}?"), index)
        made.append(Row(ask.format(part), how))
    for index, (accident, aid, mistake) in enumerate(FIRST_AID):
        output = pick((aid, f"{aid} A common mistake is {mistake}.", f"{aid}\n\nAvoid {mistake}."), index)
        made.append(Row(pick(ASK_AID, index).format(accident), output))
    for index, (goal, cue, action, reward) in enumerate(HABITS):
        made.append(Row(pick(ASK_HABIT, index).format(goal), _habit(index, cue, action, reward)))
    made += [_mass_index(rng, index) for index in range(4)]
    made += [kind(rng, index) for kind in (_pulse, _maximum) for index in range(3)]
    return made


def _habit(index: int, cue: str, action: str, reward: str) -> str:
    forms = (
        (
            f"Make it so small that you cannot say no. {sentence(cue)}, {action}. Then {reward}. After two weeks you "
            "may do more, but only if you feel like it."
        ),
        (
            f"Cue: {cue}\nAction: {action}\nReward: {reward}\n\nKeep to this minimum even on bad days; it is the "
            "regularity that counts."
        ),
        (
            f"Tie the new action to something that already happens: {cue}, {action}. Finish with a small pleasure and "
            f"{reward}."
        ),
    )
    return pick(forms, index)


def _mass_index(rng: Random, index: int) -> Row:
    height, weight = rng.randint(152, 195), rng.randint(50, 95)
    value = round(weight / (height / 100) ** 2, 1)
    asks = (
        f"Calculate the body mass index of a person of {weight} kg and {height} cm.",
        f"I weigh {weight} kg and am {height / 100:.2f} m tall. What is my BMI?",
        f"Height {height} cm, weight {weight} kg: BMI?",
        f"My doctor noted {weight} kg at a height of {height / 100:.2f} m. Work out the body mass index for me.",
    )
    style = pick((f"{weight} ÷ {height / 100:.2f}² = {{}}", "Your BMI is about {}."), index)
    return Row(pick(asks, index), style.format(value), false=style.format(round(value + 9, 1)))


def _pulse(rng: Random, index: int) -> Row:
    beats = rng.randint(13, 24)
    asks = (
        f"I counted {beats} heartbeats in 15 seconds. What is my pulse?",
        f"{beats} beats in a quarter of a minute: how many are that per minute?",
        f"The nurse feels {beats} beats within 15 seconds. Which heart rate does she write down?",
    )
    style = pick(("{} beats per minute.", f"Multiply by four: {beats} × 4 = {{}} beats per minute."), index)
    return Row(asks[index], style.format(beats * 4), false=style.format(beats * 3))


def _maximum(rng: Random, index: int) -> Row:
    age = rng.randint(20, 69)
    asks = (
        f"Estimate the maximum heart rate of a {age}-year-old with the rule 220 minus age.",
        f"I am {age}. By the usual rule of thumb, how fast can my heart beat at most?",
        f"What is the estimated maximum pulse at the age of {age}?",
    )
    output = f"220 - {age} = {{}} beats per minute"
    return Row(asks[index], output.format(220 - age), false=output.format(230 - age))
