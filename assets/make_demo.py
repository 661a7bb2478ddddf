"""Write demo.json: a small instruction set with planted faults, the same bytes on every run.

Each row is an Alpaca record with three more fields: `topic`; `planted`, the kind of fault, "" for a clean row; and
`planted_of`, for a duplicate the index of the row it repeats, else null. An original always stands before its copies.
"""

import argparse
import itertools
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from demo_topics import (
    arithmetic,
    astronomy,
    cooking,
    faults,
    finance,
    gardening,
    grammar,
    health,
    history,
    music,
    physics,
    python,
    travel,
)
from demo_topics.rows import Row, read_prose

SEED = 20
ROWS = 1_000
PLANTED = {
    "exact-duplicate": 30,
    "near-duplicate": 40,
    "wrong": 40,
    "off-topic": 30,
    "empty": 15,
    "boilerplate": 30,
    "rare-topic": 5,
}
RARE_TOPIC = "bookbinding"
TOPICS = {
    "arithmetic": arithmetic,
    "astronomy": astronomy,
    "cooking": cooking,
    "gardening": gardening,
    "grammar": grammar,
    "health": health,
    "history": history,
    "music": music,
    "personal finance": finance,
    "physics": physics,
    "python": python,
    "travel": travel,
}
OFF_TOPIC_CHARACTERS = 40  # "Four" could pass as an answer to many questions; a longer text cannot
FEW_WORDS = 12  # answers shorter than this are left out when there are more rows than needed
EDITED_WORDS = 30  # in shorter rows one changed word already makes a different row
TWICE_COPIED = 4  # originals with two exact copies, so that groups of three occur
SIMILARITY = 0.82  # lowest Jaccard similarity, of word triples, of a near-duplicate with its original
SURFACE_EDITED, QUESTION_EDITED, ANSWER_EDITED = 0.4, 0.7, 0.8  # chance of each kind of edit in a near-duplicate
OUTPUT = Path(__file__).with_name("demo.json")


@dataclass(eq=False, slots=True)
class Entry:
    """A row on its way into the file; `of` is the entry it was copied from."""

    topic: str
    row: Row
    planted: str = ""
    of: "Entry | None" = None


def main() -> None:
    """Write the file named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=OUTPUT)
    output: Path = parser.parse_args().output
    output.write_text(as_json(build(SEED)), encoding="utf-8", newline="\n")
    print(f"{output}: {ROWS} rows")


def as_json(records: Iterable[dict[str, str | int | None]]) -> str:
    """Return the records as one JSON list with a record on each line, which keeps differences readable."""
    return "[\n" + ",\n".join(json.dumps(record, ensure_ascii=False) for record in records) + "\n]\n"


def build(seed: int) -> list[dict[str, str | int | None]]:
    """Return the records of the dataset in their shuffled order."""
    rng = Random(seed)
    pools = true_rows(seed)
    for rows in pools.values():
        rng.shuffle(rows)
    entries = [
        *plant_wrong(take(pools, PLANTED["wrong"], lambda row: row.false != "")),
        *plant_off_topic(take(pools, PLANTED["off-topic"], lambda row: len(row.output) >= OFF_TOPIC_CHARACTERS)),
        *plant_empty(take(pools, PLANTED["empty"], lambda _: True)),
        *plant_boilerplate(take(pools, PLANTED["boilerplate"], lambda row: row.input == "")),
        *(Entry(RARE_TOPIC, row, "rare-topic") for row in read_prose(RARE_TOPIC)),
    ]
    left = [Entry(topic, row) for topic, rows in pools.items() for row in rows]
    clean = without_some_short(left, ROWS - sum(PLANTED.values()), rng)
    entries += clean + exact_copies(clean, rng) + near_copies(clean, rng)
    rng.shuffle(entries)
    return as_records(originals_first(entries))


def true_rows(seed: int) -> dict[str, list[Row]]:
    """Return every true row that we have, by topic; a topic's rows depend on the seed and on no other topic.

    Args:
        seed: any number.

    Returns:
        The rows of each topic.

    Raises:
        ValueError: if a question was made twice, since its copy would be a duplicate that nobody planted.
    """
    pools = {topic: module.rows(Random(f"{seed} {topic}")) for topic, module in TOPICS.items()}
    asked: set[tuple[str, str]] = set()
    for row in itertools.chain.from_iterable(pools.values()):
        if (row.instruction, row.input) in asked:
            raise ValueError(f"the question was made twice: {row.instruction} {row.input}")
        asked.add((row.instruction, row.input))
    return pools


def without_some_short(entries: list[Entry], count: int, rng: Random) -> list[Entry]:
    """Return `count` of the entries, leaving out some of those with short answers, of which there are many."""
    short = [index for index, entry in enumerate(entries) if len(entry.row.output.split()) < FEW_WORDS]
    left_out = set(rng.sample(short, len(entries) - count))
    return [entry for index, entry in enumerate(entries) if index not in left_out]


def take(pools: dict[str, list[Row]], count: int, wanted: Callable[[Row], bool]) -> list[tuple[str, Row]]:
    """Remove `count` wanted rows from the pools, one topic after the other, so that faults are spread evenly.

    Args:
        pools: the rows left in each topic; changed.
        count: how many rows to take.
        wanted: says whether a row is fit for the fault.

    Returns:
        (topic, row) pairs; neighbours, and the last and the first, have different topics.
    """
    taken = []
    for topic in itertools.islice(itertools.cycle(pools), count):
        row = next(row for row in pools[topic] if wanted(row))
        pools[topic].remove(row)
        taken.append((topic, row))
    return taken


def plant_wrong(rows: Iterable[tuple[str, Row]]) -> list[Entry]:
    """Give each row its false answer."""
    return [Entry(topic, replace(row, output=row.false), "wrong") for topic, row in rows]


def plant_off_topic(rows: list[tuple[str, Row]]) -> list[Entry]:
    """Give each row the answer of the next one, which is about another topic."""
    following = rows[1:] + rows[:1]
    return [
        Entry(topic, replace(row, output=other.output), "off-topic")
        for (topic, row), (_, other) in zip(rows, following, strict=True)
    ]


def plant_empty(rows: Iterable[tuple[str, Row]]) -> list[Entry]:
    """Give each row an empty answer or one of white space only."""
    blanks = itertools.cycle(faults.EMPTY)
    return [Entry(topic, replace(row, output=next(blanks)), "empty") for topic, row in rows]


def plant_boilerplate(rows: list[tuple[str, Row]]) -> list[Entry]:
    """Give each row a refusal or a text that says nothing."""
    entries = []
    for (topic, row), phrase in zip(rows, faults.BOILERPLATE, strict=True):
        output = phrase.format(topic=topic, Topic=topic.capitalize())
        entries.append(Entry(topic, replace(row, output=output), "boilerplate"))
    return entries


def exact_copies(clean: list[Entry], rng: Random) -> list[Entry]:
    """Return copies of clean rows, two for the first few originals and one for the others."""
    count = PLANTED["exact-duplicate"]
    originals = rng.sample(clean, count - TWICE_COPIED)
    return [Entry(of.topic, of.row, "exact-duplicate", of) for of in originals + originals[:TWICE_COPIED]]


def near_copies(clean: list[Entry], rng: Random) -> list[Entry]:
    """Return lightly edited copies of longer clean rows; code is left out, where a typo would be an error."""
    long = [entry for entry in clean if len(words(entry.row)) >= EDITED_WORDS and "```" not in entry.row.output]
    originals = rng.sample(long, PLANTED["near-duplicate"])
    return [Entry(of.topic, edited(of.row, rng), "near-duplicate", of) for of in originals]


def edited(row: Row, rng: Random) -> Row:
    """Return the row with up to three light edits, close to the original but not equal to it."""
    while True:
        copy = row
        if rng.random() < SURFACE_EDITED:
            copy = replace(copy, instruction=rng.choice(faults.SURFACE_EDITS)(copy.instruction, rng))
        if rng.random() < QUESTION_EDITED:
            copy = replace(copy, instruction=rng.choice(faults.QUESTION_EDITS)(copy.instruction, rng))
        if rng.random() < ANSWER_EDITED:
            copy = replace(copy, output=rng.choice(faults.ANSWER_EDITS)(copy.output, rng))
        if copy != row and similarity(copy, row) >= SIMILARITY:
            return copy


def words(row: Row) -> list[str]:
    """Return the words of instruction, input and output in small letters."""
    return re.findall(r"\w+", f"{row.instruction} {row.input} {row.output}".lower())


def similarity(first: Row, second: Row) -> float:
    """Return the Jaccard similarity of the two rows' sets of word triples, 0 to 1."""
    one, two = (set(zip(*(words(row)[start:] for start in range(3)), strict=False)) for row in (first, second))
    return len(one & two) / len(one | two)


def originals_first(entries: list[Entry]) -> list[Entry]:
    """Return the entries with each original moved to the place of its first copy where that one came earlier."""
    order = list(entries)
    place = {id(entry): index for index, entry in enumerate(order)}
    for copy in entries:
        if copy.of and place[id(copy.of)] > place[id(copy)]:
            first, second = place[id(copy)], place[id(copy.of)]
            order[first], order[second] = copy.of, copy
            place[id(copy.of)], place[id(copy)] = first, second
    return order


def as_records(entries: list[Entry]) -> list[dict[str, str | int | None]]:
    """Return the entries as records, with `planted_of` as an index into the list."""
    place = {id(entry): index for index, entry in enumerate(entries)}
    return [
        {
            "instruction": entry.row.instruction,
            "input": entry.row.input,
            "output": entry.row.output,
            "topic": entry.topic,
            "planted": entry.planted,
            "planted_of": place[id(entry.of)] if entry.of else None,
        }
        for entry in entries
    ]


if __name__ == "__main__":
    main()
