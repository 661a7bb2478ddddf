"""What all judges share: rows as they are shown, replies as they are kept, numbers of the stand-in."""

from __future__ import annotations

import numpy as np
import pytest

from curation.models.chat.judge import pretended_parts
from curation.models.chat.judging import MOST_KEPT, clean, on_scale, pretended


def test_a_reply_is_kept_as_text_that_can_be_stored_anywhere():
    assert clean("4\nGood. 🙂") == "4\nGood. 🙂"
    assert clean("broken \ud83d here").encode() == "broken \ufffd here".encode()
    assert len(clean("x" * 50_000)) == MOST_KEPT + 2


def test_numbers_of_the_stand_in_follow_from_content_and_are_spread():
    contents = [i.to_bytes(16) for i in range(5000)]
    drawn = np.array([pretended(c, "a", 3) for c in contents])
    assert drawn.min() >= 0
    assert drawn.max() < 1
    assert np.abs(np.histogram(drawn, 10)[0] - 1500).max() < 200
    assert abs(np.corrcoef(drawn.T)[0, 1]) < 0.05
    assert pretended(contents[1], "a", 3) == pretended(contents[1], "a", 5)[:3]
    assert pretended(contents[1], "a", 1) != pretended(contents[1], "b", 1)
    lower = [pretended_parts(c, True, "a", 1)[0] < pretended_parts(c, False, "a", 1)[0] for c in contents]
    assert 0.2 < np.mean(lower) < 0.4


@pytest.mark.parametrize(
    ("low", "high", "step", "count"), [(0, 5, 0.5, 11), (1, 6, 1, 6), (0, 100, 1, 101), (0, 1, 0.1, 11)]
)
def test_every_score_of_a_scale_occurs_and_none_beyond(low, high, step, count):
    found = {round(on_scale(part, low, high, step), 9) for part in np.linspace(0, 1, 2000, endpoint=False)}
    assert found == {round(low + step * i, 9) for i in range(count)}
    assert max(found) == high
