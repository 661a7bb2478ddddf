"""Every renamed field and input exists, and no form shows a label that is one letter or a Greek word."""

import re

import pytest

from curation.complete import selectors
from curation.core.method import discover, find
from curation.recipe import preset_names
from curation.ui.words import FIELDS, PORTS, field_title, port_title, recipe_name

METHODS = [find(use) for use in discover()]
CRYPTIC = re.compile(r"(.|alpha|beta|gamma|epsilon|sigma|of|each|dims)$", re.IGNORECASE)


@pytest.mark.parametrize(("words", "names"), [(FIELDS, lambda c: c.model_fields), (PORTS, lambda c: c.ports())])
def test_every_word_is_of_something_that_exists(words, names):
    known = {n for c in METHODS for n in names(c)} | {f"{c.use()}.{n}" for c in METHODS for n in names(c)}
    assert set(words) <= known


def test_selectors_have_no_cryptic_labels():
    for use in set(selectors()) - set(preset_names()):
        cls = find(use)
        shown = [field_title(cls, n) for n in cls.model_fields] + [port_title(cls, n) for n in cls.ports()]
        assert not [label for label in shown if CRYPTIC.match(label)], use
        assert len(set(shown)) == len(shown), use


def test_a_renamed_field_says_its_name_in_recipes():
    mig = find("selector/mig")
    assert field_title(mig, "b") == "Power of information (b)"
    assert recipe_name(mig, "b") == "In recipes: b."
    assert recipe_name(mig, "untagged") == ""
