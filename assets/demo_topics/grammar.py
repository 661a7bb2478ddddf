"""English grammar: irregular forms, sentences to transform or mend, words easily confused, idioms."""

from random import Random

from demo_topics.rows import Row, pick, read_prose

# (verb, past simple, past participle, a sentence with the participle)
VERBS = (
    ("swim", "swam", "swum", "I have never swum across a lake."),
    ("write", "wrote", "written", "She has written to the mayor twice."),
    ("begin", "began", "begun", "The concert had already begun when we arrived."),
    ("choose", "chose", "chosen", "They have chosen a blue door."),
    ("freeze", "froze", "frozen", "The pond has frozen overnight."),
    ("lie", "lay", "lain", "The letter had lain there for years."),
    ("drink", "drank", "drunk", "Who has drunk my coffee?"),
    ("tear", "tore", "torn", "He has torn his best shirt."),
    ("fly", "flew", "flown", "The swallows have flown south."),
    ("ring", "rang", "rung", "The bell has rung."),
)
ASK_VERB = (
    'What is the past participle of "{0}"?',
    'Give the three forms of the verb "{0}".',
    'Use the present perfect of "{0}" or its past perfect in a sentence.',
)

PLURALS = (
    *(("child", "children", "childs"), ("wolf", "wolves", "wolfs"), ("criterion", "criteria", "criterions")),
    *(("sheep", "sheep", "sheeps"), ("mouse", "mice", "mouses"), ("cactus", "cacti or cactuses", "cactae")),
)

# (active, passive)
PASSIVES = (
    ("The storm damaged the roof.", "The roof was damaged by the storm."),
    ("Thousands of people watch the parade every year.", "The parade is watched by thousands of people every year."),
    ("My aunt will bake the wedding cake.", "The wedding cake will be baked by my aunt."),
    ("The committee has rejected the plan.", "The plan has been rejected by the committee."),
    ("A nurse is examining the patient.", "The patient is being examined by a nurse."),
    ("Someone must have opened the letter.", "The letter must have been opened."),
)
ASK_PASSIVE = ("Rewrite the sentence in the passive voice.", "Turn this into a passive sentence.")

# (faulty sentence, corrected sentence, the rule)
MENDED = (
    ("She don't like spinach.", "She doesn't like spinach.", 'The third person singular needs "doesn\'t".'),
    ("Me and him went to the cinema.", "He and I went to the cinema.", 'Subjects take the forms "he" and "I".'),
    ("I have saw that film before.", "I have seen that film before.", 'After "have" comes the past participle.'),
    ("Their going to miss the bus.", "They're going to miss the bus.", '"They\'re" is short for "they are".'),
    (
        "If I would have time, I would help you.",
        "If I had time, I would help you.",
        "The if-clause takes the past tense.",
    ),
    (
        "He is more taller than his brother.",
        "He is taller than his brother.",
        'Use "more" or the ending -er, never both.',
    ),
    ("There is many reasons to stay.", "There are many reasons to stay.", 'The verb agrees with "reasons".'),
    (
        "I look forward to meet you.",
        "I look forward to meeting you.",
        'Here "to" is a preposition and takes the -ing form.',
    ),
    (
        "The informations are useful.",
        "The information is useful.",
        '"Information" cannot be counted and has no plural.',
    ),
    ("We discussed about the problem.", "We discussed the problem.", '"Discuss" takes a direct object.'),
    (
        "Whose the owner of this car?",
        "Who's the owner of this car?",
        '"Who\'s" means "who is"; "whose" shows possession.',
    ),
    ("She sings beautiful.", "She sings beautifully.", "An adverb describes how somebody sings."),
    ("I am living here since 2019.", "I have been living here since 2019.", '"Since" calls for the present perfect.'),
    (
        "Neither of the answers are right.",
        "Neither of the answers is right.",
        'In formal English "neither" is singular.',
    ),
)
ASK_MEND = (
    "Correct the sentence.",
    "Find the mistake, fix it and give the rule.",
    "Is this sentence correct? If not, improve it.",
    "Proofread this line and explain the change.",
)

# (first, second, sentence that uses both)
CONFUSED = (
    ("advice", "advise", "My doctor will advise you, and her advice is good."),
    ("loose", "lose", "If the screw is loose you will lose it."),
    ("principal", "principle", "The principal refused on principle."),
    ("stationary", "stationery", "The van with our stationery is stationary in traffic."),
    ("than", "then", "First it was colder than today, then it snowed."),
    ("complement", "compliment", "He got a compliment because his scarf was the perfect complement to the coat."),
    ("accept", "except", "They accept all cards except this one."),
    ("desert", "dessert", "Nobody serves dessert in the middle of the desert."),
)

# (idiom, meaning, example)
IDIOMS = (
    ("break the ice", "to make people feel relaxed at the start", "Her joke about the weather broke the ice."),
    ("cost an arm and a leg", "to be very expensive", "The new roof cost us an arm and a leg."),
    ("once in a blue moon", "very rarely", "He visits once in a blue moon."),
    ("hit the sack", "to go to bed", "It is late, so let's hit the sack."),
    ("spill the beans", "to give away a secret", "Who spilled the beans about the party?"),
    ("a piece of cake", "something very easy", "The test was a piece of cake."),
    ("under the weather", "slightly ill", "I feel a bit under the weather today."),
    ("pull someone's leg", "to tease somebody with an untrue story", "Relax, I was only pulling your leg."),
)

# (two sentences, joined, conjunction)
JOINED = (
    ("It was raining. We went for a walk.", "Although it was raining, we went for a walk.", "although"),
    ("Take an umbrella. You might get wet.", "Take an umbrella, or you might get wet.", "or"),
    ("The shop was closed. We ate at home.", "The shop was closed, so we ate at home.", "so"),
    ("I washed the dishes. He dried them.", "I washed the dishes while he dried them.", "while"),
    ("You may come along. Be quiet.", "You may come along as long as you are quiet.", "as long as"),
)

# (sentence, nouns, verbs, adjectives)
PARSED = (
    ("The old clock strikes loudly.", "clock", "strikes", "old"),
    ("Tiny fish dart between the rocks.", "fish, rocks", "dart", "tiny"),
    ("A careful driver checks the mirror.", "driver, mirror", "checks", "careful"),
    ("Loud music annoys my patient neighbour.", "music, neighbour", "annoys", "loud, patient"),
)

# (statement, question tag)
TAGS = (
    ("You like jazz,", "don't you?"),
    ("She can't drive,", "can she?"),
    ("Let's have lunch,", "shall we?"),
    ("They have never been here,", "have they?"),
    ("I am late,", "aren't I?"),
)
ASK_TAG = ("Add the question tag.", "Turn the statement into a question by means of a tag.")


def rows(_: Random) -> list[Row]:
    """Return all grammar rows."""
    made = read_prose("grammar")
    for index, (verb, past, participle, example) in enumerate(VERBS):
        output = pick((participle, f"{verb}, {past}, {participle}", example), index)
        false = "" if output == example else output.replace(participle, past)
        made.append(Row(pick(ASK_VERB, index).format(verb), output, false=false))
    for index, (noun, plural, wrong) in enumerate(PLURALS):
        ask = pick(('What is the plural of "{0}"?', "I have one {0}; you have two. Two what?"), index)
        made.append(Row(ask.format(noun), plural, false=wrong))
    made += [Row(pick(ASK_PASSIVE, index), passive, active) for index, (active, passive) in enumerate(PASSIVES)]
    for index, (faulty, right, rule) in enumerate(MENDED):
        output = pick((right, f"{right} {rule}", f"No. It should read: {right}", f"{right}\n\n{rule}"), index)
        made.append(Row(pick(ASK_MEND, index), output, faulty, faulty if output == right else ""))
    for index, (first, second, example) in enumerate(CONFUSED):
        made.append(_confused(index, first, second, example))
    for index, (idiom, meaning, example) in enumerate(IDIOMS):
        asks = (
            f'Explain the idiom "{idiom}" and use it.',
            f'What does "{idiom}" mean?',
            f'My colleague said "{idiom}". What did she want to say?',
        )
        output = pick(
            (
                f"It means {meaning}. Example: {example}",
                meaning[0].upper() + meaning[1:] + ".",
                f"The phrase means {meaning}, as in: {example}",
            ),
            index,
        )
        wrong = IDIOMS[(index + 3) % len(IDIOMS)][1]
        made.append(Row(pick(asks, index), output, false=output.replace(meaning, wrong) if index % 3 != 1 else ""))
    for index, (given, joined, conjunction) in enumerate(JOINED):
        ask = pick(
            (
                f'Join the two sentences with "{conjunction}".',
                f'Combine these into one sentence that contains "{conjunction}".',
            ),
            index,
        )
        made.append(Row(ask, joined, given))
    for index, (given, nouns, verbs, adjectives) in enumerate(PARSED):
        ask = pick(
            ("List the nouns, verbs and adjectives.", "Identify the parts of speech: nouns, verbs, adjectives."), index
        )
        made.append(
            Row(
                ask,
                f"Nouns: {nouns}\nVerbs: {verbs}\nAdjectives: {adjectives}",
                given,
                f"Nouns: {verbs}\nVerbs: {adjectives}\nAdjectives: {nouns}",
            )
        )
    made += [Row(pick(ASK_TAG, index), f"{said} {tag}", said + " ...") for index, (said, tag) in enumerate(TAGS)]
    return made


def _confused(index: int, first: str, second: str, example: str) -> Row:
    if index % 2:
        return Row(f'Write one sentence that uses both "{first}" and "{second}" correctly.', example)
    blanks = (
        example.replace(second, "____").replace(first, "____")
        if len(second) > len(first)
        else example.replace(first, "____").replace(second, "____")
    )
    return Row(f'Fill each gap with "{first}" or "{second}".', example, blanks)
