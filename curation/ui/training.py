"""What a selection costs to train on, at the user's own rate, and what it saves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import streamlit as st

from curation.core.artifacts import Score
from curation.core.dataset import Dataset
from curation.ui import pool
from curation.ui.text import duration, number

CHARACTERS_PER_TOKEN = 4.0
"""A rule of thumb for English; used only until tokens are counted, and said."""


@dataclass(frozen=True)
class Rate:
    """What training costs.

    Args:
        tokens_per_second: That the user's hardware trains on.
        epochs: Passes over the rows.
        price: Of one GPU hour, in any currency.
    """

    tokens_per_second: float
    epochs: float
    price: float

    def hours(self, tokens: float) -> float:
        """GPU hours for so many tokens in one epoch."""
        return tokens * self.epochs / self.tokens_per_second / 3600

    def cost(self, tokens: float) -> float:
        """Their price."""
        return self.hours(tokens) * self.price


def rate_inputs() -> Rate:
    """The user's rate."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="training.rate"):
        speed = st.number_input(
            "Tokens per second", 1, 10_000_000, 3000, 500, key="training.speed", persist_state="session",
            help="That your hardware trains on; 3,000 is about LoRA on a 7B model and one large GPU",
        )  # fmt: skip
        epochs = st.number_input("Epochs", 1, 100, 3, key="training.epochs", persist_state="session")
        price = st.number_input(
            "Price per GPU hour", 0.0, 1000.0, 2.0, 0.1, "%.2f", key="training.price", persist_state="session"
        )
    return Rate(float(speed), float(epochs), float(price))


@st.cache_resource(max_entries=8, show_spinner=False)
def _tokens(fingerprint: str, key: str | None, _dataset: Dataset) -> np.ndarray:
    for stored in pool.scores(fingerprint):
        if stored.key == key:
            columns = stored.score.columns
            return np.nan_to_num(np.asarray(columns["prompt_tokens"]) + np.asarray(columns["response_tokens"]))
    return np.asarray(_dataset.lengths("both") / CHARACTERS_PER_TOKEN)


def row_tokens(dataset: Dataset) -> tuple[np.ndarray, bool]:
    """Tokens of every row, float64 `[n]`, and True when they are only guessed from the characters."""
    counted = next(
        (s.key for s in pool.scores(dataset.fingerprint) if s.info.use == "scorer/length" and _whole(s.score)), None
    )
    return _tokens(dataset.fingerprint, counted, dataset), counted is None


def _whole(score: Score) -> bool:
    return {"prompt_tokens", "response_tokens"} <= set(score.columns) and not score.missing.mask.any()


def hours_text(hours: float) -> str:
    """Hours for people."""
    return duration(hours * 3600)


def money_text(amount: float) -> str:
    """An amount in the user's own currency."""
    return number(round(amount, 2)) if amount < 1000 else f"{amount:,.0f}"
