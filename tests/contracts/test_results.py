"""What every method makes, on pools of one row, of equal rows, with missing values, and usual ones."""

from __future__ import annotations

import copy
import hashlib
import tempfile
from pathlib import Path

import numpy as np

from curation.core.artifacts import (
    NO_ROW,
    Coverage,
    Derived,
    Dynamics,
    Export,
    Features,
    Labels,
    Layout,
    Missing,
    Model,
    Neighbours,
    Score,
    Selection,
    Trial,
)
from curation.core.method import Exporter


def test_the_result_is_well_made_and_the_inputs_are_untouched(variant, case, harness):
    def check(method, made, ports):
        before = copy.deepcopy(ports)
        fingerprint = made.pool.fingerprint
        result, pool = harness.call(method, made, ports)
        assert type(result) is method.returns
        assert result.dataset == pool.fingerprint
        well_made(result, len(pool))
        assert harness.same(before, ports), "an input was changed"
        assert made.pool.fingerprint == fingerprint

    harness.try_out(variant, case, check)


def test_the_same_again_gives_the_same(variant, harness):
    def check(method, made, ports):
        if not isinstance(method, Exporter):
            again = type(method)(**method.model_dump())
            assert harness.same(harness.call(method, made, ports)[0], harness.call(again, made, ports)[0])

    harness.try_out(variant, "usual", check)


def test_results_survive_the_disk(variant, harness, tmp_path):
    def check(method, made, ports):
        result, _ = harness.call(method, made, ports)
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        result.save(folder)
        assert harness.same(type(result).load(folder), result)

    harness.try_out(variant, "missing values", check)


def test_row_wise_results_depend_on_the_row_alone(row_wise, harness):
    def check(method, made, ports):
        assert all(isinstance(p, Model) for p in ports.values()), "a row-wise method reads nothing of other rows"
        whole, pool = harness.call(method, made, ports)
        rows = np.array([7, 2, 31])
        part = getattr(method, method.verb)(pool.take(rows), harness.runtime(method), **ports)
        expected = whole.take(rows, part.dataset)
        if isinstance(whole, Labels):
            assert [part.value(i) for i in range(3)] == [expected.value(i) for i in range(3)]
        else:
            half = getattr(method, "precision", "") in ("bf16", "fp16")  # a network in these rounds to three digits
            close = 1e-2 if half else 1e-3 if part.values.dtype == np.float16 else 1e-5
            np.testing.assert_allclose(part.values, expected.values, rtol=1e-4, atol=close)
        assert part.missing.counts() == expected.missing.counts()

    harness.try_out(row_wise, "usual", check)


# ---------------------------------------------------------------------- what well made means


def well_made(result, n):
    """Checks an artifact by its type."""
    if isinstance(result, Selection):
        return  # test_selectors.py
    if isinstance(result, Coverage):
        assert all(np.isfinite(v) for v in result.table.values())
        assert (np.diff(result.budgets) > 0).all()
        assert all(len(curve) == len(result.budgets) for curve in result.curves.values())
        assert all(band.shape[1] == len(result.budgets) for band in result.random.values())
    elif isinstance(result, Trial):
        trial(result)
    elif isinstance(result, Export):
        files_are_there(result)
    elif isinstance(result, Derived):
        children(result, n)
    else:
        assert len(result) == n
        reasons_are_given(result.missing, n)
        by_type = {Features: features, Score: score, Labels: labels, Neighbours: neighbours, Layout: layout}
        by_type |= {Dynamics: dynamics, Model: model}
        by_type[type(result)](result)


def children(result, n):
    assert result.parents.dtype == np.int64
    assert result.parents.min() >= NO_ROW
    assert result.parents.max() < n
    reasons_are_given(result.missing, n)
    assert not (result.missing.mask & (result.children() > 0)).any(), "what has children is not missing"


def reasons_are_given(missing: Missing, n):
    assert missing.codes.shape == (n,)
    assert missing.codes.min(initial=0) >= 0
    assert missing.codes.max(initial=0) <= len(missing.reasons)
    assert all(missing.reasons)


def columns_fit(columns, n):
    for name, values in columns.items():
        assert isinstance(values, np.ndarray), name
        assert len(values) == n, name


def dynamics(result):
    for name, values in result.measures.items():
        assert values.dtype == np.float32, name
        assert values.shape[1:] == (len(result.epochs), len(result)), name
        assert np.isnan(values[:, :, result.missing.mask]).all(), name
    assert (np.diff(result.epochs) > 0).all()


def model(result):
    dynamics(result)
    assert result.name
    for fold in range(result.folds):
        folder = result.folder(fold)
        assert list(folder.rglob("*.safetensors")), "weights are kept as safetensors"
        assert not [p for p in folder.rglob("*") if p.suffix in {".bin", ".pt", ".pth", ".pkl"}]


def trial(result):
    assert len(result.values) == len(result.arms) > 0
    for arm in result.arms:
        assert {"arm", "kind", "selection", "seed", "rows", "steps"} <= set(arm)
    assert all(len(names) == result.values.shape[1] for names in result.groups.values())
    assert result.verdicts


def features(result):
    assert result.values.dtype in (np.float32, np.float16)
    np.testing.assert_array_equal(np.isnan(result.values).any(axis=1), result.missing.mask)
    assert np.isfinite(result.values[~result.missing.mask]).all()
    columns_fit(result.columns, len(result))


def score(result):
    assert result.values.dtype == np.float64
    assert result.name
    np.testing.assert_array_equal(~np.isfinite(result.values), result.missing.mask)
    columns_fit(result.columns, len(result))


def labels(result):
    assert result.codes.dtype == np.int32
    assert result.codes.min() >= NO_ROW
    assert result.codes.max() < len(result.names)
    assert len(set(result.names)) == len(result.names)
    assert (result.codes[result.missing.mask] == NO_ROW).all()
    columns_fit(result.columns, len(result))


def neighbours(result):
    assert result.indices.dtype == np.int32
    assert result.distances.dtype == np.float32
    assert result.indices.shape == result.distances.shape
    assert ((result.indices >= NO_ROW) & (result.indices < len(result))).all()
    assert (result.indices != np.arange(len(result))[:, None]).all()
    np.testing.assert_array_equal(result.indices == NO_ROW, np.isinf(result.distances))
    assert (result.distances[:, 1:] >= result.distances[:, :-1]).all()
    assert 0 <= result.recall <= 1


def layout(result):
    assert result.xy.dtype == np.float32
    assert result.xy.shape == (len(result), 2)
    np.testing.assert_array_equal(~np.isfinite(result.xy).all(axis=1), result.missing.mask)


def files_are_there(result):
    assert Path(result.path).exists()
    assert result.rows >= 0
    assert result.files
    for path, digest in result.files.items():
        found = Path(path) if Path(path).is_absolute() else Path(result.path).parent / path
        assert hashlib.sha256(found.read_bytes()).hexdigest() == digest, path
