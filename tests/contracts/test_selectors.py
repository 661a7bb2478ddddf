"""What every selector promises about what it picks."""

from __future__ import annotations

import numpy as np

from curation.core.artifacts import Selection
from curation.core.errors import CurationError
from curation.core.method import Ask, resolve_count


def test_rows_are_valid_unique_and_as_many_as_promised(selector, case, harness):
    def check(method, made, ports):
        eligible = harness.eligible(method, ports, made.n)
        for budget in ("1", "50%", len(eligible), len(eligible) + 7):
            count = resolve_count(budget, len(eligible))
            picked = harness.select(method, made, ports, count)
            assert picked.dataset == made.pool.fingerprint
            assert picked.n == made.n
            assert picked.order.dtype == np.int64
            assert len(np.unique(picked.order)) == len(picked.order)
            assert np.isin(picked.order, eligible).all(), "a row that was not eligible"
            if method.budgeted():
                assert len(picked) == count - picked.short_by
                assert bool(picked.short_by) == bool(picked.short_reason)

    harness.try_out(selector, case, check)


def test_more_asked_for_than_there_is_gives_all_there_is(selector, harness):
    def check(method, made, ports):
        if method.budgeted():
            eligible = len(harness.eligible(method, ports, made.n))
            most, beyond = (harness.select(method, made, ports, k) for k in (eligible, eligible + 9))
            np.testing.assert_array_equal(most.order, beyond.order)

    harness.try_out(selector, "missing values", check)


def test_every_row_can_say_why(selector, case, harness):
    def check(method, made, ports):
        eligible = harness.eligible(method, ports, made.n)
        picked = harness.select(method, made, ports, max(1, len(eligible) // 3))
        assert picked.stage.shape == (made.n,)
        np.testing.assert_array_equal(picked.stage == 0, picked.mask)
        assert picked.stage.max(initial=0) <= len(picked.stages)
        assert all(picked.stages)
        for row in range(made.n):
            assert picked.why(row).startswith("in: " if picked.mask[row] else "out: ")
            assert "not picked" not in picked.why(row) or any("not picked" in s for s in picked.stages)
        for values, length in ((picked.gains, len(picked)), (picked.weights, len(picked)), (picked.margin, made.n)):
            assert len(values) in (0, length)
        if len(picked.covered_by):
            named = picked.covered_by[picked.covered_by >= 0]
            standing = [value.order for value in ports.values() if isinstance(value, Selection)]
            assert np.isin(named, np.concatenate([picked.order, *standing])).all(), (
                "a row that is out stands for another"
            )
            assert (np.isfinite(picked.distance) | (picked.covered_by < 0)).all()

    harness.try_out(selector, case, check)


def test_the_order_is_a_prefix_of_a_longer_one_where_that_is_declared(nested, case, harness):
    def check(method, made, ports):
        eligible = len(harness.eligible(method, ports, made.n))
        whole = harness.select(method, made, ports, eligible)
        for count in sorted({1, 2, eligible // 2 or 1, eligible}):
            part = harness.select(method, made, ports, count)
            assert part.nested
            np.testing.assert_array_equal(part.order, whole.order[:count])
            if len(part.gains):
                np.testing.assert_allclose(part.gains, whole.gains[: len(part)], rtol=1e-9)

    harness.try_out(nested, case, check)


def test_known_picks_are_extended_and_change_nothing(nested, case, harness):
    def check(method, made, ports):
        eligible = len(harness.eligible(method, ports, made.n))
        whole = harness.select(method, made, ports, eligible)
        for count in (1, len(whole) // 2, len(whole)):
            again = harness.select(method, made, ports, eligible, whole.order[:count])
            np.testing.assert_array_equal(again.order, whole.order)

    harness.try_out(nested, case, check)


def test_another_seed_changes_nothing_but_the_draw(seeded, harness):
    def check(method, made, ports):
        other = type(method)(**{**method.model_dump(), "seed": 12345})
        first, second = (harness.select(m, made, ports, 10) for m in (method, other))
        assert len(first) + first.short_by == len(second) + second.short_by

    harness.try_out(seeded, "usual", check)


def test_rows_without_a_score_are_never_picked_even_when_said_to_be_eligible(selector, harness):
    made = harness.given("missing values")
    for optional in (False, True):
        ports = made.ports(selector.cls, optional=optional)
        if "score" not in ports or "score" not in selector.cls.eligible_ports:
            continue
        method = selector.method()
        ask = Ask(np.arange(made.n), made.n if method.budgeted() else 0)
        try:
            picked = method.select(made.pool, ask, harness.runtime(method), **ports)
        except CurationError:
            assert optional or selector.name != "default", "without optional inputs it must work"
            continue
        assert len(picked)
        assert not ports["score"].missing.mask[picked.order].any()
