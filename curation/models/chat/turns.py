"""Conversations as turns: a question and its answer, as judges of single turns read them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from curation.core.row import Message, response_of

NO_QUESTION = "no question to judge"
NO_RESPONSE = "no response to judge"
NOT_TEXT = "it has parts that are no text"
SEVERAL = "more than one turn"


class Turn(NamedTuple):
    """What a user says, and what the assistant answers; neither is empty."""

    question: str
    answer: str


def turns_of(messages: Sequence[Message]) -> list[Turn] | str:
    """The turns of a conversation, or why they cannot be judged.

    Texts of one side that follow each other are one text. System texts and results of tools belong to no turn; tool
    calls are part of an answer. Questions after the last answer are left out, for nothing is learnt from them.

    Args:
        messages: Of one row.

    Returns:
        At least one turn, or a reason that counts well.
    """
    if any(part.get("type") != "text" for m in messages for part in m.get("parts", [])):
        return NOT_TEXT
    asked: list[str] = []
    sides: list[tuple[list[str], list[str]]] = []
    for message in messages:
        if message["role"] == "user":
            asked.append(message["content"])
        elif message["role"] == "assistant":
            if asked or not sides:
                sides.append((asked, []))
                asked = []
            sides[-1][1].append(response_of([message]))
    turns = [Turn(_joined(questions), _joined(answers)) for questions, answers in sides]
    if not turns or not all(turn.answer for turn in turns):
        return NO_RESPONSE
    return turns if all(turn.question for turn in turns) else NO_QUESTION


def single_turn(messages: Sequence[Message]) -> Turn | str:
    """The only turn of a conversation, or why it has none or more."""
    turns = turns_of(messages)
    if isinstance(turns, str):
        return turns
    return turns[0] if len(turns) == 1 else SEVERAL


def question_of(messages: Sequence[Message]) -> str:
    """What the user says in a conversation of one question, answered or not; "" where there is none or more."""
    users = [m for m in messages if m["role"] == "user"]
    return users[0]["content"].strip() if len(users) == 1 else ""


def _joined(texts: Sequence[str]) -> str:
    return "\n\n".join(text.strip() for text in texts if text.strip())
