"""What servers send, read as it is or not at all, but never with a crash."""

import json
import math
import random

import pytest

from curation.core.errors import ModelError
from curation.models.chat.backend import Failed, tokens_at_most
from curation.models.chat.pace import Window
from curation.models.chat.refusals import failure, told, waiting
from curation.models.chat.types import Reply, Request
from curation.models.chat.wire import Abilities, body_of, lesser, reply_of

SECRET = "plain-looking-secret-77"
ASKED = Request((("system", "You judge."), ("user", "How good?")), 10, schema='{"type": "object"}', logprobs=5)


def completion(**changes):
    place = {
        "token": "4",
        "logprob": -0.1,
        "top_logprobs": [{"token": "5", "logprob": -2.5}, {"token": "4", "logprob": -0.1}],
    }
    message = {"role": "assistant", "content": "4", **changes.pop("message", {})}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": {"content": [place]}}
    choice.update(changes.pop("choice", {}))
    return {"model": "m-1", "choices": [choice], "usage": {"prompt_tokens": 9, "completion_tokens": 1}, **changes}


def read(body, request=ASKED, secret=SECRET):
    return reply_of(body if isinstance(body, bytes) else json.dumps(body).encode(), request, 0.5, secret)


# ------------------------------------------------------------------------------- replies


def test_a_reply_is_read():
    first = ((("4", -0.1), ("5", -2.5)),)
    assert read(completion()) == Reply("4", "stop", 9, 1, first, "", "m-1", 0.5)
    assert read(completion(), Request(ASKED.messages)).first == (), "not asked for, not kept"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "JSON"), (b"null", "object"), (b"[]", "object"), (b"<html>", "JSON"), (b'{"choices": [{"mess', "JSON"),
        (b"\xff\xfe", "JSON"), (b"[" * 100_000, "JSON"), (b'{"a":' * 5000, "JSON"),
        ({}, "no choices"), ({"choices": {}}, "no choices"), ({"choices": []}, "no choices"),
        ({"choices": "x"}, "no choices"),
        ({"choices": [5]}, "wrong type"), ({"choices": [{"message": "hi"}]}, "wrong type"),
        ({"choices": [None]}, "wrong type"),
        (completion(message={"content": 5}), "wrong type"),
        (completion(message={"content": {"text": "4"}}), "wrong type"),
        (completion(message={"content": [{"type": "text"}]}), "wrong type"),
        (completion(message={"content": True}), "wrong type"),
        (completion(message={"content": None}), "no text"),
        (completion(choice={"finish_reason": "error"}), "server error"),
        ({"error": {"message": "overloaded", "code": 503}}, "503"), ({"error": "sad"}, "500"),
    ],
)  # fmt: skip
def test_what_is_no_reply_may_pass_and_is_tried_again(body, reason):
    with pytest.raises(Failed, match=reason) as caught:
        read(body)
    assert caught.value.again


def test_an_error_inside_a_reply_may_end_the_run():
    with pytest.raises(ModelError, match="key"):
        read({"error": {"message": "bad key", "code": 401}})


@pytest.mark.parametrize(
    "usage", [None, 5, [], {}, {"prompt_tokens": "9"}, {"prompt_tokens": -1, "completion_tokens": 1.5},
              {"prompt_tokens": True, "completion_tokens": math.nan}, {"prompt_tokens": 10**30}],
)  # fmt: skip
def test_tokens_that_are_not_told_are_estimated(usage):
    reply = read(completion(usage=usage))
    assert (reply.tokens_in, reply.tokens_out) == (3 + 3, 1)


@pytest.mark.parametrize(
    "logprobs",
    [None, 5, [], {}, {"content": None}, {"content": {}}, {"content": [5]}, {"content": [None]}, {"tokens": ["4"]}],
)
def test_probabilities_that_are_not_told_are_none(logprobs):
    assert read(completion(choice={"logprobs": logprobs})).first == ()


def test_probabilities_that_are_no_numbers_are_left_out():
    strange = [
        {"token": "1", "logprob": math.nan}, {"token": "2", "logprob": -math.inf}, {"token": "3", "logprob": "-1"},
        {"token": 4, "logprob": -1}, {"token": "5", "logprob": -0.5}, {"logprob": -1}, {"token": "6", "logprob": True},
        None,
    ]  # fmt: skip
    place = {"token": "5", "logprob": -0.5, "top_logprobs": strange}
    assert read(completion(choice={"logprobs": {"content": [place]}})).first == ((("5", -0.5),),)
    bare = {"token": "5", "logprob": -0.5, "top_logprobs": []}
    assert read(completion(choice={"logprobs": {"content": [bare]}})).first == ((("5", -0.5),),)


def test_probabilities_are_those_after_the_thinking_and_few():
    def place(token):
        return {"token": token, "logprob": -0.2, "top_logprobs": []}

    tokens = ["<th", "ink", ">", "well 3", "</think>", "\n\n", "5"]
    assert read(completion(choice={"logprobs": {"content": [place(t) for t in tokens]}})).first == ((("5", -0.2),),)
    assert len(read(completion(choice={"logprobs": {"content": [place("word ")] * 500}})).first) == 16
    assert len(read(completion(choice={"logprobs": {"content": [place("<think>")] * 3}})).first) == 3


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"message": {"content": None, "refusal": "No."}}, ("", "stop", "No.")),
        ({"message": {"content": None}, "choice": {"finish_reason": "length"}}, ("", "length", "")),
        ({"message": {"content": None, "reasoning_content": "hm"}}, ("", "stop", "")),
        ({"message": {"content": "5", "reasoning_content": "hm"}}, ("5", "stop", "")),
        ({"message": {"content": ""}}, ("", "stop", "")),
        ({"message": {"content": "5", "refusal": 7}, "choice": {"finish_reason": None}}, ("5", "stop", "")),
        ({"message": {"content": [{"type": "thinking"}, {"type": "text", "text": "5"}]}}, ("5", "stop", "")),
        ({"message": {"content": "a\ud800b"}}, ("a?b", "stop", "")),
        ({"message": {"content": f"<think>x</think>{SECRET}"}}, ("<think>x</think>[key hidden]", "stop", "")),
    ],
)
def test_forms_of_replies(changes, expected):
    reply = read(completion(**changes))
    assert (reply.text, reply.finish, reply.refusal) == expected


def test_any_value_anywhere_ends_in_a_reply_or_a_reason():
    rng = random.Random(0)
    strange = [None, 5, -1.5, "x", "", [], {}, True, [None], {"a": 1}, [[]], 10**40, "\ud800", math.nan, math.inf]

    def spoil(value):
        if rng.random() < 0.15:
            return rng.choice(strange)
        if isinstance(value, dict):
            return {k: spoil(v) for k, v in value.items() if rng.random() > 0.05}
        return [spoil(v) for v in value] if isinstance(value, list) else value

    outcomes = set()
    for _ in range(3000):
        try:
            reply = read(spoil(completion()))
        except (Failed, ModelError) as error:
            outcomes.add(str(error))
            continue
        assert isinstance(reply.text, str) and type(reply.tokens_in) is int and reply.tokens_in >= 0
        reply.text.encode(), reply.model.encode(), reply.finish.encode()
        assert all(math.isfinite(value) for place in reply.first for _, value in place)
    assert len(outcomes) >= 4


# -------------------------------------------------------------------------------- errors


def error(status, message="", code=None, headers=None, **fields):
    body = {"error": {"message": message, "code": code, **fields}}
    return failure(status, headers or {}, json.dumps(body).encode(), model="m", secret=SECRET)


@pytest.mark.parametrize(
    ("status", "message", "code", "words"),
    [
        (401, "", None, "key"), (403, "Country not supported", None, "access"), (402, "", None, "balance"),
        (429, "You exceeded your current quota.", "insufficient_quota", "quota"),
        (429, "Insufficient balance", None, "quota"),
        (404, "The model `m` does not exist", "model_not_found", "no model 'm'"),
        (404, "model \"m\" not found, try pulling it first", None, "no model 'm'"),
        (400, "Model Not Exist", "invalid_request_error", "no model 'm'"),
        (404, "", None, "address"), (405, "Method Not Allowed", None, "address"), (307, "", None, "another address"),
    ],
)  # fmt: skip
def test_errors_that_end_the_run(status, message, code, words):
    found = error(status, message, code)
    assert isinstance(found, ModelError) and words in found.message and found.hint


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 520, 529])
def test_errors_that_may_pass(status):
    found = error(status)
    assert isinstance(found, Failed) and found.again and found.unpaid and found.throttled == (status == 429)


@pytest.mark.parametrize(
    ("status", "message", "code"),
    [
        (400, "This model's maximum context length is 4096 tokens, you requested 5000", "context_length_exceeded"),
        (400, "'max_tokens' is too large: 256. This model's maximum context length is 128 tokens", "BadRequestError"),
        (400, "the request exceeds the available context size", "exceed_context_size_error"),
        (400, "prompt is too long: 300000 tokens", None), (413, "", None),
        (500, "prompt exceeds the context window", None),
        (400, "The response was filtered due to Azure OpenAI's content management policy", "content_filter"),
        (403, "Your input was flagged by moderation", None),
    ],
)  # fmt: skip
def test_errors_of_a_row(status, message, code):
    found = error(status, message, code)
    assert isinstance(found, Failed) and not found.again and not found.detail


def test_a_busy_minute_is_no_exhausted_quota():
    text = "You exceeded your current quota, please check your plan. Please retry in 34.5s."
    found = error(429, text)
    assert isinstance(found, Failed) and found.wait == 34.5
    assert isinstance(error(429, "Quota exceeded", headers={"retry-after": "7200"}), ModelError)


def test_nobody_waits_for_hours():
    closed = error(503, headers={"retry-after": "36000"})
    assert isinstance(closed, ModelError) and "600 minutes (503)" in closed.message and closed.hint
    for status in (408, 409, 500, 502, 529):  # may be about one row: it is tried again at the usual pace
        found = error(status, headers={"retry-after": "36000"})
        assert isinstance(found, Failed) and found.again and found.wait is None
    assert (
        error(503, headers={"retry-after": "30"}).wait == 30.0 and error(503, headers={"retry-after": "30"}).throttled
    )


@pytest.mark.parametrize("headers", [{"retry-after": "0"}, {"retry-after": "Wed, 21 Oct 2015 07:20:00 GMT"}])
def test_no_time_to_wait_is_no_word_about_it(headers):
    for status in (429, 503):
        found = error(status, headers=headers)
        assert isinstance(found, Failed) and found.throttled and found.wait is None


def test_what_a_server_says_is_quoted_without_keys_and_control_characters():
    for status in (400, 403, 404, 422):
        found = error(status, f"no\n\x1b[1m{SECRET} or sk-abcdef123 " + "long " * 500)
        text = getattr(found, "detail", "") or str(found)
        assert "no" in text and SECRET not in text and "sk-abc" not in text and "\x1b" not in text and len(text) < 600


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None), ({"retry-after": "3"}, 3.0), ({"retry-after": " 0.5 "}, 0.5), ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "3"}, 0.25), ({"retry-after-ms": "x", "retry-after": "3"}, 3.0),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 60.0),
        ({"retry-after": "Wed, 21 Oct 2015 07:20:00 GMT"}, 0.0),
        ({"retry-after": "soon"}, None), ({"retry-after": "-1"}, None), ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None), ({"retry-after": ""}, None), ({"retry-after": "Wed, 99 Oct 9999"}, None),
    ],
)  # fmt: skip
def test_how_long_a_server_asks_to_wait(headers, seconds):
    assert waiting(headers, now=1445412480.0 - 60.0) == seconds


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"error": {"message": "Bad", "code": "X_Y", "param": "p"}}', "x_y p bad"),
        (b'{"detail": [{"loc": ["body", "logprobs"], "msg": "Extra", "input": "whole row"}]}', "body.logprobs: extra"),
        (b'{"detail": "Not Found"}', "not found"), (b'[{"error": {"message": "gone"}}]', "gone"),
        (b'{"error": "sad"}', "sad"), (b"plain words", "plain words"), (b"<html>big page</html>", ""), (b"\xff", ""),
        (b"5", ""), (b'{"error": 5}', ""), (b'{"error": {"message": {"a": 1}}}', ""), (b"[" * 100_000, ""),
    ],
)  # fmt: skip
def test_bodies_of_errors(body, words):
    text = told(body).text
    assert words in text and "whole row" not in text


# ------------------------------------------------------------------ what servers do not take

CASES = [
    ("logprobs is not supported by this model", None, {"logprobs": 0}),
    ("top_logprobs must be less than or equal to 5", None, {"logprobs": 5}),
    ("Invalid parameter: 'response_format' of type 'json_schema' is not supported", None, {"structured": "json"}),
    ("Failed to parse grammar", None, {"structured": "json"}),
    ("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.", "unsupported_parameter",
     {"limit": "max_completion_tokens", "swapped": True}),
    ("'temperature' does not support 0 with this model. Only the default is supported", None, {"temperature": False}),
    ("System role not supported", None, {"system": False}),
]  # fmt: skip


@pytest.mark.parametrize(("message", "code", "changes"), CASES)
def test_what_a_server_does_not_take_is_left_out(message, code, changes):
    request = Request(ASKED.messages, 10, schema=ASKED.schema, logprobs=20)
    full = Abilities()
    said = told(json.dumps({"error": {"message": message, "code": code}}).encode())
    assert lesser(full, body_of(request, "m", full), 400, said) == Abilities(**changes)


def test_leaving_out_ends():
    """Whatever a server says, only so many things can be left out."""
    everything = " ".join(message for message, _, _ in CASES)
    abilities, steps = Abilities(), 0
    while abilities is not None:
        last = abilities
        abilities = lesser(abilities, body_of(ASKED, "m", abilities), 400, told(everything))
        steps += 1
        assert steps < 12
    body = body_of(ASKED, "m", last)
    assert set(body) == {"model", "messages", last.limit}
    assert body["messages"] == [{"role": "user", "content": "You judge.\n\nHow good?"}]
    assert len(last.given_up("schema")) == 5


@pytest.mark.parametrize("status", [429, 401, 503])
def test_other_errors_leave_nothing_out(status):
    assert lesser(Abilities(), body_of(ASKED, "m", Abilities()), status, told("logprobs not supported")) is None


def test_the_body_that_is_sent():
    body = body_of(ASKED, "m", Abilities())
    assert body["max_tokens"] == 10 and body["temperature"] == 0.0 and "top_p" not in body
    assert body["response_format"]["json_schema"]["schema"] == {"type": "object"}
    assert (body["logprobs"], body["top_logprobs"]) == (True, 5)
    odd = body_of(Request((("user", "a\ud800"),), top_p=0.5), "m", Abilities())
    assert odd["messages"][0]["content"] == "a?" and odd["top_p"] == 0.5 and "logprobs" not in odd
    json.dumps(odd).encode()


def test_no_request_has_more_tokens_than_assumed():
    assert tokens_at_most(ASKED) >= len("You judge.") + len("How good?") + len(ASKED.schema)
    assert tokens_at_most(Request((("user", "é\ud800好"),))) >= 2 + 1 + 3


# ---------------------------------------------------------------------------------- pace


def test_the_window_begins_with_one_doubles_and_stays_within_its_limit():
    window = Window(64)
    sizes = [window.size]
    for _ in range(200):
        window.success()
        sizes.append(window.size)
    assert sizes[:3] == [1.0, 32.0, 33.0] and sizes[33:] == [64.0] * (len(sizes) - 33)
    assert Window(64, probe=False).size == 64


def test_the_window_shrinks_once_for_each_round_trip_and_never_to_nothing():
    window = Window(64)
    for _ in range(100):
        window.success()
    assert window.throttled(1.0, 2.0) and window.size == 32
    assert not window.throttled(1.5, 2.1) and window.size == 32, "sent before the last decrease"
    for now in range(3, 60):
        window.throttled(now, now + 0.5)
    assert window.size == 1.0
    for _ in range(20):
        window.success()
    assert 2 < window.size < 10, "one more in the time of one reply"


def test_single_failures_do_not_shrink_the_window_but_trouble_does():
    window = Window(64)
    for number in range(500):
        window.success() if number % 3 else window.failed(number, number)
    assert window.size == 64
    for number in range(30):
        window.failed(1000 + number, 1000 + number)
    assert window.size < 64
