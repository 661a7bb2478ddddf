"""Models and trainings of a dataset: what was trained, and how the rows did after each epoch."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import streamlit as st

from curation.core.artifacts import Dynamics, Model
from curation.core.dataset import Dataset
from curation.ui import pool, session
from curation.ui.components import chart, mode
from curation.ui.pool import Stored
from curation.ui.text import duration, number, one_line
from curation.ui.weak import weak_note

ROLES = {
    "causal": "causal language model",
    "classifier": "classifier",
    "encoder": "encoder",
}
MEASURES = {
    "loss": "loss (nats)",
    "p_true": "probability of the right answer",
    "correct": "share right",
    "el2n": "EL2N",
    "margin": "margin (logits)",
    "entropy": "entropy (nats)",
    "grand": "gradient norm",
    "presented": "share right when presented",
}
SIDE_BY_SIDE = 3
KNOWN = ("weak", "role", "name")


def stored_models(dataset: Dataset) -> list[Stored]:
    """Models, and trainings that kept no model; newest first."""
    found = {s.key: s for s in [*pool.models(dataset.fingerprint), *pool.trained(dataset.fingerprint)]}
    return sorted(found.values(), key=lambda s: -s.info.created)


def models_panel(dataset: Dataset, found: list[Stored]) -> None:
    """One of the models in full."""
    by_key = {s.key: s for s in found}
    chosen = st.selectbox("Model", list(by_key), format_func=lambda k: by_key[k].name, key="models.chosen")
    made = cast(Dynamics, by_key[chosen].artifact)
    weak_note({"weak": made.weak if isinstance(made, Model) else made.info.get("weak", False)})
    if made.measures:
        _curves(made, chosen)
    else:
        st.caption("Nothing was measured on the way: this model was loaded as it is.")
    facts = facts_of(by_key[chosen], made)
    st.dataframe(
        {"fact": list(facts), "value": list(facts.values())}, hide_index=True, key=f"models.facts.{chosen}",
        alt="Facts of the model",
    )  # fmt: skip


def facts_of(stored: Stored, made: Dynamics) -> dict[str, str]:
    """What is worth knowing about a model, as text."""
    facts: dict[str, str] = {}
    if isinstance(made, Model):
        facts["name"] = one_line(made.name, 200)
        facts["kind"] = ROLES.get(made.role, made.role)
        if made.folds > 1:
            facts["folds"] = f"{made.folds}: each row is scored by the one that did not see it"
        if len(made.seen):
            facts["rows it was pre-trained on"] = f"{len(made.seen):,}: they get no score"
    if made.measures:
        shape = next(iter(made.measures.values())).shape
        measured = ~np.asarray(made.missing.mask)
        facts |= {
            "rows measured": number(int(measured.sum())),
            "runs": number(shape[0]),
            "epochs": number(round(float(np.max(made.epochs, initial=0.0)), 2)),
        }
        facts |= {
            f"not measured: {one_line(why, 80)}": f"{count:,} rows" for why, count in made.missing.counts().items()
        }
    seconds = stored.info.manifest.get("seconds")
    if seconds is not None:
        facts["took"] = duration(float(seconds))
    facts |= {k.replace("_", " "): _text(v) for k, v in made.info.items() if k not in KNOWN}
    return facts


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return number(value) if isinstance(value, int | float) else one_line(str(value), 200)


def _curves(made: Dynamics, key: str) -> None:
    """The mean over the rows of every measure, by epoch."""
    from curation.figures.training import epochs_figure

    names = [*(n for n in MEASURES if n in made.measures), *(n for n in made.measures if n not in MEASURES)]
    epochs, own = np.asarray(made.epochs), f"{session.workspace().root}/{key}"
    if len(epochs) < 2:
        means = {MEASURES.get(n, n): number(float(_mean(own, n, made).mean())) for n in names}
        st.dataframe(
            {"measure": list(means), "mean over the rows": list(means.values())}, hide_index=True,
            key=f"models.means.{key}", alt="Mean of each measure",
        )  # fmt: skip
        return
    for begin in range(0, len(names), SIDE_BY_SIDE):
        row = names[begin : begin + SIDE_BY_SIDE]
        for place, name in zip(st.columns(max(len(row), 2)), row, strict=False):
            with place:
                title = MEASURES.get(name, name.replace("_", " "))
                figure = epochs_figure(epochs, _mean(own, name, made), name=title, mode=mode())
                chart(figure, key=f"models.curve.{key}.{name}", alt=f"{title} after each epoch")


@st.cache_resource(max_entries=64, show_spinner=False)
def _mean(place: str, name: str, _made: Dynamics) -> np.ndarray:
    """Mean of a measure over the rows that have a value; float64 `[runs, epochs]`, NaN where none has."""
    return mean_over_rows(_made.measures[name])


def mean_over_rows(values: np.ndarray) -> np.ndarray:
    """float64 `[runs, epochs]` from `[runs, epochs, n]`, NaN where no row has a value; an epoch in memory at a time."""
    mean = np.full(values.shape[:2], np.nan)
    for run in range(values.shape[0]):
        for epoch in range(values.shape[1]):
            there = np.isfinite(values[run, epoch])
            if there.any():
                mean[run, epoch] = values[run, epoch].mean(where=there, dtype=np.float64)
    return mean
