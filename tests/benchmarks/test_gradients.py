"""The arms of `benchmarks/gradients.py` agree with each other, on a tiny model with random weights."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def script():
    sys.path.append(str(BENCHMARKS))  # last, see test_workspaces
    try:
        import _gradient_jobs
        import gradients

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(_gradient_jobs, "PRODUCT", 64)
            yield gradients
    finally:
        sys.path.remove(str(BENCHMARKS))


@pytest.fixture
def setup(script, tmp_path):
    return script.Setup(
        tmp_path, 1, rows=6, rank=2, memory=1 << 30, shape=script.SHAPES["tiny"], tokens=12, limit=int(11e9)
    )


def test_ours_and_every_loop_have_the_same_features(script, setup):
    mine = script.ours(setup, 64)
    arms = [(True, 16, 6), (True, 1, 3), (False, 4, 6), (False, 1, 2)]
    found = script.loop(setup, 64, arms, 1 << 30) + script.loop(setup, 64, arms[:2], 0)
    assert [f["stored"].split(",")[0] for f in found] == ["float32"] * 2 + ["made anew"] * 2 + ["int8"] * 2
    for other in found:
        assert script.apart_by(mine["result"], other) < 1e-5
    with pytest.raises(SystemExit, match="differ"):
        script.apart_by(mine["result"][::-1], found[0])


def test_operations_are_counted(script, setup):
    mine = script.ours(setup, 64)
    vocabulary, width, inner, blocks, heads, key_heads = setup.shape
    keys = width // heads * key_heads
    block = 2 * width * width + 2 * width * keys + 3 * width * inner
    adapters = blocks * 2 * (2 * (width + width) + 2 * (width + keys))
    tokens, scored = 6 * 12, 6 * 6
    assert mine["weights"] == adapters
    assert mine["operations"]["projection"] == 2 * 6 * adapters * 64
    assert mine["operations"]["gradients"] == 2 * tokens * adapters
    attention = 6 * (12 * 13 / 2) * width * blocks * 2
    forward = (blocks * block + adapters) * tokens + vocabulary * width * scored + attention
    assert mine["operations"]["forward"] == 2 * forward
    assert script.ours(setup, 64, "countsketch")["operations"]["projection"] == 0


def test_norms_of_both_sides_and_one_batch(script, setup):
    from dataclasses import replace

    plain = replace(setup, rank=0)
    mine, other, batch = script.norms_ours(plain), script.norms_loop(plain, 3), script.norms_at_once(plain, 6)
    np.testing.assert_allclose(mine["result"][other["which"]], other["result"], rtol=1e-4)
    assert batch["batches"] == 1
    assert batch["rows"] == 6


def test_errors_of_a_sketch_are_those_of_theory(script, setup):
    found = script.sketch(setup, [64], 3)
    assert [f["kind"] for f in found] == ["rademacher", "countsketch"]
    for one in found:
        assert 0 < one["std"] < 0.5
        assert one["theory"] < 1 / 8
        assert one["pairs"] == 15


def test_rows_of_the_middle_of_equal_parts(script):
    from _gradient_jobs import quantiles

    rows = [range(n) for n in (50, 10, 40, 20, 30, 60)]
    assert quantiles(rows, 3).tolist() == [2, 3, 5], "20, 40 and 60: the longer of every two"
    assert sorted(quantiles(rows, 6).tolist()) == [0, 1, 2, 3, 4, 5]


def test_the_part_for_a_gpu_runs_on_a_processor(script, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(script, "apart", lambda job, *words, **named: job(*words, **named))
    page = tmp_path / "page.md"
    page.write_text("# Page\n", "utf-8")
    monkeypatch.setattr(script, "PAGE", page)
    words = "--only large --device cpu --size tiny --rows 6 --ranks 2 --widths 64 --threads 1 --write"
    monkeypatch.setattr(sys, "argv", ["gradients.py", *words.split()])
    script.main()
    text = page.read_text("utf-8")
    assert text.count("width 64, 22 GB: ours") == text.count("width 64, 11 GB: ours") == 1
    assert text.count("matrix made once (int8") == 2
    assert "hours. Largest difference of a feature" in text
    assert "10¹² operations a second" in text
