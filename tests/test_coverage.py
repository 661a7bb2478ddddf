from __future__ import annotations

import numpy as np
import pytest

from curation import coverage
from curation.core.artifacts import Coverage as CoverageReport
from curation.core.artifacts import Features, Labels, Missing, Selection
from curation.core.dataset import from_pairs
from curation.core.errors import CurationError
from curation.core.runtime import Runtime
from curation.coverage import (
    CLUSTERS,
    MEASURES,
    P90,
    RADIUS,
    VENDI,
    WITHIN,
    Coverage,
    budget_grid,
    clusters_reached,
    coverage_curves,
    distance_measures,
    vendi_curve,
    vendi_score,
)
from curation.linalg.distances import unit_rows


def unit(rng, n, d):
    return unit_rows(rng.standard_normal((n, d))).values


def curves_naive(points, order, budgets, reach, codes):
    """Everything from scratch for every budget, from the whole matrix of distances."""
    wide = points.astype(np.float64)
    apart = ((wide[:, None] - wide[None]) ** 2).sum(2) / 2
    rows = {name: [] for name in MEASURES}
    for budget in budgets:
        picks = order[:budget]
        distance = apart[:, picks].min(axis=1)
        kernel = wide[picks] @ wide[picks].T / budget
        shares = np.linalg.eigvalsh(kernel)
        shares = shares[shares > 1e-15]
        values = [distance.max(), distance.mean(), *np.quantile(distance, [0.5, 0.9, 0.99]), (distance <= reach).mean()]
        values += [len(set(codes[picks]) - {-1}), np.exp(-(shares * np.log(shares)).sum())]
        for name, value in zip(MEASURES, values, strict=True):
            rows[name].append(value)
    return rows


@pytest.mark.parametrize("seed", range(4))
def test_curves_equal_the_naive_ones(seed):
    rng = np.random.default_rng(seed)
    points = unit(rng, 120, 12)
    points[40:60] = points[0]
    order = rng.permutation(120)[:70]
    codes = rng.integers(-1, 9, 120)
    budgets = budget_grid(70, 12)
    found = coverage_curves(points, order, budgets, reach=0.4, codes=codes[order])
    wanted = curves_naive(points, order, budgets, 0.4, codes)
    assert set(found) == set(MEASURES)
    for name in MEASURES:
        np.testing.assert_allclose(found[name], wanted[name], rtol=1e-5, err_msg=name)


def test_curves_move_the_right_way():
    rng = np.random.default_rng(0)
    points = unit(rng, 300, 8)
    found = coverage_curves(
        points, rng.permutation(300), budget_grid(300, 15), reach=0.3, codes=rng.integers(0, 40, 300)
    )
    for name, measure in MEASURES.items():
        if name == VENDI:
            continue
        steps = np.diff(found[name])
        assert (steps <= 0).all() if measure.lower_is_better else (steps >= 0).all()
    assert found[RADIUS][-1] == 0
    assert found[WITHIN][-1] == 1
    assert found[CLUSTERS][-1] == 40


def test_reach_is_inclusive_and_nothing_selected_is_nan():
    found = distance_measures(np.array([0.0, 0.5, 1.0, 2.0]), 1.0)
    assert found[WITHIN] == 0.75
    assert found[RADIUS] == 2
    assert found[P90] == pytest.approx(1.7)
    assert np.isnan(list(distance_measures(np.array([np.inf, np.inf]), 1.0).values())).all()


def test_clusters_reached_leaves_noise_out():
    codes = np.array([0, 0, -1, 3, 7, -1])
    order = np.array([2, 1, 0, 4, 5, 3])
    np.testing.assert_array_equal(clusters_reached(codes, order, np.arange(7)), [0, 0, 1, 1, 2, 2, 3])


def test_budget_grid_rises_to_the_end():
    assert budget_grid(1000, 4).tolist() == [63, 250, 563, 1000]
    assert budget_grid(3, 20).tolist() == [1, 2, 3]
    assert budget_grid(1, 1).tolist() == [1]


# ---------------------------------------------------------------------- Vendi


@pytest.mark.parametrize("groups", [1, 2, 5, 16])
@pytest.mark.parametrize("copies", [1, 3, 40])
def test_vendi_of_planted_groups_is_their_number(groups, copies):
    assert vendi_score(np.repeat(np.eye(16)[:groups], copies, axis=0)) == pytest.approx(groups)


@pytest.mark.parametrize(("n", "d"), [(30, 7), (7, 30), (20, 20)])
def test_vendi_primal_is_dual(n, d):
    points = unit(np.random.default_rng(n), n, d)
    rows, columns = points.astype(float) @ points.T.astype(float), points.T.astype(float) @ points.astype(float)
    assert coverage._vendi(rows, n) == pytest.approx(coverage._vendi(columns, n), rel=1e-9)
    assert vendi_score(points) == pytest.approx(coverage._vendi(rows, n), rel=1e-9)


def test_vendi_ignores_order_and_rotation_and_lies_between_one_and_n():
    rng = np.random.default_rng(0)
    points = unit(rng, 25, 6)
    turn = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    score = vendi_score(points)
    assert 1 < score < 6
    assert vendi_score(points[rng.permutation(25)]) == pytest.approx(score)
    assert vendi_score(points @ turn) == pytest.approx(score)


def test_vendi_curve_equals_each_budget_alone(monkeypatch):
    points = unit(np.random.default_rng(1), 90, 20)
    budgets = np.array([0, 1, 5, 20, 21, 22, 60, 90])
    found = vendi_curve(points, budgets)
    assert np.isnan(found[0])
    np.testing.assert_allclose(found[1:], [vendi_score(points[:b]) for b in budgets[1:]], rtol=1e-9)
    monkeypatch.setattr(coverage, "EIGEN_LIMIT", 10)
    narrow = vendi_curve(points, budgets)
    np.testing.assert_array_equal(np.isnan(narrow), [True, False, False, True, True, True, True, False])
    assert narrow[-1] == pytest.approx(found[-1])


# ---------------------------------------------------------------------- the method


def measured(method, values, order, labels=None, runtime=None):
    pool = from_pairs([(f"question {i}", f"answer {i}") for i in range(len(values))])
    values = np.asarray(values, np.float32)
    missing = Missing.where(~np.isfinite(values).all(axis=1), "not encoded")
    features = Features(pool.fingerprint, values, missing)
    codes = None if labels is None else Labels.from_values(pool.fingerprint, labels)
    selection = Selection(pool.fingerprint, len(values), np.asarray(order, np.int64), nested=True)
    return method.measure(pool, runtime or Runtime(), selection=selection, features=features, labels=codes)


def test_report_holds_the_curves_and_the_band_of_random():
    rng = np.random.default_rng(0)
    values = (rng.standard_normal((200, 6)) * rng.uniform(0.1, 9, (200, 1))).astype(np.float32)
    order = rng.permutation(200)[:50]
    labels = [None if i % 10 == 0 else f"topic {i % 4}" for i in range(200)]
    found = measured(Coverage(steps=8), values, order, labels)
    assert list(found.table) == list(MEASURES)
    assert found.budgets[-1] == 50
    points = unit_rows(values).values
    codes = np.array([-1 if name is None else int(name[-1]) for name in labels])
    wanted = coverage_curves(points, order, found.budgets, reach=found.info["reach"], codes=codes[order])
    for name in MEASURES:
        np.testing.assert_array_equal(found.curves[name], wanted[name])
        assert found.table[name] == found.curves[name][-1]
        assert found.random[name].shape == (3, len(found.budgets))
        assert found.info["random_table"][name] == pytest.approx(found.random[name][:, -1].mean())
    draw = np.random.default_rng(1).permutation(200)[:50]
    second = coverage_curves(points, draw, found.budgets, reach=found.info["reach"], codes=codes[draw])
    np.testing.assert_array_equal(found.random[CLUSTERS][1], second[CLUSTERS])
    np.testing.assert_array_equal(found.random[RADIUS][1], second[RADIUS])
    assert found.random[WITHIN][0, -1] == pytest.approx(0.5, abs=0.01)
    assert found.info["clusters"] == 4


def test_report_can_be_saved(tmp_path):
    found = measured(Coverage(steps=3), np.random.default_rng(0).standard_normal((20, 3)), [1, 5, 7])
    found.save(tmp_path)
    again = CoverageReport.load(tmp_path)
    assert again.table == found.table
    assert again.info == found.info
    np.testing.assert_array_equal(again.random[RADIUS], found.random[RADIUS])


def test_rows_without_a_vector_are_neither_covered_nor_cover():
    values = np.random.default_rng(0).standard_normal((30, 4)).astype(np.float32)
    values[[2, 9]] = np.nan
    values[4] = 0
    found = measured(Coverage(), values, [2, 11, 4, 12])
    present = np.setdiff1d(np.arange(30), [2, 4, 9])
    wanted = coverage_curves(
        unit_rows(values[present]).values,
        np.searchsorted(present, [11, 12]),
        np.array([2]),
        reach=found.info["reach"],
    )
    assert found.info["rows_without_vector"] == 3
    assert found.info["picks_without_vector"] == 2
    for name in (RADIUS, WITHIN, VENDI):
        assert found.table[name] == wanted[name][0]
    assert np.isnan(found.curves[RADIUS][0])
    assert np.isnan(found.curves[VENDI][0])


def test_selecting_everything_covers_everything():
    values = np.random.default_rng(0).standard_normal((15, 4))
    values[3] = np.nan
    found = measured(Coverage(reach=0.1), values, np.arange(15))
    assert found.table[RADIUS] == 0
    assert found.table[WITHIN] == 1
    assert found.info["random_table"][RADIUS] == 0


def test_euclidean_and_reach_as_given():
    values = np.array([[0.0], [1], [2], [10]])
    found = measured(Coverage(metric="euclidean", reach=2, steps=1), values, [0])
    assert found.table[RADIUS] == 10
    assert found.table[WITHIN] == 0.75
    assert found.info["reach"] == 2


def test_k_center_covers_better_than_random_and_progress_reaches_the_end():
    from curation.selectors.k_center import k_center_greedy

    rng = np.random.default_rng(0)
    values = np.vstack([rng.standard_normal((280, 8)) + 4, np.eye(8)[rng.integers(0, 8, 20)] * -9])
    seen = []
    order = k_center_greedy(unit_rows(values).values, 30).order
    runtime = Runtime(progress=lambda done, total, note="": seen.append((done, total)))
    found = measured(Coverage(), values, order, runtime=runtime)
    assert found.table[RADIUS] < found.random[RADIUS][:, -1].min()
    assert found.table[VENDI] > found.random[VENDI][:, -1].max()
    assert seen[-1] == (120, 120)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_nothing_to_measure_is_said():
    with pytest.raises(CurationError, match="selection is empty"):
        measured(Coverage(), np.eye(3), [])
    with pytest.raises(CurationError, match="no row has a usable vector"):
        measured(Coverage(), np.zeros((3, 2)), [1])
