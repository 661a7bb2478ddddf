"""A recipe's wording is the one it was resolved with."""

import pytest

from curation.core.errors import CurationError
from curation.models.chat.prompts import prompt
from curation.models.chat.wording import wording


def test_the_wording_is_the_one_of_the_recipe():
    known = prompt("evol-score-v1")
    assert wording("evol-score-v1") is known
    assert wording("evol-score-v1", known.hash) is known
    with pytest.raises(CurationError, match="not the one of this recipe"):
        wording("evol-score-v1", "0" * 16)
    with pytest.raises(CurationError, match="no prompt"):
        wording("evol-score-v99")
