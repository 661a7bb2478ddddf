"""Learnability: how much of a row's loss goes away when the model is fine-tuned on the pool."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from curation.core.artifacts import Missing, Score
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.method import MethodClass, Scorer, Size
from curation.core.runtime import Runtime

FLOOR = 0.05
"""Nats. Below it an initial loss is mostly noise: the row is boilerplate or known by heart, and a ratio explodes."""
COLLAPSED_FROM = 0.95
"""From this rank correlation with −reference loss on, the score says hardly more than the reference loss does."""
BELOW_ZERO = -1e-4
"""Nats. A mean negative log-likelihood cannot be lower but for rounding."""

REGIONS = ("uninformative", "too hard", "learnable", "worsened")
"""Names of the codes in the column `region`; −1 where there is no score."""
UNINFORMATIVE, TOO_HARD, LEARNABLE, WORSENED = range(4)


def learnability(
    initial_loss: np.ndarray, reference_loss: np.ndarray, *, floor: float = FLOOR, normalised: bool = True
) -> np.ndarray:
    """Share of the initial loss that training on the pool takes away: (L_ini − L_ref) / max(L_ini, floor).

    At most 1. Zero where nothing changed, negative where fine-tuning made the row worse: that is kept. Since both
    losses of a row are taken over the same tokens, token sums give the same as token means, and dividing by L_ref
    instead would give the same order. O(n).

    Args:
        initial_loss: `[n]`, of the model before fine-tuning, in nats per token; NaN = missing.
        reference_loss: `[n]`, of the model after fine-tuning on the pool; NaN = missing.
        floor: The divisor is at least this, in nats, above 0.
        normalised: False gives the plain drop L_ini − L_ref in nats, which favours some lengths.

    Returns:
        float64 `[n]`, NaN where either loss is.

    Raises:
        ValueError: if the losses are not of one length.
    """
    initial, reference = np.asarray(initial_loss, np.float64), np.asarray(reference_loss, np.float64)
    if initial.shape != reference.shape:
        raise ValueError(f"{initial.shape} initial losses, {reference.shape} reference losses")
    drop = initial - reference
    return drop / np.maximum(initial, floor) if normalised else drop


def regions_of(initial: np.ndarray, reference: np.ndarray, boundary: float) -> np.ndarray:
    """Where each row stands in the plane of the two losses; one boundary between small and large serves both.

    `worsened` (reference above initial), else `uninformative` (both small), `too hard` (both large), `learnable`
    (initial large, reference small). With one boundary for both axes nothing is left over: a small initial and a large
    reference loss is a row that worsened.

    Args:
        initial: `[n]`, nats per token.
        reference: `[n]`.
        boundary: A loss up to this is small.

    Returns:
        int8 `[n]`, indices into REGIONS, −1 where a loss is NaN.
    """
    codes = np.where(initial <= boundary, UNINFORMATIVE, np.where(reference > boundary, TOO_HARD, LEARNABLE))
    codes = np.where(reference > initial, WORSENED, codes)
    return np.where(np.isnan(initial) | np.isnan(reference), -1, codes).astype(np.int8)


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float | None:
    """Spearman's rank correlation of the rows where both are finite; None where one of them does not vary."""
    from scipy.stats import rankdata

    both = np.isfinite(a) & np.isfinite(b)
    if both.sum() < 2:
        return None
    x, y = rankdata(a[both]), rankdata(b[both])
    x, y = x - x.mean(), y - y.mean()
    scale = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / scale if scale > 0 else None


class Learnability(Scorer):
    """How much of its loss a row loses when the model is fine-tuned on the pool, as a share of the initial loss.

    High: the initial model could not say the answer and training taught it. Near 0: known already, or too hard to
    learn. Below 0: training on the other rows made it worse, as it does to noise and contradictions. The two losses may
    come from models here or from a training elsewhere (scorer/imported). A reference model that was trained on the rows
    it scores rewards what it could memorise; with a cross-fit model (`folds` of the trainer) no row is scored by a
    model that saw it.
    """

    title: ClassVar[str] = "Learnability"
    method_class: ClassVar[MethodClass] = "zero-order"
    source: ClassVar[str] = "LoBaSS / DavIR (arXiv:2310.13008); no code by the authors is known"
    weakness: ClassVar[str] = (
        "Where all initial losses are alike it says no more than the reference loss; trained and scored on the same "
        "rows it also rewards what was memorised."
    )

    normalised: bool = Field(True, description="divide by the initial loss; without it long answers are favoured")
    floor: float = Field(FLOOR, gt=0, le=10, description="smallest divisor in nats; rows below it are flagged")
    boundary: Literal["quantile", "nats"] = Field(
        "quantile", description="how the boundary between small and large loss is given; for the named regions only"
    )
    split: float = Field(
        0.5, ge=0, le=50, description="the boundary: a quantile of both losses together, 0 to 1, or nats (ours)"
    )

    @model_validator(mode="after")
    def _a_quantile_is_at_most_one(self) -> Self:
        if self.boundary == "quantile" and self.split > 1:
            raise ValueError("split is a quantile, so at most 1; or set boundary to nats")
        return self

    def score(self, pool: Dataset, runtime: Runtime, *, initial: Score, reference: Score) -> Score:
        """Join the two losses of every row.

        Columns: `initial`, `reference`, `drop` (nats per token), `flags` (1 = initial loss below the floor), `region`
        (index into `info["regions"]`), `tokens` where the losses tell how many were scored.

        Numbers of the user's own are taken as losses; those that neither are called so nor come from a file are named
        in `info["not known to be losses"]`.

        Raises:
            CurationError: a score made by a model here is no loss.
        """
        for port, given in (("initial", initial), ("reference", reference)):
            if "template" in given.info and given.name != "loss":  # from a model here, which tells more than losses
                raise CurationError(
                    f"'{port}' reads {given.name}, which is no loss", "use scorer/loss with measure: loss for both"
                )
        before, after = np.array(initial.values, np.float64), np.array(reference.values, np.float64)
        missing = _missing(before, after, initial.missing, reference.missing)
        before[missing.mask] = after[missing.mask] = np.nan
        values = learnability(before, after, floor=self.floor, normalised=self.normalised)
        both = np.concatenate([before, after])
        known = both[np.isfinite(both)]
        limit = float(np.quantile(known, self.split)) if self.boundary == "quantile" and len(known) else self.split
        columns: dict[str, np.ndarray] = {
            "initial": before,
            "reference": after,
            "drop": before - after,
            "flags": (before < self.floor).astype(np.int8),
            "region": regions_of(before, after, limit),
        }
        tokens = initial.columns.get("tokens")
        if tokens is not None:
            columns["tokens"] = np.array(tokens, np.float64)
        lengths = columns.get("tokens", pool.lengths("response").astype(np.float64))
        info = _facts(values, columns, lengths, limit)
        info |= _models(initial, reference)
        doubtful = [f"{port}: {s.name}" for port, s in (("initial", initial), ("reference", reference)) if _doubtful(s)]
        if doubtful:
            info["not known to be losses"] = doubtful
        return Score(pool.fingerprint, values, missing, "learnability", True, columns, info)

    def work(self, size: Size) -> float:
        """A few numbers a row."""
        return float(size.rows + 1)

    def disk(self, size: Size) -> float:
        """The score and six columns."""
        return 60.0 * size.rows


def _doubtful(score: Score) -> bool:
    """True where nothing says that the numbers are losses: neither their name nor a file that they were read from."""
    return "loss" not in score.name.lower() and "sha256" not in score.info


def _missing(before: np.ndarray, after: np.ndarray, first: Missing, second: Missing) -> Missing:
    """Rows that lack a loss, or whose loss cannot be one."""
    reasons: list[str | None] = [None] * len(before)
    for row in np.flatnonzero(~(np.isfinite(before) & np.isfinite(after))):
        which, absent = ("reference", second) if np.isfinite(before[row]) else ("initial", first)
        reasons[row] = f"{which} loss: {absent.reason(int(row)) or 'no value'}"
    for row in np.flatnonzero(np.fmin(before, after) < BELOW_ZERO):
        reasons[row] = reasons[row] or "a loss below 0 is no negative log-likelihood"
    return Missing.from_list(reasons)


def _facts(values: np.ndarray, columns: dict[str, np.ndarray], lengths: np.ndarray, limit: float) -> dict[str, Any]:
    """What a reader should know before using the score."""
    rho = rank_correlation(values, -columns["reference"])
    counts = np.bincount(columns["region"][columns["region"] >= 0], minlength=len(REGIONS))
    return {
        "rho_reference": rho,  # with −reference loss
        "rho_length": rank_correlation(values, lengths),
        "length": "tokens" if "tokens" in columns else "characters",
        "collapsed": rho is not None and rho >= COLLAPSED_FROM,
        "regions": list(REGIONS),
        "region_rows": {name: int(count) for name, count in zip(REGIONS, counts, strict=True)},
        "boundary_nats": limit,
        "below_floor": int(columns["flags"].sum()),
    }


def _models(initial: Score, reference: Score) -> dict[str, Any]:
    """Which models stand behind the two losses, and whether they may be compared."""
    first, second = initial.columns.get("tokens"), reference.columns.get("tokens")
    info: dict[str, Any] = {
        "initial_model": str(initial.info.get("model", initial.name)),
        "reference_model": str(reference.info.get("model", reference.name)),
        "weak": bool(initial.info.get("weak") or reference.info.get("weak")),
        "reference_folds": reference.info.get("folds"),  # None where nobody said
    }
    if first is not None and second is not None:
        both = np.isfinite(first) & np.isfinite(second)
        info["tokens_differ"] = int((np.asarray(first)[both] != np.asarray(second)[both]).sum())
    return info
