"""Decisions by hand: what they come to, undo and redo, kills, damage, several processes, another dataset."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from curation.core.dataset import Row, from_pairs
from curation.core.errors import CurationError
from curation.core.row_ranges import rows_digest
from curation.workspace import Workspace, carry
from curation.workspace.decision_events import Replay, read_line
from curation.workspace.decisions import _SEEN

N = 30


def rows_of(count=N, skip=0):
    """Distinct rows, in the order of their numbers from `skip` on."""
    records = [{"instruction": f"q{i}", "output": f"a{i}"} for i in range(skip, count + skip)]
    return [
        Row(
            [{"role": "user", "content": r["instruction"]}, {"role": "assistant", "content": r["output"]}],
            json.dumps(r), "made", i, "alpaca",
        )
        for i, r in enumerate(records)
    ]  # fmt: skip


@pytest.fixture
def workspace(tmp_path):
    return Workspace.open(tmp_path / "ws")


@pytest.fixture
def log(workspace):
    return workspace.decisions(workspace.add_rows(rows_of(), "few").dataset)


def told(state):
    return state.kept.tolist(), state.dropped.tolist(), state.notes


# ------------------------------------------------------------------ what they come to


def test_nothing_decided(log):
    state = log.state()
    assert told(state) == ([], [], {})
    assert (state.undo_label, state.redo_label, state.version) == ("", "", 0)
    assert not log.path.exists()
    with pytest.raises(CurationError, match="nothing to undo"):
        log.undo()


def test_keep_and_drop_exclude_each_other_and_clear_removes_both(log):
    log.keep([3, 4, 5])
    state = log.drop([5, 6])
    assert told(state) == ([3, 4], [5, 6], {})
    assert [state.of(row) for row in (3, 5, 7)] == ["keep", "drop", ""]
    assert told(log.clear(range(4, 6))) == ([3], [6], {})


def test_notes_newest_wins_and_empty_removes(log):
    log.note(7, "odd")
    assert log.note(7, "  very odd\n").notes == {7: "very odd"}
    assert log.clear([7]).notes == {7: "very odd"}  # it changes nothing
    assert log.state().version == 2
    assert log.note(7, "").notes == {}
    assert log.state().undo_label == "remove the note on row 7"
    assert log.note(1, "\ud800 half").notes == {1: "? half"}
    with pytest.raises(CurationError, match="2,001 characters"):
        log.note(7, "x" * 2001)


def test_labels_say_what_an_undo_takes_back(log):
    assert log.drop(np.arange(12)).undo_label == "drop 12 rows"
    assert log.keep([12]).undo_label == "keep row 12"
    state = log.undo()
    assert (state.undo_label, state.redo_label) == ("drop 12 rows", "keep row 12")
    assert log.note(3, "x").redo_label == ""  # a new decision ends what could be done again


def test_what_changes_nothing_is_no_event(log):
    log.keep([1, 2])
    log.undo()
    log.redo()
    assert log.keep([2]).version == 3


def test_undo_of_another_window_is_not_taken_for_ones_own(log):
    mine = log.drop([1]).undo_id
    log.keep([9])
    with pytest.raises(CurationError, match="meanwhile: keep row 9"):
        log.undo(expected=mine)
    assert told(log.state()) == ([9], [1], {})


@pytest.mark.parametrize("rows", [[N], [-1], []])
def test_rows_that_are_not_there(log, rows):
    with pytest.raises(CurationError, match=r"no row"):
        log.keep(rows)


def test_events_are_lines_with_ids_of_the_rows(log):
    log.drop([7, 3, 4, 5])
    log.undo()
    lines = [json.loads(line) for line in log.path.read_text().splitlines()]
    assert (lines[0]["action"], lines[0]["rows"]) == ("drop", "3-5,7")
    assert lines[0]["ids"] == rows_digest(log.dataset, np.array([3, 4, 5, 7]))
    assert lines[1]["of"] == lines[0]["id"]
    assert [e.action for e in log.events()] == ["drop", "undo"]


def test_a_part_of_a_dataset_has_no_log(workspace, log):
    with pytest.raises(CurationError, match="whole dataset"):
        workspace.decisions(log.dataset.take(np.arange(3)))


def test_a_million_scattered_rows_are_one_line_and_replay():
    n = 1_000_000
    scattered = ",".join(map(str, range(0, n, 2)))
    line = json.dumps({"id": "0" * 12, "time": 0, "action": "drop", "rows": scattered}).encode()
    replay = Replay(n)
    replay.add(read_line(line, n))
    replay.add(read_line(b'{"id":"000000000001","time":0,"action":"keep","rows":"10-19"}', n))
    replay.settle()
    expected = np.zeros(n, np.int8)
    expected[::2] = 2
    expected[10:20] = 1
    np.testing.assert_array_equal(replay.marks, expected)


def test_what_was_decided_outlives_the_dataset(workspace, log):
    log.keep([2])
    workspace.remove_dataset("few")
    workspace.prune()
    assert told(workspace.decisions(workspace.add_rows(rows_of(), "again").dataset).state()) == ([2], [], {})


# ------------------------------------------------------------------ against the textbook


class AgainstNaive(RuleBasedStateMachine):
    """Random decisions; the naive log keeps a copy of everything before each of them."""

    @initialize()
    def begin(self):
        import tempfile

        self.folder = tempfile.TemporaryDirectory()
        workspace = Workspace.open(self.folder.name + "/ws")
        self.log = workspace.decisions(workspace.add_rows(rows_of(), "few").dataset)
        self.now, self.past, self.future = ({}, {}), [], []

    def step(self, marks, notes):
        if (marks, notes) != self.now:
            self.past.append(self.now)
            self.future.clear()
            self.now = (marks, notes)

    @rule(action=st.sampled_from(["keep", "drop", "clear"]), rows=st.sets(st.integers(0, N - 1), min_size=1))
    def decide(self, action, rows):
        getattr(self.log, action)(rows)
        marks = {k: v for k, v in self.now[0].items() if k not in rows}
        self.step(marks if action == "clear" else {**marks, **dict.fromkeys(rows, action)}, self.now[1])

    @rule(row=st.integers(0, 3), text=st.sampled_from(["", "a", "b"]))
    def note(self, row, text):
        self.log.note(row, text)
        notes = {k: v for k, v in self.now[1].items() if k != row}
        self.step(self.now[0], {**notes, row: text} if text else notes)

    @rule()
    def undo(self):
        if self.past:
            self.log.undo()
            self.future.append(self.now)
            self.now = self.past.pop()

    @rule()
    def redo(self):
        if self.future:
            self.log.redo()
            self.past.append(self.now)
            self.now = self.future.pop()

    @rule()
    def start_again(self):
        _SEEN.clear()

    def teardown(self):
        state = self.log.state()
        for action, rows in (("keep", state.kept), ("drop", state.dropped)):
            assert rows.tolist() == sorted(k for k, v in self.now[0].items() if v == action)
        assert state.notes == self.now[1]
        assert bool(state.undo_label) == bool(self.past)
        assert bool(state.redo_label) == bool(self.future)
        self.folder.cleanup()


TestAgainstNaive = AgainstNaive.TestCase
TestAgainstNaive.settings = settings(
    max_examples=30, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)


# ------------------------------------------------------------------ kills and damage


def test_a_last_line_cut_off_anywhere_counts_for_nothing_and_goes_with_the_next_event(log):
    log.keep([1])
    before = log.path.read_bytes()
    log.drop([2, 3])
    whole = log.path.read_bytes()
    for end in range(len(before), len(whole)):
        _SEEN.clear()
        log.path.write_bytes(whole[:end])
        complete = end == len(whole) - 1  # only the line break is lacking: no part of an event is an event itself
        assert told(log.state()) == ([1], [2, 3] if complete else [], {})
        state = log.note(5, "after")
        assert told(state) == ([1], [2, 3] if complete else [], {5: "after"})
        _SEEN.clear()
        assert told(log.state()) == told(state)
        assert len(log.path.read_bytes().splitlines()) == 2 + complete


def test_what_was_cut_off_is_seen_without_reading_all_again(log):
    log.keep([1])
    log.drop([2])
    whole = log.path.read_bytes()
    log.path.write_bytes(whole[:-20])
    assert told(log.state()) == ([1], [], {})
    log.path.write_bytes(whole)
    assert told(log.state()) == ([1], [2], {})
    log.path.write_bytes(whole[:-1])
    assert told(log.state()) == ([1], [2], {})
    log.path.write_bytes(whole)
    assert told(log.keep([2])) == ([1, 2], [], {})
    log.path.unlink()
    assert told(log.state()) == ([], [], {})


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("nonsense", "Invalid JSON"),
        ('{"id":"000000000000","time":1,"action":"shred","rows":"1"}', "action"),
        ('{"id":"000000000000","time":1,"action":"keep","rows":"30"}', "names row 30 of a dataset with 30 rows"),
        ('{"id":"000000000000","time":1,"action":"keep","rows":"1-x"}', "neither a row number"),
        ('{"id":"000000000000","time":1,"action":"keep","rows":"0-999999999999"}', "more than"),
        ('{"id":"000000000000","time":1,"action":"note","rows":"1-2","note":"x"}', "one row"),
        ('{"id":"000000000000","time":1,"action":"undo","of":"elsewhere"}', "not the last"),
        ('{"id":"000000000000","time":1,"action":"keep","rows":"1","new":1}', "new"),
        ("[]", "object"),
    ],
)
def test_a_damaged_line_in_the_middle_is_named(log, line, words):
    log.keep([1])
    log.drop([2])
    lines = log.path.read_text().splitlines()
    log.path.write_text("\n".join([lines[0], line, *lines[1:]]) + "\n")
    for _ in range(2):  # asking again makes it no better
        with pytest.raises(CurationError, match=words) as found:
            log.state()
    assert f"{log.path}, line 2" in found.value.message
    assert found.value.hint
    with pytest.raises(CurationError, match="line 2"):
        log.keep([5])
    log.path.write_text("\n".join(lines) + "\n")
    assert told(log.state()) == ([1], [2], {})


def test_a_full_disk_leaves_the_log_as_it_was(log, monkeypatch):
    log.keep([1])
    before, write = log.path.read_bytes(), os.write

    def half(file, data):
        if len(data) > 30:
            return write(file, data[:30])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(CurationError, match="disk is full"):
        log.drop([2])
    monkeypatch.undo()
    assert log.path.read_bytes() == before
    assert told(log.drop([2])) == ([1], [2], {})


WRITER = """
import sys
from curation.workspace import Workspace
workspace = Workspace.open(sys.argv[1])
log = workspace.decisions(workspace.dataset("few"))
first, step = int(sys.argv[2]), int(sys.argv[3])
k = 0
while k < int(sys.argv[4]):
    log.note((first + step * k) % 30, f"{sys.argv[2]}.{k}")
    print(k, flush=True)
    k += 1
"""


def writer(log, first, step, count):
    command = [sys.executable, "-c", WRITER, str(log.workspace.root), str(first), str(step), str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_two_processes_lose_nothing(log):
    running = [writer(log, first, 2, 40) for first in (0, 1)]
    for process in running:
        process.communicate()
        assert process.returncode == 0
    events = log.events()
    assert sorted(e.note for e in events) == sorted(f"{first}.{k}" for first in (0, 1) for k in range(40))
    assert log.state().version == 80


def test_killed_again_and_again_every_event_that_was_told_is_there(log):
    rng, told_of = np.random.default_rng(0), 0
    for turn in range(6):
        process = writer(log, 100 + turn, 1, 10_000)
        process.stdout.readline()
        time.sleep(float(rng.random()) * 0.05)
        os.kill(process.pid, signal.SIGKILL)
        said = 1 + len([line for line in process.stdout.read().split("\n")[:-1] if line])
        process.wait()
        notes = [e.note for e in log.events()]
        mine = [note for note in notes if note.startswith(f"{100 + turn}.")]
        assert mine == [f"{100 + turn}.{k}" for k in range(len(mine))]
        assert len(mine) >= said  # one more may have been written and not told
        told_of += len(mine)
    assert log.state().version == told_of
    assert told_of > 6


# ------------------------------------------------------------------ to a new version


def test_decisions_are_carried_by_row_id_and_those_made_there_stay(workspace, log):
    log.keep([2, 10, 11])
    log.drop([20, 21])
    log.note(11, "fine")
    log.note(0, "gone")
    new = workspace.decisions(workspace.add_rows(rows_of(N, skip=5), "newer").dataset)  # row i is row i + 5 of before
    new.keep([16])
    made = carry(log, new)
    assert told(new.state()) == ([5, 6, 16], [15], {6: "fine"})
    assert (made.kept, made.dropped, made.noted, made.absent, made.stayed) == (2, 1, 1, 2, 1)


def test_equal_rows_are_told_apart_by_their_copy_number(workspace):
    twice = from_pairs([("a", "b"), ("a", "b"), ("c", "d")])
    rows = [Row(twice.messages(i), "{}", "x", i, "alpaca") for i in range(3)]
    old = workspace.decisions(workspace.add_rows(rows, "old").dataset)
    new = workspace.decisions(workspace.add_rows([rows[2], rows[0], rows[1]], "new").dataset)
    old.drop([1])
    carry(old, new)
    assert told(new.state()) == ([], [2], {})
