"""Music: scales, keys, tempo, terms, composers, instruments and intervals."""

from random import Random

from demo_topics.rows import Row, pick, read_prose, sentence

# (major scale, its notes, sharps or flats)
SCALES = (
    ("C", "C D E F G A B C", "no sharps or flats"),
    ("G", "G A B C D E F# G", "one sharp"),
    ("D", "D E F# G A B C# D", "two sharps"),
    ("A", "A B C# D E F# G# A", "three sharps"),
    ("E", "E F# G# A B C# D# E", "four sharps"),
    ("F", "F G A Bb C D E F", "one flat"),
    ("B flat", "Bb C D Eb F G A Bb", "two flats"),
    ("E flat", "Eb F G Ab Bb C D Eb", "three flats"),
)
ASK_SCALE = (
    "Write out the {0} major scale.",
    "How many sharps or flats has {0} major?",
    "What notes are in the major triad on {0}?",
    "Which minor key is relative to {0} major?",
)

# (Italian term, meaning, is it a tempo)
TERMS = (
    ("allegro", "fast and lively", True),
    ("adagio", "slow and calm", True),
    ("presto", "very fast", True),
    ("andante", "at a walking pace", True),
    ("largo", "broad and very slow", True),
    ("pianissimo", "very soft", False),
    ("crescendo", "gradually louder", False),
    ("staccato", "short and detached", False),
    ("legato", "smooth and connected", False),
    ("pizzicato", "plucked with the finger", False),
    ("da capo", "back to the beginning", False),
    ("ritardando", "gradually slower", False),
)

# (work, composer, kind of work)
WORKS = (
    ("The Magic Flute", "Wolfgang Amadeus Mozart", "opera"),
    ("The Rite of Spring", "Igor Stravinsky", "ballet"),
    ("the Brandenburg Concertos", "Johann Sebastian Bach", "set of six concertos"),
    ("Swan Lake", "Pyotr Ilyich Tchaikovsky", "ballet"),
    ("The Planets", "Gustav Holst", "orchestral suite"),
    ("La traviata", "Giuseppe Verdi", "opera"),
    ("Messiah", "George Frideric Handel", "oratorio"),
    ("Clair de lune", "Claude Debussy", "piano piece"),
    ("Rhapsody in Blue", "George Gershwin", "work for piano and jazz band"),
    ("Carmen", "Georges Bizet", "opera"),
    ("Boléro", "Maurice Ravel", "orchestral piece"),
    ("Peer Gynt", "Edvard Grieg", "incidental music for a play"),
)
ASK_WORK = (
    "Who wrote {0}?",
    "Name the composer of {0} and say what kind of work it is.",
    "Which composer do you connect with {0}?",
)

# (instrument, family, how it makes sound)
INSTRUMENTS = (
    ("bassoon", "woodwind", "The player blows through a double reed into eight feet of folded maple tube."),
    ("French horn", "brass", "The lips buzz in a small mouthpiece, and the right hand in the bell shades the tone."),
    ("marimba", "percussion", "Soft mallets strike wooden bars, and tubes below them make the note ring."),
    ("viola", "strings", "A bow draws across four strings that are tuned a fifth lower than a violin's."),
    (
        "harpsichord",
        "keyboard",
        "Each key lifts a small plectrum that plucks a string, so touch hardly changes the volume.",
    ),
    ("theremin", "electronic", "Two antennas sense the hands in the air: one controls pitch, the other loudness."),
    ("harp", "strings", "Fingers pluck forty-seven strings, and seven pedals change their pitch by semitones."),
    ("accordion", "free reeds", "Bellows push air past metal tongues, which the keys and buttons open one by one."),
)

# (interval, semitones, a tune or a sound that many people know)
INTERVALS = (
    ("minor third", 3),
    ("major third", 4),
    ("perfect fourth", 5),
    ("perfect fifth", 7),
    ("octave", 12),
    ("major second", 2),
    ("tritone", 6),
)

GENRES = (
    ("reggae", "Jamaica", "a relaxed beat with the accent on the offbeat and a prominent bass"),
    (
        "flamenco",
        "Andalusia in southern Spain",
        "passionate singing, guitar, hand clapping and dance in intricate rhythms",
    ),
    ("fado", "Portugal", "melancholy songs of longing, sung to the twelve-string Portuguese guitar"),
    ("samba", "Brazil", "fast, layered percussion that carries the carnival parades"),
    (
        "tango",
        "the Río de la Plata around Buenos Aires and Montevideo",
        "sharp accents, longing melodies and the reedy voice of the bandoneon",
    ),
    (
        "bluegrass",
        "the Appalachian region of the United States",
        "quick acoustic playing on banjo, fiddle and mandolin with high harmonies",
    ),
)


def rows(rng: Random) -> list[Row]:
    """Return all music rows."""
    made = read_prose("music")
    for index, (key, notes, signature) in enumerate(SCALES):
        made += _scale(index, key, notes.split(), signature)
    for index, (term, meaning, is_tempo) in enumerate(TERMS):
        made.append(_term(index, term, meaning, is_tempo))
    for index, (work, composer, kind) in enumerate(WORKS):
        output = pick((f"{composer}.", f"{composer}; it is {_a(kind)}.", composer), index)
        wrong = WORKS[(index + 5) % len(WORKS)][1]
        made.append(Row(pick(ASK_WORK, index).format(work), output, false=output.replace(composer, wrong)))
    for index, (name, family, how) in enumerate(INSTRUMENTS):
        ask = pick(("How does {0} make its sound?", "Which family does {0} belong to, and how is it played?"), index)
        made.append(Row(ask.format(_the(name)), how if index % 2 == 0 else f"Family: {family}. {how}"))
    for index, (name, semitones) in enumerate(INTERVALS):
        ask = pick(("How many semitones are there in {0}?", "Count the half steps in {0}."), index)
        made.append(Row(ask.format(_a(name)), str(semitones), false=str(semitones + 2)))
    for index, (genre, place, sound) in enumerate(GENRES):
        ask = pick(
            ("Where was {0} born, and what does it sound like?", "Explain {0} to a friend in a sentence."), index
        )
        made.append(Row(ask.format(genre), f"{sentence(genre)} comes from {place}: {sound}."))
    made += [_tempo(rng, index) for index in range(6)]
    return made


def _a(name: str) -> str:
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _the(name: str) -> str:
    return f"the {name}"


def _scale(index: int, key: str, notes: list[str], signature: str) -> list[Row]:
    triad = " ".join(notes[step] for step in (0, 2, 4))
    relative = notes[5].replace("#", " sharp").replace("b", " flat")
    answers = (" ".join(notes), sentence(signature) + ".", triad, f"{relative} minor.")
    wrong = (
        " ".join([*notes[:3], *(note[0] for note in notes[3:])]) if key != "C" else "C D E F# G A Bb C",
        "Six sharps.",
        " ".join(notes[:3]),
        f"{notes[1]} minor.",
    )
    kinds = (index % 4, (index + 2 + index // 4) % 4)  # two different questions for each key
    return [Row(ASK_SCALE[kind].format(key), answers[kind], false=wrong[kind]) for kind in dict.fromkeys(kinds)]


def _term(index: int, term: str, meaning: str, is_tempo: bool) -> Row:
    what = "tempo" if is_tempo else "playing"
    forms = (
        (f'What does "{term}" mean in a score?', f"{sentence(meaning)}."),
        (
            f'My teacher wrote "{term}" above the bar. What should I do?',
            f"Play that passage {meaning}." if term != "da capo" else "Go back to the beginning.",
        ),
        (f"Define {term} for a glossary of musical terms.", f"{term} (Italian): a direction for {what}, {meaning}."),
    )
    ask, output = pick(forms, index)
    wrong = TERMS[(index + 1) % len(TERMS)][1]
    return Row(ask, output, false=output.replace(meaning, wrong) if meaning in output else "")


def _tempo(rng: Random, index: int) -> Row:
    bpm, beats, bars = rng.choice((60, 80, 100, 120, 150)), rng.choice((3, 4)), rng.choice((8, 16, 20, 32))
    seconds = bars * beats * 60 / bpm
    asks = (
        f"How long do {bars} bars of {beats}/4 last at {bpm} beats per minute?",
        f"A piece has {bars} bars in {beats}/4 time. At {bpm} bpm, what is its length in seconds?",
    )
    style = pick(
        (
            f"{bars} × {beats} = {bars * beats} beats. One beat takes {60 / bpm:g} s, so it lasts {{:g}} seconds.",
            "{:g} seconds",
        ),
        index // 2,
    )
    return Row(pick(asks, index), style.format(seconds), false=style.format(seconds * 2))
