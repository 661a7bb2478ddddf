"""Python coding: functions, snippets and questions about the language."""

from random import Random

from demo_topics import python_algorithms, python_library, python_snippets
from demo_topics.rows import Row, read_prose

TASKS = python_algorithms.TASKS + python_library.TASKS


def rows(rng: Random) -> list[Row]:
    """Return all Python rows."""
    tasks = [task.row(note_first=rng.random() < 0.5) for task in TASKS]
    return read_prose("python") + tasks + python_snippets.rows(rng)
