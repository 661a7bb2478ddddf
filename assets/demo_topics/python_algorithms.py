"""Python tasks about small algorithms."""

from demo_topics.python_task import Task

TASKS = (
    Task(
        "Write a Python function that checks whether a word is a palindrome.",
        """
def is_palindrome(word: str) -> bool:
    letters = [c for c in word.lower() if c.isalnum()]
    return letters == letters[::-1]
""",
        "assert is_palindrome('Never odd or even') and not is_palindrome('python')",
        "Spaces, punctuation and case are ignored, so whole phrases work as well.",
        ("letters[::-1]", "sorted(letters)"),
    ),
    Task(
        "Reverse a string in Python.",
        """
text = "stressed"
reversed_text = text[::-1]
""",
        "assert reversed_text == 'desserts'",
        bug=("text[::-1]", "text[::2]"),
    ),
    Task(
        "Implement binary search on a sorted list and return the index, or -1.",
        """
def binary_search(items, target):
    low, high = 0, len(items) - 1
    while low <= high:
        middle = (low + high) // 2
        if items[middle] == target:
            return middle
        if items[middle] < target:
            low = middle + 1
        else:
            high = middle - 1
    return -1
""",
        "assert [binary_search([2, 5, 9, 14], x) for x in (2, 14, 5, 3)] == [0, 3, 1, -1]",
        "The search interval is halved in every round, so a million items need at most twenty comparisons.",
        ("while low <= high", "while low < high"),
    ),
    Task(
        "I need a function that returns the n-th Fibonacci number without recursion.",
        """
def fibonacci(n):
    a, b = 0, 1
    for _ in range(n):
        a, b = b, a + b
    return a
""",
        "assert [fibonacci(n) for n in range(8)] == [0, 1, 1, 2, 3, 5, 8, 13]",
        "`fibonacci(0)` is 0 and `fibonacci(1)` is 1; the loop keeps only the last two numbers.",
        ("b, a + b", "b, a * b"),
    ),
    Task(
        "Generate all prime numbers below a limit with the sieve of Eratosthenes.",
        """
def primes_below(limit):
    is_prime = [True] * limit
    is_prime[:2] = [False] * min(2, limit)
    for number in range(2, int(limit**0.5) + 1):
        if is_prime[number]:
            for multiple in range(number * number, limit, number):
                is_prime[multiple] = False
    return [number for number in range(limit) if is_prime[number]]
""",
        "assert primes_below(30) == [2, 3, 5, 7, 11, 13, 17, 19, 23, 29] and primes_below(1) == []",
        "Crossing out starts at the square of each prime, since smaller multiples are already gone.",
        ("is_prime[:2] = [False] * min(2, limit)", "is_prime[:1] = [False]"),
    ),
    Task(
        "Flatten a list of lists.",
        """
def flatten(nested):
    return [item for inner in nested for item in inner]
""",
        "assert flatten([[1, 2], [], [3]]) == [1, 2, 3]",
    ),
    Task(
        "Remove duplicates from a list but keep the order of first appearance.",
        """
def unique(items):
    return list(dict.fromkeys(items))
""",
        "assert unique([3, 1, 3, 2, 1]) == [3, 1, 2]",
        "Dictionaries preserve insertion order, which makes this both short and fast.",
        ("list(dict.fromkeys(items))", "sorted(set(items))"),
    ),
    Task(
        "Write a function that tells whether a year is a leap year.",
        """
def is_leap(year):
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
""",
        "assert [is_leap(y) for y in (1800, 2000, 2023, 2024)] == [False, True, False, True]",
        "Years divisible by 4 are leap years, except full centuries that are not divisible by 400.",
        ("year % 400 == 0)", "year % 200 == 0)"),
    ),
    Task(
        "Convert Celsius to Fahrenheit in one line.",
        """
to_fahrenheit = lambda celsius: celsius * 9 / 5 + 32
""",
        "assert to_fahrenheit(100) == 212",
        bug=("* 9 / 5", "* 5 / 9"),
    ),
    Task(
        "Find the most common element of a list.",
        """
from collections import Counter

def most_common(items):
    return Counter(items).most_common(1)[0][0]
""",
        "assert most_common(['a', 'b', 'a']) == 'a'",
    ),
    Task(
        "How do I split a list into chunks of a given size?",
        """
def chunks(items, size):
    return [items[i : i + size] for i in range(0, len(items), size)]
""",
        "assert chunks([1, 2, 3, 4, 5], 2) == [[1, 2], [3, 4], [5]]",
        "The last chunk is shorter if the length is not a multiple of the size.",
        ("range(0, len(items), size)", "range(0, len(items) - size, size)"),
    ),
    Task(
        "Write a recursive function for the factorial and guard against negative input.",
        """
def factorial(n: int) -> int:
    if n < 0:
        raise ValueError("factorial is not defined for negative numbers")
    return 1 if n == 0 else n * factorial(n - 1)
""",
        "assert [factorial(n) for n in (0, 1, 5)] == [1, 1, 120]",
        bug=("return 1 if n == 0", "return 0 if n == 0"),
    ),
    Task(
        "Compute the greatest common divisor of two integers with Euclid's algorithm.",
        """
def gcd(a, b):
    while b:
        a, b = b, a % b
    return abs(a)
""",
        "assert gcd(48, 36) == 12 and gcd(7, 0) == 7",
        "In real code use `math.gcd`; this version shows the idea.",
        ("a, b = b, a % b", "a, b = b, a // b"),
    ),
    Task(
        "Check whether two strings are anagrams of each other.",
        """
def are_anagrams(first, second):
    return sorted(first.lower()) == sorted(second.lower())
""",
        "assert are_anagrams('Listen', 'Silent') and not are_anagrams('aab', 'abb')",
        bug=("sorted(first.lower()) == sorted(second.lower())", "set(first.lower()) == set(second.lower())"),
    ),
    Task(
        "Write a generator that yields the running total of a sequence.",
        """
def running_total(numbers):
    total = 0
    for number in numbers:
        total += number
        yield total
""",
        "assert list(running_total([1, 2, 3])) == [1, 3, 6]",
        "Because it is a generator it also works on endless input. The standard library has `itertools.accumulate`.",
    ),
    Task(
        "Transpose a matrix given as a list of rows.",
        """
def transpose(matrix):
    return [list(column) for column in zip(*matrix)]
""",
        "assert transpose([[1, 2, 3], [4, 5, 6]]) == [[1, 4], [2, 5], [3, 6]]",
        (
            "The star passes the rows to `zip` as separate arguments, and `zip` pairs up the first items, the "
            "second, and so on."
        ),
    ),
    Task(
        "Count the vowels in a sentence.",
        """
def count_vowels(sentence):
    return sum(c in "aeiou" for c in sentence.lower())
""",
        "assert count_vowels('Education is fun') == 7",
        bug=('"aeiou"', '"aei"'),
    ),
    Task(
        "Write a function that returns the second largest distinct number in a list.",
        """
def second_largest(numbers):
    distinct = sorted(set(numbers))
    if len(distinct) < 2:
        raise ValueError("need at least two different numbers")
    return distinct[-2]
""",
        "assert second_largest([4, 9, 9, 7, 1]) == 7",
        "Turning the list into a set first makes sure that a repeated maximum is counted once.",
        ("distinct[-2]", "distinct[1]"),
    ),
    Task(
        "Encode a message with a Caesar cipher.",
        """
def caesar(text, shift):
    def move(c):
        if not c.isascii() or not c.isalpha():
            return c
        base = ord("A") if c.isupper() else ord("a")
        return chr((ord(c) - base + shift) % 26 + base)

    return "".join(move(c) for c in text)
""",
        "assert caesar('Hello, xyz!', 3) == 'Khoor, abc!' and caesar(caesar('Hi', 5), -5) == 'Hi'",
        "Call it again with the negative shift to decode. As a real cipher it is hopeless: there are only 25 keys.",
        ("% 26 + base", "% 25 + base"),
    ),
    Task(
        "Calculate the median of a list without importing anything.",
        """
def median(numbers):
    ordered = sorted(numbers)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle]) / 2
""",
        "assert median([3, 1, 2]) == 2 and median([4, 1, 3, 2]) == 2.5",
        "For an even number of values the median is the mean of the two in the middle.",
        ("ordered = sorted(numbers)", "ordered = list(numbers)"),
    ),
)
