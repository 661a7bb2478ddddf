"""Conformal selection: rows that are probably good, with a stated share of wrong ones among them."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from curation.core.artifacts import Score, Selection
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.method import Ask, MethodClass, Purpose, Selector, Size
from curation.core.runtime import Runtime
from curation.linalg.conformal import benjamini_hochberg, conformal_p_values, smallest_rate
from curation.selectors._build import numbers, selection, sorted_rows

NO_SCORE = "no predicted score"


class Conformal(Selector):
    """All rows that are good with a false-discovery rate of `rate`: on average at most that share of them is not.

    Good is a judge's score of at least `threshold`. `calibration` holds the judge's scores of rows drawn at random,
    which the model behind `distilled` did not learn from; those that it says it has learnt from are left out. A row's
    p-value is (1 + calibration rows that are not good, yet predicted at least as high) / (calibration rows + 1): ties
    count against the row, so the promise holds with them, at the price of some rows. Benjamini and Hochberg's rule then
    says which rows are taken.

    The rate is an average over the chance of the draw: of one pick more may be wrong. It holds where the rows to choose
    from are like the calibration rows, which were drawn from all of them: limit `within` to rows that calibration rows
    were drawn from too. Rows that were judged themselves are not tested. They are in if they are good, out if not,
    unless `known` is off; that makes the share of wrong ones smaller.

    Picks come in the order of the score, best first; margins are how much the p-value exceeds the last one taken. There
    may be no rows at all: `info` then says from which rate on there would be.
    """

    title: ClassVar[str] = "Conformal selection"
    weakness: ClassVar[str] = (
        "Promises to repeat the judge, not that it is right; few calibration rows or a weak model select nothing."
    )
    source: ClassVar[str] = (
        "Jin and Candès 2023, Selection by Prediction with Conformal p-values; Benjamini and Hochberg 1995"
    )
    method_class: ClassVar[MethodClass] = "statistical"
    purpose: ClassVar[Purpose] = "by score"
    when: ClassVar[str] = "When most rows have only a predicted score, and the share of wrong picks must be known."
    eligible_ports: ClassVar[tuple[str, ...]] = ("distilled",)

    threshold: float = Field(4.5, allow_inf_nan=False, description="a row is good from this score of the judge on")
    rate: float = Field(0.1, gt=0, lt=1, description="false-discovery rate: share of wrong picks, on average (q)")
    known: bool = Field(True, description="take judged rows that are good too")

    def select(
        self,
        pool: Dataset,
        ask: Ask,
        runtime: Runtime,
        *,
        distilled: Score,
        calibration: Score,
        judged: Score | None = None,
    ) -> Selection:
        """Test every row that was not judged: O(n log n).

        Args:
            pool: The rows.
            ask: Which rows are eligible.
            runtime: Not used.
            distilled: Predicted scores; its column `predicted` where it has one, its values otherwise.
            calibration: The judge's scores of rows drawn at random, missing elsewhere.
            judged: Its scores of further rows: those that the model learnt from.

        Raises:
            CurationError: no calibration row has both scores, or the model has learnt from all of them.
        """
        n = len(pool)
        sign = -1.0 if calibration.higher_is_better is False else 1.0
        bar = self.threshold * sign
        predicted = numbers(distilled, "predicted" if "predicted" in distilled.columns else None) * sign
        checked = numbers(calibration, None) * sign
        learnt = np.full(n, np.nan) if judged is None else numbers(judged, None) * sign
        learnt_from = _learnt_from(distilled, n)
        both = np.isfinite(checked) & np.isfinite(predicted)
        spoilt, held = int((both & learnt_from).sum()), np.flatnonzero(both & ~learnt_from)
        if spoilt and not len(held):
            raise CurationError(
                f"the model behind '{distilled.name}' has learnt from all calibration rows: they say nothing of others",
                "give the scorer/distilled the same  calibration: $STEP  as here: it does not learn from these rows",
            )
        if not len(held):
            raise CurationError(
                "no calibration row has a judge's score and a predicted one",
                "draw some rows at random (selector/random), let the judge score them, and give  calibration: $STEP",
            )
        own = np.where(np.isfinite(checked), checked, learnt)
        # rows learnt from whose scores were not given: the model has seen the answer, so they cannot be tested
        seen = np.isfinite(own) | _seen(distilled, n)
        eligible = np.zeros(n, bool)
        eligible[ask.eligible] = True
        tested = np.flatnonzero(eligible & ~seen & np.isfinite(predicted))
        p_values = conformal_p_values(predicted[tested], predicted[held], checked[held] >= bar)
        taken = benjamini_hochberg(p_values, self.rate)
        good = np.flatnonzero(eligible & (own >= bar)) if self.known else np.empty(0, np.int64)
        worth = np.where(np.isfinite(own), own, predicted)
        order = sorted_rows(np.sort(np.concatenate([tested[taken], good])), worth, highest=True)
        codes = np.full(n, 2, np.int8)
        codes[np.isfinite(own) & (own < bar)] = 3
        codes[seen & ~(own < bar)] = 4
        codes[tested] = 1
        margin = np.full(n, np.nan)
        margin[tested] = p_values - (p_values[taken].max() if taken.any() else 0.0)
        return selection(
            pool,
            ask,
            order,
            stages=self._stages(sign),
            codes=codes,
            margin=margin,
            gains=worth[order] * sign,
            info={**self._facts(p_values, taken, len(good), len(held)), "calibration_rows_learnt_from": spoilt},
        )

    def _stages(self, sign: float) -> tuple[str, ...]:
        worse = "below" if sign > 0 else "above"
        return (
            f"too uncertain for a false-discovery rate of {self.rate:g}",
            NO_SCORE,
            f"judged {worse} {self.threshold:g}",
            "judged, and left out",
        )

    def _facts(self, p_values: np.ndarray, taken: np.ndarray, good: int, held: int) -> dict[str, Any]:
        found, lowest = int(taken.sum()), smallest_rate(p_values)
        info: dict[str, Any] = {
            "tested": len(p_values),
            "taken_by_test": found,
            "taken_as_judged": good,
            "calibration_rows": held,
            "rate": self.rate,
            "p_value_limit": float(p_values[taken].max()) if found else None,
            "wrong_expected_at_most": self.rate * found,
            "smallest_rate": lowest if np.isfinite(lowest) else None,
        }
        if len(p_values) and not found:
            info["note"] = (
                f"no row passes at a rate of {self.rate:g}; the first would at {lowest:.3g}"
                if lowest < 1
                else "no row passes at any rate"
            )
        return info

    def work(self, size: Size) -> float:
        """Rows."""
        return float(size.rows + 1)


def _seen(distilled: Score, n: int) -> np.ndarray:
    """Rows of which a distilled judge says that it had a score, bool `[n]`."""
    return numbers(distilled, "judged") == 1 if "judged" in distilled.columns else np.zeros(n, bool)


def _learnt_from(distilled: Score, n: int) -> np.ndarray:
    """Rows that it has learnt from: those that it had a score of and did not keep for calibration, bool `[n]`."""
    if "calibration" not in distilled.columns:  # no scorer/distilled, so nothing is known of it
        return np.zeros(n, bool)
    return _seen(distilled, n) & (numbers(distilled, "calibration") != 1)
