from __future__ import annotations

import pytest
from pydantic import ValidationError

from curation.core.errors import DataError
from curation.readers import Mapping
from curation.readers.forms import FORMS
from curation.readers.mapping import NEEDS


def test_a_mapping_survives_json():
    mapping = Mapping(form="sharegpt", conversations="turns", role="who", content="what", roles={"me": "user"})
    assert Mapping.model_validate_json(mapping.model_dump_json()) == mapping


def test_it_is_frozen_and_strict():
    mapping = Mapping(form="text", text="t")
    with pytest.raises(ValidationError):
        mapping.text = "other"
    with pytest.raises(ValidationError):
        Mapping(form="text", text="t", txt="t")


def test_every_form_says_which_roles_it_has():
    assert set(FORMS) == set(NEEDS)
    for name, (required, optional) in NEEDS.items():
        assert set(required) | set(optional) <= set(Mapping.model_fields), name
        assert not set(required) & set(optional), name


@pytest.mark.parametrize("form", NEEDS)
def test_a_missing_role_is_named(form):
    with pytest.raises(DataError, match=NEEDS[form][0][0]):
        Mapping.of({"form": form})


def test_a_role_that_the_form_does_not_use_is_named():
    with pytest.raises(DataError, match=r"does not use: chosen"):
        Mapping.of({"form": "text", "text": "t", "chosen": "c"})


def test_an_unknown_form_gets_the_list_of_forms():
    with pytest.raises(DataError) as error:
        Mapping.of({"form": "alpaka"})
    assert "form" in error.value.message
    assert "prompt-completion" in error.value.hint
