"""Scores are counted in bins as they arrive."""

import numpy as np

from curation.core.runtime import Runtime
from curation.models.chat import live
from curation.models.chat.live import LiveScores


def test_every_score_falls_into_one_bin_and_missing_ones_into_none():
    said = []
    counted = LiveScores(Runtime(record=said.append), 0, 5, bins=5)
    for score in (0, 0.5, 4.99, 5, 7, -1, None, float("nan")):
        counted.add(score)
    counted.close()
    assert [said[-1][f"bin_{i}"] for i in range(5)] == [3, 0, 0, 0, 3]
    assert (said[-1]["bins_low"], said[-1]["bins_high"], said[-1]["scored"]) == (-0.625, 5.625, 6)


def test_half_steps_stand_in_the_middle_of_their_bins():
    said = []
    counted = LiveScores(Runtime(record=said.append), 0, 5)
    for score in np.arange(0, 5.5, 0.5):
        counted.add(score)
    counted.close()
    counts = [said[-1][f"bin_{i}"] for i in range(live.BINS)]
    edges = np.linspace(said[-1]["bins_low"], said[-1]["bins_high"], live.BINS + 1)
    middles = (edges[:-1] + edges[1:]) / 2
    assert np.allclose(middles[np.flatnonzero(counts)], np.arange(0, 5.5, 0.5))


def test_it_speaks_about_once_a_second(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(live.time, "monotonic", lambda: now[0])
    said = []
    counted = LiveScores(Runtime(record=said.append), 0, 1)
    for _ in range(100):
        now[0] += 0.05
        counted.add(np.float64(0.5))
    assert 4 <= len(said) <= 5


def test_a_long_run_records_ever_less_often(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr("curation.models.chat.live.time.monotonic", lambda: now[0])
    lines = []
    live = LiveScores(Runtime(record=lines.append), 0, 5)
    for _ in range(8 * 3600):  # a score a second through a night
        now[0] += 1.0
        live.add(3.0)
    assert 300 < len(lines) < 2500
    assert lines[-1]["scored"] > 8 * 3600 - 100
