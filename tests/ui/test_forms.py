"""A form offers each field's range, returns what the recipe writes, and says under the field what is wrong."""

from pydantic import ValidationError
from streamlit.testing.v1 import AppTest

from curation.core.method import discover


def run(script, **values):
    return AppTest.from_function(script, kwargs=values, default_timeout=20).run()


def every_kind(values=None, hide=()):
    from typing import Literal

    import streamlit as st
    from pydantic import BaseModel, Field, field_validator

    from curation.core.method import Budget
    from curation.ui.forms import method_form

    class Method(BaseModel):
        budget: Budget = Field(1000, description="rows to *pick*")
        count: int = Field(3, ge=1, le=10)
        many: int = Field(5000, ge=1)
        share: float = Field(0.95, ge=0, le=1)
        open_share: float = Field(0.5, gt=0, lt=1)
        rate: float | None = Field(None, ge=0)
        metric: Literal["cosine", "euclidean"] = "cosine"
        unit: Literal["characters", "words", "tokens", "sentences", "lines"] = "words"
        exact: bool = True
        name: str = Field("", description="a name")
        note: str | None = None
        fields: tuple[str, ...] = ("a",)
        weights: dict[str, float] = Field(default_factory=dict)

        @field_validator("name")
        @classmethod
        def _no_digits(cls, value):
            if value.isdigit():
                raise ValueError("give a *word*, not a number")
            return value

    form = method_form(Method, key="f", values=values, hide=hide)
    st.session_state["out"] = (form.values, form.errors, form.method is not None, form.changed)


def test_defaults_are_the_methods_own():
    at = run(every_kind)
    values, errors, valid, changed = at.session_state["out"]
    assert valid
    assert not errors
    assert not changed
    assert values["budget"] == 1000
    assert values["rate"] is None
    assert values["note"] is None
    assert list(values["fields"]) == ["a"]


def test_each_field_has_the_widget_of_its_kind():
    at = run(every_kind)
    assert (at.slider(key="f.count").min, at.slider(key="f.count").max) == (1, 10)
    assert at.number_input(key="f.many").min == 1
    assert at.slider(key="f.share").step == 0.01
    assert at.slider(key="f.open_share").min > 0
    assert at.slider(key="f.open_share").max < 1
    assert at.segmented_control(key="f.metric").value == "cosine"
    assert at.selectbox(key="f.unit").options == ["characters", "words", "tokens", "sentences", "lines"]
    assert at.toggle(key="f.exact").value is True
    assert at.segmented_control(key="f.budget.unit").help == "Rows to \\*pick\\*"


def test_changes_come_back_as_the_recipe_writes_them():
    at = run(every_kind)
    at.slider(key="f.count").set_value(7)
    at.selectbox(key="f.unit").set_value("tokens")
    at.toggle(key="f.exact").set_value(False)
    at.number_input(key="f.rate").set_value(0.5)
    at.text_area(key="f.weights").set_value('{"a": 2}')
    at.run()
    _, errors, valid, changed = at.session_state["out"]
    assert valid, errors
    assert changed == {"count": 7, "unit": "tokens", "exact": False, "rate": 0.5, "weights": {"a": 2}}


def test_a_budget_can_be_rows_percent_or_tokens():
    at = run(every_kind)
    at.segmented_control(key="f.budget.unit").set_value("percent").run()
    at.number_input(key="f.budget.percent").set_value(2.5).run()
    assert at.session_state["out"][0]["budget"] == "2.5%"
    at.segmented_control(key="f.budget.unit").set_value("tokens").run()
    assert at.session_state["out"][0]["budget"] == "200000 tokens"
    assert at.session_state["out"][2]


def test_what_is_wrong_stands_in_the_form_and_is_plain_text():
    at = run(every_kind)
    at.text_input(key="f.name").set_value("12").run()
    values, errors, valid, _ = at.session_state["out"]
    assert not valid
    assert values["name"] == "12"
    assert errors == {"name": "give a *word*, not a number"}
    assert [e.value for e in at.error] == ["give a \\*word\\*, not a number"]


def test_bad_json_is_told_by_the_method():
    at = run(every_kind)
    at.text_area(key="f.weights").set_value("{oops").run()
    assert "weights" in at.session_state["out"][1]


def test_start_values_and_hidden_fields():
    at = run(every_kind, values={"count": 9, "budget": "5%"}, hide=("share",))
    values = at.session_state["out"][0]
    assert values["count"] == 9
    assert values["budget"] == "5%"
    assert values["share"] == 0.95
    assert "f.share" not in {s.key for s in at.slider}


def form_of(use):
    import streamlit as st

    from curation.core.method import find
    from curation.ui.forms import method_form

    form = method_form(find(use), key="f")
    st.session_state["out"] = (form.values, form.errors, form.method is None)


def test_every_method_has_a_form_that_starts_with_its_defaults():
    for use, cls in discover().items():
        at = run(form_of, use=use)
        assert not at.exception, use
        values, errors, broken = at.session_state["out"]
        assert set(values) == set(cls.model_fields), use
        try:
            expected = cls()
        except ValidationError:  # a threshold, for one, cannot guess where to cut
            assert errors, use
            continue
        assert not broken, (use, errors)
        assert cls(**values) == expected, use
