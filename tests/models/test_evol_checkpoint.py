"""The expected score over six digits."""

from __future__ import annotations

import numpy as np

from curation.models.causal import load_causal
from curation.models.evol_checkpoint import digit_ids, expected_digit


def test_expected_digit():
    assert expected_digit(np.zeros((1, 6)))[0] == 3.5
    for k in range(6):
        logits = np.zeros((1, 6))
        logits[0, k] = 1e300
        assert expected_digit(logits)[0] == k + 1
    drawn = np.random.default_rng(0).normal(0, 20, (500, 6))
    found = expected_digit(drawn)
    assert ((found >= 1) & (found <= 6)).all()
    np.testing.assert_allclose(expected_digit(drawn + 123.0), found)
    naive = [(np.arange(1, 7) * np.exp(z) / np.exp(z).sum()).sum() for z in drawn[:20]]
    np.testing.assert_allclose(found[:20], naive)


def test_ids_come_from_the_tokenizer(tiny_causal):
    lm = load_causal(tiny_causal)
    assert [lm.tokenizer.decode([i]) for i in digit_ids(lm)] == list("123456")
