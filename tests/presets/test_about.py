"""What every preset says of itself."""

from __future__ import annotations

from typing import get_args

import pytest

from curation.core.method import MethodClass, Purpose
from curation.recipe import Recipe, preset_names


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_says_what_it_is_for(name):
    about = Recipe.read(name).about
    for word in ("title", "source", "scope", "when"):
        assert str(about.get(word, "")).strip(), f"'{word}' is empty"
    assert about["method_class"] in get_args(MethodClass)
    assert about["purpose"] in get_args(Purpose)
