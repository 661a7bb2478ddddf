"""Full fine-tuning of an encoder on labelled rows, with the dynamic pruning of "NLU on Data Diets"."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from curation.core.artifacts import Labels, Missing, Model
from curation.core.dataset import Dataset, WhichText
from curation.core.errors import CurationError, DataError
from curation.core.method import MethodClass, Size, Trainer
from curation.core.runtime import Runtime
from curation.models._folder import AUTO, PACKAGED, revision_of
from curation.models.encoder_tuning import (
    TRAINING_COST,
    EncoderRow,
    Pooling,
    TunedEncoder,
    TuneSettings,
    Tuning,
    new_encoder,
    read_tuning,
    tune_encoder,
    write_tuning,
)
from curation.models.pruning import IGNORED, Joint, Pick, PruningSettings, Smoothing, Spread

NO_TEXT = "no text"
NO_LABEL = "no label"
NO_TAGS = "no tags in the field"
NOT_TAGS = "neither a list of tags nor a text of them"
NO_WORDS = "no words in the field"
UNEVEN = "not as many tags as words"
NOTHING_READ = "no tagged word is read"
MODEL = "model"
LABEL_INSIDE = "the encoder read the response: where the label stands there, it reads the answer"


class Encoder(Trainer):
    """Fine-tunes all of an encoder on intents (one label per row), slots (one tag per word), or both.

    With `keep_fraction` below 1 rows are pruned while it trains: after `warm_epochs` on everything, all rows are
    scored, and for the next `cycle` epochs only the share with the highest smoothed scores is trained on; rows that
    were pruned are scored again and may come back. The score of a row is the length of softmax − one-hot of its intent
    and of each of its words, joined by `aggregation`, in eval mode. Everything is kept with `keep_fraction: 1`.

    Recorded for every row: `loss`, `p_true`, `correct`, `margin`, `entropy` (of the intent; without intents the mean
    over words), `slots_correct` with both, `el2n` (the score χ), `score` (χ̂, smoothed over cycles, which rows are
    chosen by) and `kept` (1 where the row was trained on in the epoch before). Noted: examples processed, passes of
    scoring, rows that came back; the seconds of training and of scoring are among the curves of the job. With several
    `runs` every run is recorded and the first one's network kept.

    Conversations have neither intents nor slots; their responses are scored token by token by `trainer/causal`.
    """

    version: ClassVar[int] = 2
    title: ClassVar[str] = "Encoder with dynamic pruning"
    method_class: ClassVar[MethodClass] = "first-order"
    weakness: ClassVar[str] = (
        "Keeps what the model gets wrong, so mislabelled rows stay to the end unless an offset drops them."
    )
    source: ClassVar[str] = "NLU on Data Diets (SustaiNLP 2023), arXiv 2306.03208, and the code its authors released"

    model: str = Field(PACKAGED, min_length=1, description="packaged, a folder, or the Hugging Face name of an encoder")
    text: WhichText = Field("prompt", description="which text is read: the prompt, the response or both")
    slots: str | None = Field(None, min_length=1, description="field of the records with one BIO tag per word")
    words: str | None = Field(
        None, min_length=1, description="field with the words that the tags belong to; nothing = the text cut at blanks"
    )
    epochs: int = Field(5, ge=1, le=1000, description="passes; pruned ones are over the kept rows only")
    batch_rows: int = Field(32, ge=1, le=65_536, description="rows in a step")
    learning_rate: float = Field(2e-5, gt=0, le=1, description="of AdamW, constant; small encoders bear 1e-4 and more")
    warm_epochs: int = Field(1, ge=0, le=1000, description="epochs on all rows at first; 0 begins with random rows")
    cycle: int = Field(1, ge=1, le=1000, description="epochs between two choices of rows")
    keep_fraction: float = Field(0.5, gt=0, le=1, description="share of the rows to train on; 1 = no pruning")
    offset: float = Field(0.0, ge=0, lt=1, description="share of the rows with the highest scores to leave out")
    pick: Pick = Field("score", description="rows with the highest scores, or random rows for comparison")
    aggregation: Joint = Field(
        "norm", description="how intent and words become one score; norm and sum grow with words"
    )
    smoothing: Smoothing = Field("ema", description="scores over cycles: moving average, mean of the last, or newest")
    alpha: float = Field(0.8, gt=0, le=1, description="weight of the newest score in the moving average")
    c: float = Field(1.0, ge=0, le=100, description="weight of the spread added to the average: unsteady rows are kept")
    spread: Spread = Field("std", description="what is added: standard deviation or variance")
    window: int = Field(3, ge=1, le=1000, description="cycles in the mean, with smoothing: mean")
    mc_dropout: int = Field(0, ge=0, le=100, description="scoring passes with dropout on, averaged; 0 = dropout off")
    measure: Literal["epoch", "cycle"] = Field(
        "epoch", description="score all rows after every epoch, or only when pruning needs it and at the end"
    )
    intent_share: float = Field(0.5, ge=0, le=1, description="weight of the intent in the loss, beside the slots")
    pooling: Pooling = Field("mean", description="vector the intent is read from: mean over tokens, or the first token")
    max_tokens: int = Field(128, ge=4, le=65_536, description="tokens read of each row; the rest is not")
    fresh_layers: int = Field(0, ge=0, le=1000, description="last layers that begin anew instead of pre-trained")
    seed: int = Field(0, ge=0, le=2**31, description="of the heads, the order, dropout and random picks")
    runs: int = Field(1, ge=1, le=100, description="trainings from different seeds; the first one's network is kept")
    revision: str = Field(AUTO, min_length=1, description="commit or fingerprint of the weights; auto fills it in")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        self.pruning(0)  # refuses an offset and a share that do not go together
        return self

    def resolve(self, runtime: Runtime) -> Self:
        """Write the identity of the weights into the recipe."""
        return self if self.revision != AUTO else self.model_copy(update={"revision": revision_of(self.model)})

    def train(self, pool: Dataset, runtime: Runtime, *, labels: Labels | None = None) -> Model:
        """Fine-tune, and record what every row looked like on the way.

        Args:
            pool: The rows.
            runtime: Device, progress, a folder for checkpoints.
            labels: Their intents; None = slots only.

        Raises:
            CurationError: there are neither labels nor slots.
            DataError: no row can be learnt from, or all are alike.
            ModelError: the encoder cannot be loaded, or training diverged.
        """
        if labels is None and self.slots is None:
            raise CurationError(
                "an encoder learns labels of rows or tags of words, and there are neither",
                "give the step `labels`, or name the field with tags in `slots`; conversations are for trainer/causal",
            )
        given = self._read(pool, labels)
        first = self._encoder(given, 0, runtime.device)
        rows, missing = given.rows(first)
        present = np.flatnonzero(~missing.mask)
        _some(present, missing)
        folder = Path(tempfile.mkdtemp(prefix="curation-encoder-")) if runtime.keep is None else runtime.keep
        whose = "all-MiniLM-L6-v2" if self.model == PACKAGED else Path(self.model).name
        name = f"{whose}, fine-tuned on {len(present):,} rows"
        runs = []
        for run in range(self.runs):
            encoder = first if run == 0 else self._encoder(given, run, runtime.device)
            encoder.name = name
            runs.append(self._run(run, encoder, [rows[i] for i in present], folder, runtime))
        measures = {m: _spread(np.stack([r.measures[m] for r in runs]), present, len(pool)) for m in runs[0].measures}
        return Model(
            pool.fingerprint,
            missing.compact(),
            measures,
            np.array(runs[0].epochs),
            self._info(runs, given, len(present)),
            path=str(folder / MODEL),
            role="encoder",
            name=name,
        )

    def settings(self, run: int) -> TuneSettings:
        """How one run is trained."""
        return TuneSettings(
            epochs=self.epochs,
            batch_rows=self.batch_rows,
            learning_rate=self.learning_rate,
            intent_share=self.intent_share,
            aggregation=self.aggregation,
            mc_dropout=self.mc_dropout,
            measure=self.measure,
            seed=self.seed + run,
        )

    def pruning(self, run: int) -> PruningSettings:
        """When one run prunes, and how much."""
        return PruningSettings(
            warm_epochs=self.warm_epochs,
            cycle=self.cycle,
            keep_fraction=self.keep_fraction,
            offset=self.offset,
            pick=self.pick,
            smoothing=self.smoothing,
            alpha=self.alpha,
            c=self.c,
            spread=self.spread,
            window=self.window,
            seed=self.seed + run,
        )

    def _encoder(self, given: _Given, run: int, device: str) -> TunedEncoder:
        return new_encoder(
            self.model,
            intents=given.intents,
            tags=given.tags,
            pooling=self.pooling,
            max_tokens=self.max_tokens,
            fresh_layers=self.fresh_layers,
            seed=self.seed + run,
            device=device,
            revision=self.revision,
        )

    def _run(self, run: int, encoder: TunedEncoder, rows: list[EncoderRow], folder: Path, runtime: Runtime) -> Tuning:
        """One training; a finished one is read back."""

        def progress(done: float, total: float, note: str = "") -> None:
            several = f"run {run + 1} of {self.runs}, " if self.runs > 1 else ""
            runtime.progress(run + done / total, self.runs, several + note)

        def record(metrics: dict[str, float]) -> None:
            runtime.record({**metrics, "run": float(run + 1)} if self.runs > 1 else metrics)

        keep = folder / f"run-{run}"
        done = read_tuning(keep)
        if done is not None:
            progress(1.0, 1.0)
            return done
        inner = dataclasses.replace(runtime, progress=progress, record=record)
        points = None if runtime.keep is None else keep
        done = tune_encoder(encoder, rows, self.settings(run), self.pruning(run), inner, keep=points)
        if run == 0:  # before the record, which says that this run is finished
            shutil.rmtree(folder / MODEL, ignore_errors=True)
            encoder.save(folder / MODEL)
        write_tuning(done, keep)
        for point in keep.glob("checkpoint-*"):
            shutil.rmtree(point)
        return done

    # ------------------------------------------------------------------ reading the rows

    def _read(self, pool: Dataset, labels: Labels | None) -> _Given:
        reasons: list[str | None] = [None] * len(pool)
        words: list[list[str]] | None = None
        named: list[list[str]] = []
        tags: tuple[str, ...] = ()
        tag_codes: list[list[int]] | None = None
        texts: list[str] = pool.texts(self.text)
        if self.slots is None:
            reasons = [None if text.strip() else NO_TEXT for text in texts]
        else:
            words = _words(texts if self.words is None else pool.field(self.words), reasons)
            named = _tag_names(pool.field(self.slots), words, reasons)
        intents: tuple[str, ...] = ()
        codes = np.full(len(pool), IGNORED, np.int64)
        if labels is not None:
            intents, codes = _intents(labels, reasons)
        if words is not None:  # after the intents: a row without one is not learnt from, nor are its tags
            named = [[] if reasons[i] else row for i, row in enumerate(named)]
            tags = tuple(sorted({tag for row in named for tag in row}, key=_tag_order))
            code = {tag: i for i, tag in enumerate(tags)}
            tag_codes = [[code[t] for t in row] or [IGNORED] * len(words[i]) for i, row in enumerate(named)]
        _some(np.flatnonzero([reason is None for reason in reasons]), Missing.from_list(reasons))
        return _Given(texts, words, intents, tags, codes, tag_codes, Missing.from_list(reasons))

    def _info(self, runs: list[Tuning], given: _Given, rows: int) -> dict[str, Any]:
        first = runs[0]
        info: dict[str, Any] = {
            "rows": rows,
            "intents": len(given.intents),
            "tags": len(given.tags),
            "runs": self.runs,
            "accuracy": float(np.mean([np.mean(r.measures["correct"][-1]) for r in runs])),
            "loss": float(np.mean([r.loss[-1] for r in runs])),
            "examples processed": first.processed,
            "examples without pruning": rows * self.epochs,
            "scoring passes": first.passes,
            "examples scored": first.scored,
            "rows that came back": int(first.returned.sum()),
            "rows that came back at each choice": first.re_entered,
        }
        if self.slots is None and self.text != "prompt":
            info["caution"] = LABEL_INSIDE
        return info

    # ------------------------------------------------------------------ estimates

    def _passes(self) -> float:
        """What the whole training costs, in passes of scoring over all rows."""
        warm = min(self.epochs, self.warm_epochs)
        trained = warm + self.keep_fraction * (self.epochs - warm)
        scored = self.epochs if self.measure == "epoch" else 1 + (self.epochs - warm) / self.cycle
        return self.runs * (TRAINING_COST * trained + max(1, self.mc_dropout) * scored)

    def shortened(self) -> Self:
        """One run of one pass."""
        return self.model_copy(update={"epochs": 1, "runs": 1})

    def work(self, size: Size) -> float:
        """Characters read, each pass of training counted three times."""
        return self._passes() * (size.chars + 1)

    def memory(self, size: Size) -> float:
        """The encoder with gradients and moments (22 million parameters packaged, else 125), a batch, the record."""
        return (1.7e9 if self.model == PACKAGED else 3.5e9) + 108.0 * self.runs * self.epochs * size.rows

    def disk(self, size: Size) -> float:
        """The network (as `memory` has it), and nine numbers for each row, epoch and run."""
        return (100e6 if self.model == PACKAGED else 510e6) + 36.0 * self.runs * self.epochs * size.rows


@dataclass(frozen=True)
class _Given:
    """What the rows give to learn from.

    Args:
        texts: Of each row.
        words: Of each row, None without slots.
        intents: Names of the intents that occur.
        tags: Names of the tags that occur in rows that are learnt from.
        codes: int64 `[n]`: intent of each row.
        tag_codes: Of each row's words, None without slots.
        missing: Rows that cannot be learnt from.
    """

    texts: list[str]
    words: list[list[str]] | None
    intents: tuple[str, ...]
    tags: tuple[str, ...]
    codes: np.ndarray
    tag_codes: list[list[int]] | None
    missing: Missing

    def rows(self, encoder: TunedEncoder) -> tuple[list[EncoderRow], Missing]:
        """All rows as the encoder reads them, and which cannot be learnt from: also those of which it reads no tag."""
        made = encoder.encode(self.texts if self.words is None else self.words, self.codes, self.tag_codes)
        reasons = [self.missing.reason(i) for i in range(len(made))]
        if encoder.tags and not encoder.intents:
            reasons = [
                r or (None if (row.tags >= 0).any() else NOTHING_READ) for r, row in zip(reasons, made, strict=True)
            ]
        return made, Missing.from_list(reasons)


def _some(present: np.ndarray, missing: Missing) -> None:
    """Refuses rows of which none is left.

    Raises:
        DataError: with the reasons why.
    """
    if not len(present):
        why = "; ".join(f"{reason}: {count:,}" for reason, count in missing.counts().items())
        raise DataError(f"no row can be learnt from ({why or 'there are none'})", "name other fields")


def _words(values: Sequence[Any], reasons: list[str | None]) -> list[list[str]]:
    """The words of every row, [] for rows that are missing; reasons are filled in."""
    found = []
    for i, value in enumerate(values):
        listed = value.split() if isinstance(value, str) else value
        if not isinstance(listed, list) or not all(isinstance(word, str) for word in listed):
            reasons[i], listed = NO_WORDS, []
        elif not any(word.strip() for word in listed):
            reasons[i], listed = NO_TEXT, []
        found.append(listed)
    return found


def _intents(labels: Labels, reasons: list[str | None]) -> tuple[tuple[str, ...], np.ndarray]:
    """Names of the labels that rows to be learnt from have, and the code of each row; reasons are filled in."""
    codes = np.asarray(labels.codes)
    for i in np.flatnonzero(codes < 0):
        why = labels.missing.reason(int(i))
        reasons[i] = reasons[i] or (f"{NO_LABEL}: {why}" if why else NO_LABEL)
    used = np.unique(codes[np.array([reason is None for reason in reasons], bool)])
    table = np.full(len(labels.names) + 1, IGNORED, np.int64)  # the last place serves code -1
    table[used] = np.arange(len(used))
    return tuple(labels.names[code] for code in used), table[codes]


def _tag_names(values: Sequence[Any], words: Sequence[Sequence[str]], reasons: list[str | None]) -> list[list[str]]:
    """The tags of every row as text, [] for rows that are missing; reasons are filled in."""
    found: list[list[str]] = []
    for i, value in enumerate(values):
        listed = value.split() if isinstance(value, str) else value
        if not isinstance(listed, list) or not all(isinstance(tag, str | int) for tag in listed):
            reasons[i] = reasons[i] or (NO_TAGS if value is None else NOT_TAGS)
        elif not listed:
            reasons[i] = reasons[i] or NO_TAGS
        elif len(listed) != len(words[i]):
            reasons[i] = reasons[i] or UNEVEN
        found.append([str(tag) for tag in listed] if reasons[i] is None and isinstance(listed, list) else [])
    return found


def _tag_order(tag: str) -> tuple[bool, str]:
    """O first, the others by name."""
    return tag != "O", tag


def _spread(values: np.ndarray, rows: np.ndarray, n: int) -> np.ndarray:
    """Values `[runs, times, m]` of some rows as float32 `[runs, times, n]`, NaN elsewhere."""
    out = np.full((*values.shape[:2], n), np.nan, np.float32)
    out[:, :, rows] = values
    return out
