"""What a job's card says in words."""

from __future__ import annotations

from curation.jobs import Status
from curation.ui.job_card import spent_line, was_capped


def test_nothing_is_said_of_jobs_that_ask_nobody() -> None:
    assert spent_line(Status("a", "t", "running", caps={"money": 5.0, "tokens": None, "calls": None})) == ""


def test_what_was_spent_stands_beside_its_cap() -> None:
    spent = {"calls": 1200, "tokens_in": 90_000, "tokens_out": 10_000, "money": 0.424, "currency": "USD", "reused": 30}
    status = Status("a", "t", "running", spent=spent, caps={"money": 5.0, "tokens": None, "calls": 2000})
    told = spent_line(status)
    assert told == "1,200 of 2,000 calls · 100,000 tokens · 0.4240 of 5.00 USD · 30 replies were stored already"


def test_unpriced_calls_name_no_money() -> None:
    status = Status("a", "t", "done", spent={"calls": 3, "tokens_in": 5, "tokens_out": 1, "money": 0.0, "retries": 2})
    assert spent_line(status) == "3 calls · 6 tokens · 2 sent again"


def test_a_limit_that_ended_a_run_is_told_from_a_click_that_did() -> None:
    message = "step 'judge': the cap of 200 calls is reached: 200 calls"
    assert was_capped(Status("a", "t", "cancelled", caps={"calls": 200, "money": None}, message=message))
    assert not was_capped(Status("a", "t", "cancelled", caps={"calls": 200}, message="step 'judge': cancelled"))
    assert not was_capped(Status("a", "t", "cancelled", caps={"calls": None}, message=message))
    assert not was_capped(Status("a", "t", "running", caps={"calls": 200}, message=message))
