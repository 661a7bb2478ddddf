"""Prompts on their way through LIFT's expansion: what is sent, and what is read from a reply.

A prompt is an instruction and, if there is one, a text it is about (the `input` of Alpaca records). Both travel as one
text, with a line "input:" between them.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from curation.core.row import Message, Row
from curation.models.chat.prompts import blocks, prompt
from curation.models.chat.types import Request

PROMPT = "lift-v1"
DUPLICATE = "it repeats a prompt of this row"
BROKEN = "an earlier round gave no prompt"

MARKER = re.compile(r"^[ \t]*[#*_`]*[ \t]*input[ \t]*[*_`]*[ \t]*:[ \t]*[*_`]*[ \t]*", re.IGNORECASE | re.MULTILINE)
"""The marker at the beginning of a line, in any case, also where a model has written it bold or as a heading."""

NOTHING = {"", "none", "n/a", "na", "no input", "noinput", "<noinput>", "(none)", "(empty)"}
"""What models write where there is no input."""

_OPEN, _CLOSE = re.compile(r"<new_prompt>", re.IGNORECASE), re.compile(r"</new_prompt>", re.IGNORECASE)


@dataclass(frozen=True)
class Task:
    """What an assistant is asked.

    Args:
        instruction: Never empty.
        input: A text that the instruction is about, "" = none.
        system: System text before it, "" = none.
    """

    instruction: str
    input: str = ""
    system: str = ""

    @property
    def asked(self) -> str:
        """What the user says: the instruction, on the next line the input, as Alpaca records are read."""
        return f"{self.instruction}\n{self.input}" if self.input else self.instruction

    @property
    def sent(self) -> str:
        """What a rewriter reads: the two with the marker between them."""
        return f"{self.instruction}\ninput:\n{self.input}" if self.input else self.instruction

    @property
    def gist(self) -> str:
        """Equal for two tasks that differ in case and white space alone."""
        return " ".join(self.asked.casefold().split())


def task_of(messages: Sequence[Message], record: Any, tools: Any = None) -> Task | str:
    """The task of a conversation of one question, or why it has none.

    Instruction and input are told apart where the record does so.

    Args:
        messages: A system text or none, one question, an answer or none.
        record: The original record.
        tools: Tools offered, None = none.
    """
    turns = list(messages)
    system = turns.pop(0)["content"] if turns and turns[0]["role"] == "system" else ""
    if [m["role"] for m in turns[:2]] not in (["user"], ["user", "assistant"]) or len(turns) > 2:
        return "not one question and its answer"
    if tools is not None or any("tool_calls" in m for m in turns):
        return "it uses tools"
    if any(part.get("type") != "text" for m in messages for part in m.get("parts", [])):
        return "it has parts that are no text"
    asked = turns[0]["content"].strip()
    if not asked:
        return "no prompt"
    if isinstance(record, dict):
        for first, second in (("instruction", "input"), ("instruction", "context")):
            instruction, text = record.get(first), record.get(second)
            if isinstance(instruction, str) and isinstance(text, str) and instruction.strip() and text.strip():
                task = Task(instruction.strip(), text.strip(), system)
                if "".join(task.asked.split()) == "".join(asked.split()):
                    return task
    return Task(asked, "", system)


def rewritten(reply: str, before: Task) -> Task | str:
    """The task that a rewriter's reply holds, or why it holds none.

    The new prompt is what stands between the tags; where a model has written no tags, the whole reply, as the published
    code takes it. It is cut at its first marker; a marker that the old instruction had in itself separates nothing, so
    as many are passed over. Later markers are part of the input.

    Args:
        reply: As it came.
        before: What was to be rewritten.
    """
    begin = _OPEN.search(reply)
    text = reply[begin.end() :] if begin else reply
    ends = list(_CLOSE.finditer(text))
    if begin and not ends:
        return "the new prompt has no end"
    text = (text[: ends[-1].start()] if ends else text).strip()
    if begin and any(tag.search(text) and not tag.search(before.sent) for tag in (_OPEN, _CLOSE)):
        return "several new prompts in the reply"
    instruction, found = _split(text, len(MARKER.findall(before.instruction)))
    return Task(instruction, found, before.system) if instruction else "no new prompt in the reply"


def tagged(reply: str) -> bool:
    """True when the new prompt stands between the tags."""
    return bool(_OPEN.search(reply))


def _split(text: str, skip: int) -> tuple[str, str]:
    """Instruction and input of a prompt; `skip` markers belong to the instruction."""
    marks = list(MARKER.finditer(text))
    if len(marks) <= skip:
        return text, ""
    mark = marks[skip]
    found = text[mark.end() :].strip()
    return text[: mark.start()].strip(), "" if found.casefold() in NOTHING else found


def storable(text: str) -> str:
    """A text with a mark for every half character pair, which no file can hold."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


async def rewrite_in_rounds(
    first: Task, rounds: int, ask: Callable[[Task, int], Awaitable[Task | str]], *, chain: bool
) -> list[Task | str]:
    """A task rewritten several times.

    Args:
        first: The original.
        rounds: How often.
        ask: (task, round from 0) → a rewriting of the task, or why there is none.
        chain: Every round rewrites what the one before made, so that nothing comes after a failure; else the original.

    Returns:
        For every round its task, or why there is none: also where it repeats one that the row has already. After a
        repetition a chain tries again from where it stands.
    """
    before: Task | None = first
    seen = {first.gist}
    made: list[Task | str] = []
    for turn in range(rounds):
        if before is None:
            made.append(BROKEN)
            continue
        found = await ask(before, turn)
        if isinstance(found, Task) and found.gist in seen:
            made.append(DUPLICATE)
            continue
        made.append(found)
        if isinstance(found, Task):
            seen.add(found.gist)
        if chain:
            before = found if isinstance(found, Task) else None
    return made


def rewriting_request(
    task: Task, style: str, rules: str, *, temperature: float, max_tokens: int, sample: int = 0
) -> Request:
    """What asks for a harder version of a task.

    Args:
        task: The task.
        style: What the new prompt should be like.
        rules: Ways to make it harder, a line each.
        temperature: Of the sampling.
        max_tokens: Of the reply.
        sample: Which of several replies to one request is meant.
    """
    words = prompt(PROMPT)
    block, mark = blocks([("prompt", task.sent)])
    system, user = words.write("system", style=style, rules=rules), words.write("user", block=block, mark=mark)
    harder = dataclasses.replace(task, instruction=f"{task.instruction} Give reasons, step by step, and name a limit.")
    return Request(
        (("system", system), ("user", user)),
        max_tokens=max_tokens,
        temperature=temperature,
        sample=sample,
        pretend=f"<new_prompt>\n{harder.sent}\n</new_prompt>",
    )


def answering_request(task: Task, *, temperature: float, max_tokens: int) -> Request:
    """What asks for an answer: the prompt alone, as it will stand in the row."""
    system = (("system", task.system),) if task.system else ()
    pretend = f"This was written by no model, it stands in for an answer to: {task.asked[:400]}"
    return Request((*system, ("user", task.asked)), max_tokens=max_tokens, temperature=temperature, pretend=pretend)


def row_of(task: Task, answer: str, **fields: Any) -> Row:
    """A row in Alpaca form; further fields stand in its record."""
    record: dict[str, Any] = {"instruction": task.instruction, "input": task.input, "output": answer}
    turns: list[Message] = [{"role": "user", "content": task.asked}, {"role": "assistant", "content": answer}]
    if task.system:
        record["system"] = task.system
        turns.insert(0, {"role": "system", "content": task.system})
    return Row(turns, json.dumps({**record, **fields}, ensure_ascii=False), "", 0, "alpaca")
