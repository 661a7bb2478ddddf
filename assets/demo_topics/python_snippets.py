"""Short Python questions: what a snippet prints, and snippets with an error to mend.

The printed results and the mended code are checked by running them in the tests.
"""

from random import Random

from demo_topics.rows import Row, pick

ASK_OUTPUT = (
    "What does this code print?",
    "Predict the output.",
    "Read the snippet and write down what appears on the screen.",
    "Which output does this produce?",
    "I ran these lines in Python 3. What did I see?",
    "Without running it, tell me the result.",
)

# (code, what it prints, what a hasty reader would say)
PRINTED = (
    ("print(7 // 2, 7 % 2)", "3 1", "3.5 1"),
    ("print('ab' * 3)", "ababab", "aaabbb"),
    ("print([1, 2, 3][-1])", "3", "1"),
    ("print(len({1, 2, 2, 3}))", "3", "4"),
    ("print(list(range(2, 10, 3)))", "[2, 5, 8]", "[2, 5, 8, 11]"),
    ("print(sorted('pear'))", "['a', 'e', 'p', 'r']", "aepr"),
    ("print(bool([]), bool([0]))", "False True", "False False"),
    ("x = [1, 2]\ny = x\ny.append(3)\nprint(x)", "[1, 2, 3]", "[1, 2]"),
    ("print('-'.join(['a', 'b', 'c']))", "a-b-c", "abc-"),
    ("print(sum(n * n for n in range(4)))", "14", "30"),
    ("print({'a': 1}.get('b', 0))", "0", "None"),
    ("a, *b = [1, 2, 3]\nprint(b)", "[2, 3]", "2"),
    ("print(round(2.5), round(3.5))", "2 4", "3 4"),
    ("for i in range(3):\n    if i == 1:\n        continue\n    print(i)", "0\n2", "0\n1\n2"),
)

ASK_MENDING = (
    "Find and fix the bug.",
    "This code does not do what it should. Correct it and say what was wrong.",
    "Why does my code fail, and how do I repair it?",
)

# (faulty code, mended code, explanation, check of the mended code)
MENDED = (
    (
        "def average(numbers):\n    return sum(numbers) / len(number)",
        "def average(numbers):\n    return sum(numbers) / len(numbers)",
        "The argument is called `numbers`, but the last line asks for `number`, which raises a NameError.",
        "assert average([2, 4]) == 3",
    ),
    (
        "age = input('Your age: ')\nif age >= 18:\n    print('Welcome')",
        "age = int(input('Your age: '))\nif age >= 18:\n    print('Welcome')",
        "`input` returns a string, and a string cannot be compared with a number. Convert it with `int` first.",
        "assert age == 20",
    ),
    (
        "items = [2, 4, 5, 7]\nfor item in items:\n    if item % 2 == 0:\n        items.remove(item)",
        "items = [2, 4, 5, 7]\nitems = [item for item in items if item % 2 != 0]",
        "Removing items while looping over the same list makes the loop skip elements. Build a new list instead.",
        "assert items == [5, 7]",
    ),
    (
        "def last_word(text):\n    return text.split()[1]",
        "def last_word(text):\n    return text.split()[-1]",
        "Index 1 is the second word. The last one has index -1.",
        "assert last_word('to be or not') == 'not'",
    ),
    (
        "total = 0\nfor n in range(1, 100):\n    total += n",
        "total = 0\nfor n in range(1, 101):\n    total += n",
        "`range` leaves out its end, so to include 100 it has to stop at 101.",
        "assert total == 5050",
    ),
    (
        "def greet(name):\n    greeting = 'Hello, ' + name\n\nmessage = greet('Eva')",
        "def greet(name):\n    return 'Hello, ' + name\n\nmessage = greet('Eva')",
        "The function stores the text in a local variable and never returns it, so `message` is None.",
        "assert message == 'Hello, Eva'",
    ),
    (
        "prices = {'tea': 2, 'cake': 4}\nprint('Cake costs ' + prices['cake'])",
        "prices = {'tea': 2, 'cake': 4}\nprint(f\"Cake costs {prices['cake']}\")",
        "A string and an integer cannot be joined with `+`. An f-string converts the number for you.",
        "assert prices['cake'] == 4",
    ),
    (
        "if temperature = 0:\n    state = 'freezing'",
        "temperature = 0\nif temperature == 0:\n    state = 'freezing'",
        "A single `=` assigns; a comparison needs `==`. The variable also has to exist before the test.",
        "assert state == 'freezing'",
    ),
    (
        "rows = [[0] * 3] * 2\nrows[0][0] = 1",
        "rows = [[0] * 3 for _ in range(2)]\nrows[0][0] = 1",
        "Multiplying the outer list repeats the same inner list, so both rows changed together.",
        "assert rows == [[1, 0, 0], [0, 0, 0]]",
    ),
    (
        "numbers = [3, 1, 2]\nordered = numbers.sort()",
        "numbers = [3, 1, 2]\nordered = sorted(numbers)",
        "`list.sort` sorts in place and returns None. `sorted` returns a new list.",
        "assert ordered == [1, 2, 3]",
    ),
)


def rows(rng: Random) -> list[Row]:
    """Return the prediction and the mending rows."""
    made = [Row(pick(ASK_OUTPUT, index), printed, code, hasty) for index, (code, printed, hasty) in enumerate(PRINTED)]
    for index, (faulty, mended, why, _) in enumerate(MENDED):
        block = f"```python\n{mended}\n```"
        parts = (why, block) if rng.random() < 0.5 else (block, why)
        made.append(Row(pick(ASK_MENDING, index), "\n\n".join(parts), faulty))
    return made
