"""Answers of a chat model: against a server on this machine, and what is asked."""

from __future__ import annotations

import json

from curation.core.dataset import Row, from_pairs, in_memory
from curation.core.runtime import Runtime
from curation.generators._answers import EMPTY, NO_PROMPT
from curation.generators.chat import TOOLS, Chat
from curation.models.chat.judging import REFUSED
from tests.loopback.judges import Asked

PAIRS = [("What is a river?", "Water."), ("And a lamp?", "Light."), ("And bread?", "Flour.")]


def test_each_row_is_asked_once_and_a_second_run_asks_nothing(loopback, tmp_path):
    server = loopback(judge="tests.generators.test_chat:shouts")
    method = Chat().resolve(Runtime())
    runtime = Runtime(replies=tmp_path / "replies.sqlite")
    made = method.generate(from_pairs(PAIRS), runtime)
    assert [row.messages[-1]["content"] for row in made.rows] == [question.upper() for question, _ in PAIRS]
    assert made.parents.tolist() == [0, 1, 2]
    assert server.stats()["calls"] == 3
    first = json.loads(made.rows[0].record)
    assert (first["instruction"], first["output"]) == (PAIRS[0][0], PAIRS[0][0].upper())
    assert first["answer_by"] == method.model != "auto"
    assert method.generate(from_pairs(PAIRS), runtime).info == made.info
    assert server.stats()["calls"] == 3


def shouts(asked: Asked) -> str:
    """What the server says: the question in capitals."""
    return asked.last.upper()


def test_what_is_sent_is_the_conversation_up_to_its_last_answer():
    turns = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "two"},
        {"role": "user", "content": "three"},
        {"role": "assistant", "content": "four"},
    ]
    call = {"role": "assistant", "content": "", "tool_calls": [{"name": "look", "arguments": {}}]}
    rows = [turns, turns[:1], [*turns[:2], call, {"role": "tool", "content": "x"}, turns[4]]]
    pool = in_memory([Row(messages, "{}", "p", i, "messages") for i, messages in enumerate(rows)])
    method = Chat(connection="stand-in").resolve(Runtime())
    asked = method.requests(pool)
    assert [len(requests) for requests in asked] == [1, 0, 0]
    assert asked[0][0].messages == tuple((m["role"], m["content"]) for m in turns[:4])
    made = method.generate(pool, Runtime())
    assert [made.missing.reason(i) for i in range(3)] == [None, NO_PROMPT, TOOLS]
    assert made.rows[0].messages[:-1] == turns[:4]
    assert made.info["stand_in"] is True


def test_refused_and_empty_replies_are_missing_thinking_is_left_out(loopback):
    loopback(
        judge="tests.generators.test_chat:shouts",
        faults=[
            {"fault": "says", "text": "<think>hm</think> Light.", "match": "lamp", "per": "text"},
            {"fault": "says", "text": " ", "match": "bread", "per": "text"},
            {"fault": "refusal", "match": "river", "per": "text"},
        ],
    )
    made = Chat().resolve(Runtime()).generate(from_pairs(PAIRS), Runtime())
    assert [row.messages[-1]["content"] for row in made.rows] == ["Light."]
    assert [made.missing.reason(i) for i in range(3)] == [REFUSED, None, EMPTY]
