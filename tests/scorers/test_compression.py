import random
import zlib

import numpy as np
import pytest

from curation.core.dataset import from_pairs
from curation.core.runtime import Runtime
from curation.scorers.compression import Compression, compression_ratio


def test_equals_zlib_without_its_wrapping():
    text = "The quick brown fox jumps over the lazy dog. " * 7
    wrapped = zlib.compress(text.encode(), 9)
    assert compression_ratio(text) == pytest.approx(len(text) / (len(wrapped) - 6))  # 2 bytes header, 4 checksum


def test_repetition_compresses_and_noise_does_not():
    rng = random.Random(0)
    noise = "".join(chr(rng.randrange(33, 127)) for _ in range(2000))
    assert 0.95 < compression_ratio(noise) < 1.3
    assert compression_ratio("again and " * 200) > 50


def test_short_text_has_no_ratio():
    assert np.isnan(compression_ratio("short"))
    assert np.isnan(compression_ratio("", min_bytes=1))
    assert compression_ratio("机器学习非常好") > 0.5  # 21 bytes
    score = Compression(text="response").score(from_pairs([("q", "Yes"), ("q", "no " * 30)]), Runtime())
    assert score.missing.reason(0) == "too short to compress (under 16 bytes)"
    assert score.values[1] > 5
    assert score.higher_is_better is False
