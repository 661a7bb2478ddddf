"""The grammar of formulas: text to a checked syntax tree, or an error that names the place.

A tree that `parse` returns holds numbers, names of scores (`reward`) and of their columns (`length.response_words`),
+ − * / **, one comparison at a time, and calls of known functions with plain arguments: nothing that can reach Python.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from curation.core.errors import CurationError

MAX_CHARS = 2000
MAX_NODES = 500
MAX_DEPTH = 60

OPERATORS = (
    (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow),
    (ast.UAdd, ast.USub),
    (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq),
)


@dataclass(frozen=True)
class Signature:
    """How a function is called.

    Args:
        text: For messages and help.
        least: Fewest arguments.
        most: Most arguments.
    """

    text: str
    least: int = 1
    most: int = 1


def parse(expression: str, functions: Mapping[str, Signature]) -> ast.expr:
    """Check an expression and return its tree.

    Args:
        expression: As typed; may have several lines.
        functions: What may be called.

    Returns:
        A tree as the module's docstring says.

    Raises:
        CurationError: naming what is not understood and where.
    """
    return _Checker(expression, functions).parsed()


def names(tree: ast.expr) -> dict[str, ast.expr]:
    """The scores and columns that a checked tree reads, in the order of the text, each with its first node."""
    found: dict[str, ast.expr] = {}
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Name | ast.Attribute)]
    within = {id(node.value) for node in nodes if isinstance(node, ast.Attribute)}
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in sorted(nodes, key=lambda node: node.col_offset):
        if id(node) not in within | called:
            found.setdefault(dotted(node), node)
    return found


def dotted(node: ast.AST) -> str:
    """The name that a Name or a score.column node stands for."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    assert isinstance(node, ast.Name)
    return node.id


def refuse(expression: str, node: ast.AST, problem: str, hint: str = "") -> NoReturn:
    """Raise the error for a node of an expression.

    Raises:
        CurationError: always.
    """
    text = _one_line(expression)
    at = len(text.encode()[: getattr(node, "col_offset", 0)].decode(errors="replace"))
    _refuse(text, at, problem, hint)


def _refuse(text: str, at: int, problem: str, hint: str = "") -> NoReturn:
    rest = text[at : at + 20]
    place = f"at character {at + 1} ('{rest}{'…' if len(text) > at + 20 else ''}')" if rest else "at the end"
    raise CurationError(f"formula, {place}: {problem}", hint or "allowed: numbers, scores, + - * / **, < > <= >= == !=")


def _one_line(expression: str) -> str:
    return "".join(" " if c.isspace() else c for c in expression.strip())


class _Checker:
    """Walks one tree and refuses the first thing that is not allowed."""

    def __init__(self, expression: str, functions: Mapping[str, Signature]) -> None:
        self.text = _one_line(expression)
        self.functions = functions
        self.nodes = 0

    def parsed(self) -> ast.expr:
        if len(self.text) > MAX_CHARS:
            raise CurationError(f"the formula has {len(self.text):,} characters, at most {MAX_CHARS:,} are read")
        if not self.text:
            raise CurationError("the formula is empty", "for example: rank(reward) + rank(mtld)")
        if "#" in self.text:
            _refuse(self.text, self.text.index("#"), "comments are not allowed")
        try:
            tree = ast.parse(self.text + "\n", mode="eval").body  # without it, an error at the end has no place
        except SyntaxError as error:
            _refuse(self.text, min(max((error.offset or 1) - 1, 0), len(self.text)), error.msg)
        except (ValueError, RecursionError, MemoryError) as error:
            raise CurationError(f"the formula cannot be read: {error or type(error).__name__}") from None
        self.check(tree, 1)
        return tree

    def check(self, node: ast.AST, depth: int) -> None:
        """Refuses a node, or checks what is below it."""
        self.nodes += 1
        if self.nodes > MAX_NODES or depth > MAX_DEPTH:
            raise CurationError("the formula is too long or too deeply nested", "make a step of each part of it")
        for child in self.children(node):
            self.check(child, depth + 1)

    def children(self, node: ast.AST) -> list[ast.expr]:
        """The operands of an allowed node."""
        binary, unary, comparisons = OPERATORS
        match node:
            case ast.Constant():
                self.check_number(node)
                return []
            case ast.Name() | ast.Attribute(value=ast.Name()):
                self.check_name(dotted(node), node)
                return []
            case ast.UnaryOp(op=op, operand=operand) if isinstance(op, unary):
                return [operand]
            case ast.BinOp(left=left, op=op, right=right) if isinstance(op, binary):
                return [left, right]
            case ast.Compare(left=left, ops=[op], comparators=[right]) if isinstance(op, comparisons):
                return [left, right]
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
                self.check_call(name, len(args), node)
                return args
        refuse(self.text, node, _why_not(node))

    def check_number(self, node: ast.Constant) -> None:
        """Refuses what is no finite real number."""
        value = node.value
        if isinstance(value, bool) or not isinstance(value, int | float):
            refuse(self.text, node, f"{value!r} is not a number")
        try:
            finite = math.isfinite(float(value))
        except OverflowError:
            finite = False
        if not finite:
            refuse(self.text, node, "the number is too large")

    def check_name(self, name: str, node: ast.AST) -> None:
        """Refuses a function without its arguments."""
        if name in self.functions:
            refuse(self.text, node, f"'{name}' is a function: {self.functions[name].text}")

    def check_call(self, name: str, arguments: int, node: ast.AST) -> None:
        """Refuses an unknown function or a wrong number of arguments."""
        if name not in self.functions:
            known = ", ".join(s.text for s in self.functions.values())
            refuse(self.text, node, f"there is no function '{name}'", f"functions: {known}")
        signature = self.functions[name]
        if not signature.least <= arguments <= signature.most:
            refuse(self.text, node, f"{name} has {arguments} arguments; it is called as {signature.text}")


NOT_ALLOWED: dict[type[ast.AST], str] = {
    ast.Attribute: "a dot goes between a score and its column only",
    ast.BoolOp: "'and' and 'or' are not allowed: write test * test, max(test, test)",
    ast.Call: "only the known functions can be called, with plain arguments",
    ast.Compare: "only < > <= >= == != are allowed, one at a time: (a < b) * (b < c)",
    ast.IfExp: "'if' is not allowed: write where(test, yes, no)",
    ast.List: "a list of values is not allowed",
    ast.Subscript: "square brackets are not allowed",
    ast.Tuple: "a list of values is not allowed",
    ast.UnaryOp: "this sign is not allowed; write 1 - test for 'not'",
    ast.BinOp: "this operator is not allowed",
}


def _why_not(node: ast.AST) -> str:
    return NOT_ALLOWED.get(type(node), f"{type(node).__name__} is not allowed")
