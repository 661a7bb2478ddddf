"""Which simple features of a text predict a score: what a judge may really look at."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from curation.core.dataset import Dataset

SAMPLE = 10_000
"""Rows the models are fitted to; more are sampled evenly at random."""
FOLDS = 5
FEWEST_ROWS = 50
CHARACTERS = 20_000
"""Of each text, as much is looked at."""

_WORD = re.compile(r"\w+")
_LIST_ITEM = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s", re.MULTILINE)

SIMPLE_FEATURES = (
    "length of the prompt (log)",
    "length of the response (log)",
    "length of the response / prompt (log)",
    "messages",
    "distinct words / words",
    "mean length of a word",
    "lines (log)",
    "list items (log)",
    "has a code block",
    "share of digits",
    "share of punctuation",
    "share of capitals",
    "share of letters beyond ASCII",
    "prompt ends with ?",
)
"""Columns of `simple_features`."""


def simple_features(prompts: Sequence[str], responses: Sequence[str], messages: Sequence[int]) -> np.ndarray:
    """What can be counted in a text without understanding it, float64 `[n, 14]`, see `SIMPLE_FEATURES`.

    Shares and words are those of the response. Texts longer than 20,000 characters are counted up to there, but for
    their length.

    Args:
        prompts: One per row.
        responses: One per row.
        messages: Number of messages of each row.
    """
    rows = [_features(p, r, m) for p, r, m in zip(prompts, responses, messages, strict=True)]
    return np.array(rows, np.float64).reshape(len(rows), len(SIMPLE_FEATURES))


def _features(prompt: str, response: str, messages: int) -> tuple[float, ...]:
    asked, said = float(np.log1p(len(prompt))), float(np.log1p(len(response)))
    text = response[:CHARACTERS]
    words = _WORD.findall(text.lower())
    size = max(len(text), 1)
    letters = [c for c in text if c.isalpha()]
    return (
        asked,
        said,
        said - asked,
        float(messages),
        len(set(words)) / max(len(words), 1),
        sum(map(len, words)) / max(len(words), 1),
        float(np.log1p(text.count("\n"))),
        float(np.log1p(len(_LIST_ITEM.findall(text)))),
        float("```" in text),
        sum(c.isdigit() for c in text) / size,
        sum(not (c.isalnum() or c.isspace()) for c in text) / size,
        sum(c.isupper() for c in letters) / max(len(letters), 1),
        sum(ord(c) > 127 for c in letters) / max(len(letters), 1),
        float(prompt.rstrip()[-1:] in ("?", "？")),
    )


@dataclass(frozen=True)
class Prediction:
    """How well simple features foretell a score, on rows left out.

    Args:
        rows: Rows used.
        linear_r2: R² of ridge regression, over all rows, each predicted by a model that did not see it.
        trees_r2: R² of gradient-boosted trees, the same way.
        by_fold: R² of the trees in each fold.
        columns: Names of the features, the most important first.
        falls: Fall of the trees' R² when one feature is shuffled among the rows left out.
        correlations: Spearman's rank correlation of each feature with the score.
    """

    rows: int
    linear_r2: float
    trees_r2: float
    by_fold: tuple[float, ...]
    columns: tuple[str, ...]
    falls: tuple[float, ...]
    correlations: tuple[float, ...]


def predict_from_simple(features: np.ndarray, values: np.ndarray, *, seed: int = 0) -> Prediction:
    """Fit a line and trees to a score, and tell what they use. A few seconds for 10,000 rows.

    Values are taken by rank (scaled to 0 to 1): what counts for a selection is the order, and a few extreme values
    would decide R² otherwise.

    Args:
        features: float64 `[n, d]`, columns of `SIMPLE_FEATURES`, no NaN.
        values: float64 `[n]`, finite, not all equal.
        seed: Of the folds and shuffles.
    """
    from scipy.stats import rankdata
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.linear_model import RidgeCV
    from sklearn.model_selection import KFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    n = len(values)
    target = (rankdata(values) - 0.5) / n
    linear, trees, shuffled = np.empty(n), np.empty(n), np.empty((features.shape[1], n))
    by_fold = []
    generator = np.random.default_rng(seed)
    for train, left in KFold(FOLDS, shuffle=True, random_state=seed).split(features):
        line = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-2, 4, 7)))
        linear[left] = line.fit(features[train], target[train]).predict(features[left])
        boosted = HistGradientBoostingRegressor(max_iter=100, learning_rate=0.1, random_state=seed)
        boosted.fit(features[train], target[train])
        trees[left] = boosted.predict(features[left])
        by_fold.append(r2(target[left], trees[left]))
        for column in range(features.shape[1]):
            mixed = features[left].copy()
            mixed[:, column] = generator.permutation(mixed[:, column])
            shuffled[column, left] = boosted.predict(mixed)
    whole = r2(target, trees)
    falls = np.array([whole - r2(target, each) for each in shuffled])
    correlations = np.array([_correlation(rankdata(column), target) for column in features.T])
    order = np.argsort(-falls, kind="stable")
    return Prediction(
        n,
        r2(target, linear),
        whole,
        tuple(by_fold),
        tuple(SIMPLE_FEATURES[i] for i in order),
        tuple(float(falls[i]) for i in order),
        tuple(float(correlations[i]) for i in order),
    )


def r2(truth: np.ndarray, guess: np.ndarray) -> float:
    """1 − squared error / squared deviation from the mean; NaN when the truth does not vary."""
    spread = float(((truth - truth.mean()) ** 2).sum())
    return 1 - float(((truth - guess) ** 2).sum()) / spread if spread > 0 else float("nan")


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's; NaN when one does not vary."""
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a**2).sum() * (b**2).sum()))
    return float((a * b).sum()) / size if size > 0 else float("nan")


def sampled(rows: np.ndarray, most: int = SAMPLE, seed: int = 0) -> np.ndarray:
    """At most so many of the rows, evenly at random, sorted."""
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))


def score_prediction(dataset: Dataset, values: np.ndarray, *, most: int = SAMPLE, seed: int = 0) -> Prediction | str:
    """How simple features of the rows foretell a score, or why that cannot be said.

    Args:
        dataset: The rows.
        values: float64 `[n]`, NaN = missing.
        most: Rows used at most.
        seed: Of the sample, the folds and the shuffles.
    """
    rows = sampled(np.flatnonzero(np.isfinite(values)), most, seed)
    if len(rows) < FEWEST_ROWS:
        return f"only {len(rows)} rows have the score, and {FEWEST_ROWS} are needed to fit anything"
    if np.ptp(values[rows]) == 0:
        return "the score is the same for all rows"
    part = dataset.take(rows)
    messages = [len(part.messages(row)) for row in range(len(part))]
    features = simple_features(part.texts("prompt"), part.texts("response"), messages)
    from threadpoolctl import threadpool_limits

    # trees this small wait for each other: where other work runs, several threads were ten times slower than one
    with threadpool_limits(1):
        return predict_from_simple(features, values[rows], seed=seed)
