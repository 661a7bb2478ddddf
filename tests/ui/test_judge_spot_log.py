"""Spot checks are written as they are made, survive reloads and kills, and can be taken back."""

import pytest

from curation.core.errors import CurationError
from curation.ui.judge_spot_log import SpotChecks
from curation.workspace import Workspace

NAME = "0123456789abcdef"


@pytest.fixture
def log(tmp_path):
    return SpotChecks(Workspace.open(tmp_path / "ws"), NAME, 100)


def begun(log):
    return log.begin("k" * 32, "above", 4.5, 60, [7, 3, 9], 1)


def test_answers_are_there_after_a_reload_and_the_next_row_follows_the_draw(log):
    check = begun(log)
    log.answer(check, 7, "right")
    log.answer(check, 3, "wrong")
    again = SpotChecks(log.workspace, NAME, 100).of("k" * 32, "above", 4.5)
    assert again.answers == {7: "right", 3: "wrong"}
    assert (again.next, again.last, again.read, again.wrong) == (9, 3, 2, [3])
    assert log.of("k" * 32, "above", 4.0) is None


def test_skipped_rows_are_not_read_and_undo_takes_back_the_last_answer_only(log):
    check = begun(log)
    for row, said in ((7, "skip"), (3, "wrong"), (9, "right")):
        log.answer(check, row, said)
    assert log.all()[0].read == 2
    log.undo(check)
    found = log.all()[0]
    assert (found.next, found.answers) == (9, {7: "skip", 3: "wrong"})
    for _ in range(5):
        log.undo(check)
    assert log.all()[0].answers == {}


def test_more_rows_come_after_those_that_were_drawn(log):
    check = begun(log)
    log.more(check, [9, 50, 51])
    assert log.all()[0].rows == [7, 3, 9, 50, 51]


def test_a_line_that_a_kill_cut_off_counts_for_nothing_and_goes_with_the_next_event(log):
    check = begun(log)
    log.answer(check, 7, "right")
    with log.path.open("ab") as file:
        file.write(b'{"action": "answer", "ch')
    assert log.all()[0].answers == {7: "right"}
    log.answer(check, 3, "wrong")
    assert log.all()[0].answers == {7: "right", 3: "wrong"}


@pytest.mark.parametrize(
    "line", [b"[]", b"nonsense", b'{"action": "answer", "check": "x", "row": 1, "said": "right"}',
             b'{"action": "begin", "check": "x", "rows": [100], "score": "", "side": "above", "cut": 1, "dropped": 1,'
             b' "seed": 1, "time": 1}'],
)  # fmt: skip
def test_a_damaged_line_is_named(log, line):
    begun(log)
    with log.path.open("ab") as file:
        file.write(line + b"\n")
    with pytest.raises(CurationError, match=r"line 2, is damaged"):
        log.all()
