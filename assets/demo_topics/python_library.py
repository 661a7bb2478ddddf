"""Python tasks about everyday programming: files, classes, tests and the standard library."""

from demo_topics.python_task import Task

TASKS = (
    Task(
        "How can I count how often each word occurs in a text?",
        """
from collections import Counter

def word_counts(text):
    return Counter(text.lower().split())
""",
        "assert word_counts('A rose is a rose')['rose'] == 2",
        "`Counter` from the standard library does the work; `word_counts(text).most_common(3)` gives the top three.",
    ),
    Task(
        "Show me how to read a CSV file into a list of dictionaries.",
        """
import csv

def read_rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
""",
        "assert callable(read_rows)",
        "The first line of the file supplies the keys. All values are strings, so convert numbers yourself.",
    ),
    Task(
        "Sort a list of (name, age) tuples by age, oldest first.",
        """
people = [("Ida", 31), ("Leo", 58), ("Max", 24)]
by_age = sorted(people, key=lambda person: person[1], reverse=True)
""",
        "assert [name for name, _ in by_age] == ['Leo', 'Ida', 'Max']",
        "`sorted` returns a new list; use `people.sort(...)` to change the list in place.",
        ("person[1], reverse=True", "person[0], reverse=True"),
    ),
    Task(
        "Create a class for a bank account that refuses to go below zero.",
        """
class Account:
    def __init__(self, owner: str, balance: float = 0.0):
        self.owner = owner
        self.balance = balance

    def deposit(self, amount: float) -> None:
        if amount <= 0:
            raise ValueError("a deposit must be positive")
        self.balance += amount

    def withdraw(self, amount: float) -> None:
        if amount > self.balance:
            raise ValueError("not enough money in the account")
        self.balance -= amount
""",
        """
account = Account('Ida', 10)
account.deposit(5)
account.withdraw(15)
assert account.balance == 0
try:
    account.withdraw(1)
except ValueError:
    pass
else:
    raise AssertionError
""",
        "The checks live inside the methods, so no caller can forget them.",
        ("if amount > self.balance:", "if amount < 0:"),
    ),
    Task(
        "Merge two dictionaries; on equal keys the second one should win.",
        """
def merge(first, second):
    return {**first, **second}
""",
        "assert merge({'a': 1, 'b': 2}, {'b': 3}) == {'a': 1, 'b': 3}",
        "Since Python 3.9 you can also write `first | second`.",
        ("{**first, **second}", "{**second, **first}"),
    ),
    Task(
        "Write a decorator that prints how long a function took.",
        """
import functools
import time

def timed(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        start = time.perf_counter()
        result = function(*args, **kwargs)
        print(f"{function.__name__}: {time.perf_counter() - start:.3f} s")
        return result
    return wrapper
""",
        "assert timed(len)([1, 2]) == 2 and timed(len).__name__ == 'len'",
        "`functools.wraps` keeps the name and the docstring of the function that is decorated.",
    ),
    Task(
        "Validate that a password has at least ten characters, a digit and an upper-case letter.",
        """
def is_strong(password):
    return (
        len(password) >= 10
        and any(c.isdigit() for c in password)
        and any(c.isupper() for c in password)
    )
""",
        "assert is_strong('Correct4horse') and not is_strong('short1A') and not is_strong('nouppercase11')",
        "`any` stops at the first character that fits.",
        ("len(password) >= 10", "len(password) >= 2"),
    ),
    Task(
        "Group words by their first letter.",
        """
from collections import defaultdict

def by_initial(words):
    groups = defaultdict(list)
    for word in words:
        groups[word[0].lower()].append(word)
    return dict(groups)
""",
        "assert by_initial(['Apple', 'avocado', 'beet']) == {'a': ['Apple', 'avocado'], 'b': ['beet']}",
    ),
    Task(
        "Retry a function up to three times if it raises an exception.",
        """
def retry(function, attempts=3):
    for attempt in range(1, attempts + 1):
        try:
            return function()
        except Exception:
            if attempt == attempts:
                raise
""",
        """
calls = []
def flaky():
    calls.append(1)
    if len(calls) < 3:
        raise OSError
    return 'done'
assert retry(flaky) == 'done' and len(calls) == 3
""",
        (
            "The last failure is raised again so that the caller learns what went wrong. Catch a narrower exception "
            "if you can."
        ),
    ),
    Task(
        "Write code that saves a dictionary as JSON and loads it again.",
        """
import json
from pathlib import Path

def save(data, path):
    Path(path).write_text(json.dumps(data, indent=2), encoding="utf-8")

def load(path):
    return json.loads(Path(path).read_text(encoding="utf-8"))
""",
        """
import os, tempfile
path = os.path.join(tempfile.mkdtemp(), 'x.json')
save({'a': [1, 2]}, path)
assert load(path) == {'a': [1, 2]}
""",
        "JSON knows only strings as keys, so a key such as `1` comes back as `'1'`.",
    ),
    Task(
        "Implement a stack with push, pop and peek.",
        """
class Stack:
    def __init__(self):
        self._items = []

    def push(self, item):
        self._items.append(item)

    def pop(self):
        return self._items.pop()

    def peek(self):
        return self._items[-1]

    def __len__(self):
        return len(self._items)
""",
        "s = Stack(); s.push(1); s.push(2); assert s.peek() == 2 and s.pop() == 2 and len(s) == 1",
        "A Python list already behaves like a stack at its end, so every operation takes constant time.",
        ("return self._items.pop()", "return self._items.pop(0)"),
    ),
    Task(
        "How do I get yesterday's date?",
        """
from datetime import date, timedelta

yesterday = date.today() - timedelta(days=1)
""",
        "assert (date.today() - yesterday).days == 1",
        bug=("- timedelta(days=1)", "+ timedelta(days=1)"),
    ),
    Task(
        "Use pathlib to list all .txt files below a folder with their sizes.",
        """
from pathlib import Path

def text_files(folder):
    return {path.name: path.stat().st_size for path in sorted(Path(folder).rglob("*.txt"))}
""",
        """
import tempfile
folder = Path(tempfile.mkdtemp())
(folder / 'a.txt').write_text('abc')
assert text_files(folder) == {'a.txt': 3}
""",
        "`rglob` searches subfolders too; `glob` would stay in the folder itself.",
    ),
    Task(
        "Write a context manager that temporarily changes the working directory.",
        """
import contextlib
import os

@contextlib.contextmanager
def working_directory(path):
    previous = os.getcwd()
    os.chdir(path)
    try:
        yield
    finally:
        os.chdir(previous)
""",
        """
before = os.getcwd()
with working_directory(os.path.dirname(before) or '/'):
    pass
assert os.getcwd() == before
""",
        "The `finally` clause restores the old directory even when the block raises.",
    ),
    Task(
        "Define a dataclass for a point with a method that gives the distance to another point.",
        """
from dataclasses import dataclass
from math import hypot

@dataclass(frozen=True)
class Point:
    x: float
    y: float

    def distance(self, other: "Point") -> float:
        return hypot(self.x - other.x, self.y - other.y)
""",
        "assert Point(0, 0).distance(Point(3, 4)) == 5",
        "`frozen=True` makes points immutable and hashable.",
        ("hypot(self.x - other.x, self.y - other.y)", "self.x - other.x + self.y - other.y"),
    ),
    Task(
        "Print the multiplication table of seven.",
        """
for factor in range(1, 11):
    print(f"7 x {factor} = {7 * factor}")
""",
        "assert factor == 10",
    ),
    Task(
        "Swap two variables without a temporary one.",
        """
a, b = 1, 2
a, b = b, a
""",
        "assert (a, b) == (2, 1)",
    ),
    Task(
        "Write a unit test with pytest for a function `slugify` that turns titles into URL parts.",
        """
def slugify(title):
    return "-".join(title.lower().split())


def test_words_are_joined_by_dashes():
    assert slugify("Hello World") == "hello-world"


def test_extra_spaces_disappear():
    assert slugify("  many   spaces ") == "many-spaces"
""",
        "test_words_are_joined_by_dashes(); test_extra_spaces_disappear()",
        "Each test checks one behaviour and its name states it. Run them with `pytest -q`.",
    ),
)
