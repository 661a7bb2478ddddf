"""Sick scores are planted and have to be found; a sound one has to pass."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.scorers._health import (
    DEAD_SHARE,
    DUPLICATE_RHO,
    END_SHARE,
    LENGTH_RHO,
    MISSING_SHARE,
    STABLE_SHARE,
    check,
    is_dead,
    levels,
    most_common,
    tie_at,
    top_stability,
)

RNG = np.random.default_rng(0)
SOUND = np.sort(RNG.normal(size=1000))


def kinds(values, n=None, **more):
    values = np.sort(np.asarray(values, float))
    return {f.kind: f for f in check(values, len(values) if n is None else n, **more)}


def with_most(share, n=1000):
    """Different values, but `share` of the rows have 0.5 in the middle of the others."""
    same = round(share * n)
    return np.concatenate([np.full(same, 0.5), np.linspace(0, 1.01, n - same)])


def test_a_sound_score_has_nothing():
    assert check(SOUND, 1000, highest=True, length={"response": 0.3}, others={"b": 0.5}, stability=0.95) == []


def test_no_row_has_it():
    found = kinds([], n=9)
    assert set(found) == {"empty"}
    assert found["empty"].severe


def test_a_constant_is_dead_and_nothing_else():
    found = kinds(np.full(50, 3.0))
    assert set(found) == {"dead"}
    assert found["dead"].severe
    assert found["dead"].meaning.startswith("All rows")


def test_dead_begins_just_above_its_share():
    assert "dead" not in kinds(with_most(DEAD_SHARE))
    found = kinds(with_most(DEAD_SHARE + 0.01))
    assert found["dead"].severe
    assert "96 %" in found["dead"].meaning
    assert is_dead(np.sort(with_most(DEAD_SHARE + 0.01)))
    assert not is_dead(np.sort(with_most(DEAD_SHARE)))
    assert is_dead(np.empty(0))


@pytest.mark.parametrize(("end", "word"), [(-9.0, "lowest"), (9.0, "highest")])
def test_mass_at_an_end_is_saturation_but_not_in_the_middle(end, word):
    many = np.concatenate([RNG.normal(size=700), np.full(300, end)])
    found = kinds(many)
    assert f"{word} value" in found["saturated"].meaning
    assert "30 %" in found["saturated"].meaning
    assert "saturated" not in kinds(np.concatenate([RNG.normal(size=700), np.zeros(300)]))
    assert "saturated" not in kinds(np.concatenate([RNG.normal(size=800), np.full(200, end)]))
    assert 0.2 < END_SHARE <= 0.3


def test_even_grades_are_few_levels_but_not_saturated():
    found = kinds(np.tile([1, 2, 3, 4, 5], 40), highest=True)
    assert set(found) == {"few levels"}
    assert "5 different values" in found["few levels"].meaning
    assert "top 10 % falls inside a tie of 40 rows with 5" in found["few levels"].meaning
    assert "saturated" in kinds(np.repeat([1, 2, 3, 4, 5], [5, 5, 10, 20, 160]), highest=True)


def test_missing_and_infinite_are_counted():
    assert "missing" not in kinds(SOUND, n=1000 + 52)
    found = kinds(SOUND, n=1100, infinite=3)
    assert "100 rows (9 %)" in found["missing"].meaning
    assert not found["missing"].severe
    assert "3 rows have an infinite value" in found["not finite"].meaning
    assert kinds(SOUND, n=3000)["missing"].severe, "most rows lack it"
    assert MISSING_SHARE == 0.05


def test_length_is_said_with_its_direction_and_the_stronger_text():
    found = kinds(SOUND, length={"prompt": 0.75, "response": -0.9})
    assert "length of the response (ρ = -0.90): high means shorter" in found["length"].meaning
    assert "length" not in kinds(SOUND, length={"response": LENGTH_RHO - 0.01, "prompt": float("nan")})


def test_twins_are_named_also_when_turned_around():
    found = check(SOUND, 1000, others={"b": DUPLICATE_RHO, "c": -0.9996, "d": 0.97, "e": float("nan")})
    assert [f.other for f in found] == ["b", "c"]
    assert "opposite way" in found[1].meaning
    assert "-0.999" in found[1].meaning, "not rounded to -1"


def test_a_tie_at_the_cut_of_a_fine_score():
    values = np.concatenate([np.linspace(0, 0.5, 850), np.full(100, 0.75), np.linspace(0.8, 1, 50)])
    found = kinds(values, highest=True)
    assert "top 10 % falls inside a tie of 100 rows with 0.75" in found["tie"].meaning
    assert "tie" not in kinds(values, highest=False)


def test_severe_findings_come_first():
    found = check(np.sort(with_most(0.97)), 4000, length={"response": 0.9})
    assert [f.severe for f in found] == [True, True, False]


@given(st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=40), st.floats(0.01, 1), st.booleans())
def test_a_tie_is_what_counting_says(values, share, highest):
    ordered = np.sort(np.array(values))
    tie = tie_at(ordered, share, highest=highest)
    k = tie.wanted
    assert k == max(1, int(np.floor(share * len(values) + 0.5)))
    best = ordered[::-1][:k] if highest else ordered[:k]
    assert tie.value == best[-1]
    assert tie.equal == (ordered == tie.value).sum()
    assert tie.better == ((ordered > tie.value) if highest else (ordered < tie.value)).sum()
    assert tie.splits == (tie.better + tie.equal > k)


@given(st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=30))
def test_most_common_and_levels(values):
    value, share = most_common(np.sort(values))
    assert share == max(values.count(v) for v in values) / len(values)
    assert values.count(value) == share * len(values)
    assert levels(np.sort(values)) == len(set(values))


def test_stability_follows_the_noise():
    values = RNG.normal(size=2000)
    assert top_stability(values, np.zeros(2000)) == 1.0
    little, much = (top_stability(values, np.full(2000, s)) for s in (0.1, 3.0))
    assert little > 0.9 > 0.5 > much > 0.1
    assert top_stability(-values, np.full(2000, 0.1), highest=False) == pytest.approx(little, abs=0.03)
    assert np.isnan(top_stability(values, np.full(2000, np.nan)))
    assert "unstable" in kinds(SOUND, stability=STABLE_SHARE - 0.01)
    assert "unstable" not in kinds(SOUND, stability=float("nan"))


def test_noise_that_cannot_reorder_leaves_the_top_alone():
    values = np.concatenate([np.full(900, 0.0), np.full(100, 100.0)]) + RNG.uniform(size=1000)
    assert top_stability(values, np.ones(1000)) == 1.0
