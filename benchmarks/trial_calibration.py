"""Is the trial's verdict right? Random against random, and planted selections that are known to be good or bad.

    python benchmarks/trial_calibration.py                     # prints the tables, some minutes on 2 cores
    python benchmarks/trial_calibration.py --write             # puts them into docs/trial.md as well
    python benchmarks/trial_calibration.py --scale 0.05        # a look at it, not a result

Classification trials run on scikit-learn's digits, and on banking77 when its file is given by --banking; language-model
trials fine-tune a random model of about 30,000 parameters on rows with planted dirt. Nothing is downloaded.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from curation.core.artifacts import Features, Labels, Missing, Selection
from curation.core.artifacts import Trial as TrialReport
from curation.core.dataset import Dataset, from_pairs
from curation.core.runtime import Runtime
from curation.trial import TrialAgainstRandom
from curation.trial._statistics import difference

PAGE = Path(__file__).resolve().parents[1] / "docs" / "trial.md"
BEGIN, END = "<!-- calibration: begin -->", "<!-- calibration: end -->"
DIRT, RARE = 0.25, 0.06
TEXT_DIRT = 0.4
DRAWS = (10, 5)  # the default, and half as many
FIRST_SEED = 1000  # pools that were not looked at while the statistics were chosen
POOL_STEPS, POOL_PICKED = 40, 600  # few steps on many rows: what is shared by rows is learnt, not each row's label
ROWS_PICKED, EVALUATION = 200, 300
TINY = {"steps": 25, "batch_rows": 8, "learning_rate": 0.01, "max_tokens": 64, "evaluation_rows": 60}
CHEAP = {"steps": 150, "length_matched": 0, "full": False, "untrained": False, "evaluation_rows": EVALUATION}


# ---------------------------------------------------------------------- simulation


@dataclasses.dataclass(frozen=True)
class Parts:
    """Standard deviations of what a measured value is made of; the rows' own level is common to all runs."""

    draw: float
    seed: float
    row: float
    draw_row: float


def simulated(parts: Parts, rng: np.random.Generator, *, draws: int, seeds: int, rows: int) -> tuple[float, float]:
    """One trial of random against random: (probability, gain)."""
    level = rng.normal(0, parts.row, rows)

    def selection(runs: int) -> np.ndarray:
        of_draw = rng.normal(0, parts.draw) + rng.normal(0, parts.draw_row, rows)
        return level + of_draw + rng.normal(0, parts.seed, (runs, 1)) + rng.normal(0, parts.draw_row / 2, (runs, rows))

    random = np.concatenate([selection(1) for _ in range(draws)])
    found = difference(selection(seeds), random, higher_is_better=True, resamples=200, seed=int(rng.integers(1 << 31)))
    return found.p, found.gain


def simulation(trials: int) -> list[list[object]]:
    """False "beats" and "worse" at different mixes of variance and numbers of runs."""
    table: list[list[object]] = []
    for name, parts in (
        ("draws alone", Parts(1, 0, 1, 0)),
        ("training seeds alone", Parts(0, 1, 1, 0)),
        ("both, and rows", Parts(1, 1, 3, 2)),
        ("rows alone", Parts(0.01, 0.01, 3, 3)),
    ):
        for draws, seeds in ((3, 2), (5, 1), (5, 3), (10, 3)):
            rng = np.random.default_rng(len(table))
            found = [simulated(parts, rng, draws=draws, seeds=seeds, rows=100) for _ in range(trials)]
            beats = np.mean([p <= 0.05 and gain > 0 for p, gain in found])
            worse = np.mean([p <= 0.05 and gain < 0 for p, gain in found])
            table.append([name, draws, seeds, f"{beats:.1%}", f"{worse:.1%}"])
    return table


# ---------------------------------------------------------------------- classification


@dataclasses.dataclass(frozen=True)
class Bench:
    """Labelled vectors with the pool that carries them.

    Args:
        name: For tables.
        pool: Rows.
        features: Of the rows.
        codes: The right classes, int64 `[n]`.
        picked: Rows of a selection.
    """

    name: str
    pool: Dataset
    features: Features
    codes: np.ndarray
    picked: int


def bench(name: str, points: np.ndarray, codes: np.ndarray, picked: int) -> Bench:
    """From vectors and classes."""
    pool = from_pairs([(f"{name} {i}", "x" * (1 + i % 40)) for i in range(len(codes))], name)
    features = Features(pool.fingerprint, points.astype(np.float32), Missing.none(len(pool)))
    return Bench(name, pool, features, np.unique(codes, return_inverse=True)[1].astype(np.int64), picked)


def digits() -> Bench:
    """1,797 images of handwritten digits."""
    from sklearn.datasets import load_digits

    data = load_digits()
    return bench("digits", data.data, data.target, ROWS_PICKED)


def banking(path: Path) -> Bench:
    """Bank questions in 77 intents, as 64 numbers each: TF-IDF and truncated SVD."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    with path.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))[:6000:2]
    counts = TfidfVectorizer(sublinear_tf=True).fit_transform([r["text"] for r in rows])
    points = TruncatedSVD(64, random_state=0).fit_transform(counts)
    return bench("banking77", points, np.array([r["category"] for r in rows]), 600)


@dataclasses.dataclass(frozen=True)
class Planted:
    """One pool with a known good and a known bad selection.

    Args:
        codes: Labels as the pool has them; right in evaluation rows.
        evaluation: Trusted rows.
        selections: Name → rows: "good", "bad", "random".
        pool_rows: Rows that the pool consists of, evaluation rows included; None = all.
    """

    codes: np.ndarray
    evaluation: np.ndarray
    selections: dict[str, np.ndarray]
    pool_rows: np.ndarray | None = None


def dirty(data: Bench, rng: np.random.Generator) -> Planted:
    """A quarter of the pool has random labels. Good: only right ones. Bad: half of them wrong."""
    n = len(data.codes)
    shuffled = rng.permutation(n)
    evaluation, rest = np.sort(shuffled[:EVALUATION]), shuffled[EVALUATION:]
    codes = data.codes.copy()
    wrong = rest[: round(DIRT * len(rest))]
    codes[wrong] = (codes[wrong] + rng.integers(1, codes.max() + 1, len(wrong))) % (codes.max() + 1)
    right = rest[len(wrong) :]
    k = min(data.picked, len(right))
    half = min(k // 2, len(wrong))
    return Planted(
        codes,
        evaluation,
        {
            "good": rng.choice(right, k, replace=False),
            "bad": np.concatenate([rng.choice(wrong, half, replace=False), rng.choice(right, k - half, replace=False)]),
            "random": rng.choice(rest, k, replace=False),
        },
    )


def skewed(data: Bench, rng: np.random.Generator) -> Planted:
    """All labels are right, but some classes are rare in the pool and not in the evaluation set.

    Good: as many rows of every class. Bad: only half of the common classes, which is a quarter of all.
    """
    n, classes = len(data.codes), int(data.codes.max()) + 1
    shuffled = rng.permutation(n)
    evaluation, rest = np.sort(shuffled[:EVALUATION]), shuffled[EVALUATION:]
    share = np.where(rng.permutation(classes) < classes // 2, 1.0, RARE)  # of each class that is in the pool
    rest = rest[rng.random(len(rest)) < share[data.codes[rest]]]
    order = rng.permutation(rest)
    of_class = np.zeros(len(order), np.int64)  # how many of its class come before it
    for code in range(classes):
        mine = data.codes[order] == code
        of_class[mine] = np.arange(mine.sum())
    kept = np.flatnonzero(share == 1.0)[: classes // 4]
    common = order[np.isin(data.codes[order], kept)]
    k = min(data.picked, len(rest) // 3, len(common))
    return Planted(
        data.codes,
        evaluation,
        {
            "good": order[np.argsort(of_class, kind="stable")][:k],
            "bad": common[:k],
            "random": rng.choice(rest, k, replace=False),
        },
        np.union1d(evaluation, rest),
    )


def trial(
    data: Bench,
    planted: Planted,
    names: Sequence[str],
    *,
    seed: int,
    trusted: bool = True,
    measure: str = "auto",
    **more: int,
) -> TrialReport:
    """One trial; without trust a share of the pool is held out, labels as they are."""
    rows = np.arange(len(data.codes)) if planted.pool_rows is None else planted.pool_rows
    if not trusted:
        rows = np.setdiff1d(rows, planted.evaluation)
    place = np.full(len(data.codes), -1)
    place[rows] = np.arange(len(rows))
    pool = data.pool.take(rows)
    none = Missing.none(len(rows))

    def chosen(of: np.ndarray) -> Selection:
        return Selection(pool.fingerprint, len(rows), place[of])

    names_of_classes = tuple(str(c) for c in range(int(data.codes.max()) + 1))
    method = TrialAgainstRandom(**{**CHEAP, **more}, seed=seed, measure=measure, held_out_share=0.2)
    return method.run(
        pool,
        Runtime(),
        selections={name: chosen(planted.selections[name]) for name in names},
        features=Features(pool.fingerprint, data.features.values[rows], none),
        labels=Labels(pool.fingerprint, planted.codes[rows].astype(np.int32), names_of_classes, none),
        evaluation=chosen(planted.evaluation) if trusted else None,
    )


def told(report: TrialReport, name: str) -> str:
    """The verdict on one selection: "better", "worse" or "no difference"."""
    found = next(v for v in report.verdicts if v["selection"] == name and not v["grouping"])
    if found["adjusted"] > 0.05:
        return "no difference"
    return "better" if found["gain"] > 0 else "worse"


def rates(verdicts: Sequence[str]) -> list[str]:
    """Shares of "better", "worse" and "no difference"."""
    return [f"{np.mean([v == word for v in verdicts]):.0%}" for word in ("better", "worse", "no difference")]


def classification(benches: Sequence[Bench], trials: int, say: Callable[[str], None]) -> list[list[object]]:
    """Null and planted trials, on clean and dirty pools, measured on clean trusted rows."""
    table: list[list[object]] = []
    for data in benches:
        for kind, make in (("clean, skewed", skewed), ("dirty, 25 % wrong labels", dirty)):
            seeds = range(FIRST_SEED, FIRST_SEED + trials)
            plans = [make(data, np.random.default_rng([seed, 7])) for seed in seeds]
            half = max(2, trials // 2)
            for draws in DRAWS:
                more = {"random_seeds": draws}
                null = [
                    told(trial(data, p, ["random"], seed=seed, **more), "random")
                    for seed, p in zip(seeds, plans, strict=True)
                ]
                table.append([data.name, kind, draws, "one more random draw", trials, *rates(null)])
                found = [
                    trial(data, p, ["good", "bad"], seed=seed, **more)
                    for seed, p in zip(seeds[:half], plans[:half], strict=True)
                ]
                for name in ("good", "bad"):
                    table.append([data.name, kind, draws, name, half, *rates([told(f, name) for f in found])])
            say(f"{data.name}, {kind}: {len(DRAWS)} × ({trials} + {half}) trials")
    return table


def untrusted(data: Bench, trials: int) -> list[list[object]]:
    """The same dirty pools by loss on held-out rows of the pool itself, beside accuracy on trusted rows."""
    table: list[list[object]] = []
    large = dataclasses.replace(data, picked=POOL_PICKED)
    for title, trusted, measure in (("held-out pool rows", False, "loss"), ("trusted rows", True, "accuracy")):
        found = [
            trial(
                large,
                dirty(large, np.random.default_rng([seed, 7])),
                ["good", "bad"],
                seed=seed,
                trusted=trusted,
                measure=measure,
                steps=POOL_STEPS,
            )
            for seed in range(trials)
        ]
        for name in ("good", "bad"):
            row = rates([told(f, name) for f in found])
            gain = float(np.mean([next(v["gain"] for v in f.verdicts if v["selection"] == name) for f in found]))
            shown = f"{gain:+.3f} nats" if measure == "loss" else f"{100 * gain:+.1f} points"
            table.append([data.name, title, name, trials, *row, shown])
    return table


# ---------------------------------------------------------------------- language models


def language(trials: int, folder: Path, say: Callable[[str], None]) -> list[list[object]]:
    """Trials on a tiny language model. Two fifths of the answers are random letters."""
    from curation.core.artifacts import Model

    path = tiny_model(folder)
    verdicts: dict[str, list[str]] = {"random": [], "good": [], "bad": []}
    for seed in range(trials):
        rng = np.random.default_rng([seed, 9])
        pool, wrong, evaluation = planted_texts(rng)
        n = len(pool)
        right = np.setdiff1d(np.flatnonzero(~wrong), evaluation)
        spoilt = np.flatnonzero(wrong)
        rest = np.concatenate([right, spoilt])
        k = 80
        picks = {
            "random": rng.choice(rest, k, replace=False),
            "good": rng.choice(right, k, replace=False),
            "bad": rng.choice(spoilt, k, replace=False),
        }
        model = Model(pool.fingerprint, Missing.none(n), path=str(path), name="tiny", owned=False)
        planted = seed < max(2, trials // 4)
        names = ("random", "good", "bad") if planted else ("random",)
        for name in names:
            # one at a time, so that a verdict stands for itself alone
            report = TrialAgainstRandom(**{**CHEAP, **TINY}, seed=seed).run(
                pool,
                Runtime(),
                selections={name: Selection(pool.fingerprint, n, picks[name])},
                model=model,
                evaluation=Selection(pool.fingerprint, n, evaluation),
            )
            verdicts[name].append(told(report, name))
        if seed % 5 == 0:
            say(f"language model: trial {seed + 1} of {trials}")
    titles = {"random": "one more random draw"}
    return [["tiny language model", titles.get(n, n), len(v), *rates(v)] for n, v in verdicts.items()]


THINGS = ("river", "stone", "cloud", "lamp", "paper", "engine", "bread", "window")
ANSWERS = ("wet", "hard", "high", "bright", "thin", "loud", "warm", "clear")


def planted_texts(rng: np.random.Generator, n: int = 400) -> tuple[Dataset, np.ndarray, np.ndarray]:
    """A pool in which answers follow from questions, or are noise: (pool, bool wrong `[n]`, evaluation rows)."""
    things = rng.integers(len(THINGS), size=n)
    wrong = np.zeros(n, bool)
    wrong[rng.permutation(n)[: round(TEXT_DIRT * n)]] = True
    letters = np.array(list("bcdfghjklmnpqrstvwxz"))
    pairs = [
        (f"{i}: how is the {THINGS[t]}?", "".join(rng.choice(letters, 8)) if bad else f"it is {ANSWERS[t]}")
        for i, (t, bad) in enumerate(zip(things, wrong, strict=True))
    ]
    return from_pairs(pairs, "planted"), wrong, np.flatnonzero(~wrong)[:60]


def tiny_model(folder: Path) -> Path:
    """A random causal language model of about 30,000 parameters with a tokenizer of its own."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
    from transformers.utils import logging

    logging.disable_progress_bar()

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    texts = [f"how is the {t}? it is {a}" for t in THINGS for a in ANSWERS]
    special = ["<|pad|>", "<|bos|>", "<|end|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    bpe.train_from_iterator(
        texts,
        trainers.BpeTrainer(vocab_size=330, special_tokens=special, initial_alphabet=alphabet, show_progress=False),
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        pad_token="<|pad|>",
        bos_token="<|bos|>",
        eos_token="<|end|>",
        chat_template="{% for m in messages %}{{ m['content'] + '<|end|>' }}{% endfor %}",
    )
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=128, pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    torch.manual_seed(0)
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


# ---------------------------------------------------------------------- printing


def markdown(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def main() -> None:
    """Run everything and print it."""
    import tempfile

    import torch

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--banking", type=Path, help="banking77 as CSV with the columns text and category")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the trials to run")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--no-language", action="store_true", help="leave the language-model trials out")
    parser.add_argument("--write", action="store_true", help=f"put the tables into {PAGE.name}")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    began = time.perf_counter()

    def say(text: str) -> None:
        print(f"[{time.perf_counter() - began:5.0f} s] {text}", flush=True)

    def count(trials: int) -> int:
        return max(2, round(trials * args.scale))

    parts: list[str] = []

    def show(*texts: str) -> None:
        parts.extend(texts)
        print("\n\n".join(texts), end="\n\n", flush=True)

    said = ("better", "worse", "no difference")
    benches = [digits(), *([banking(args.banking)] if args.banking else [])]
    show(
        "### Simulated: random against random with known parts of variance",
        f"{count(2000):,} simulated trials a line, 100 evaluation rows.",
        markdown(
            ("variance", "random draws", "training seeds", "false better", "false worse"), simulation(count(2000))
        ),
    )
    say("simulation")
    show(
        "### Trials: a linear head, clean trusted evaluation rows",
        f"{EVALUATION} evaluation rows, 3 training seeds, {DRAWS[0]} random draws, and {DRAWS[1]} (the default). "
        "Wanted: a random draw at most 5 % better, good at least 80 % better, bad at least 80 % worse.",
        markdown(("data", "pool", "draws", "selection", "trials", *said), classification(benches, count(60), say)),
    )
    show(
        "### What nobody vouches for prefers dirt: the dirty digits, measured on the pool itself",
        "Better than random means, on held-out pool rows, that it resembles the pool more. "
        f"{POOL_PICKED} rows, {POOL_STEPS} steps.",
        markdown(("data", "measured on", "selection", "trials", *said, "mean gain"), untrusted(benches[0], count(15))),
    )
    say("untrusted")
    if not args.no_language:
        with tempfile.TemporaryDirectory() as folder:
            rows = language(count(30), Path(folder), say)
        show(
            "### Trials: a tiny language model, two fifths of the answers noise, clean trusted rows",
            markdown(("model", "selection", "trials", *said), rows),
        )
    show(f"Took {(time.perf_counter() - began) / 60:.1f} minutes with {args.threads} threads.")
    text = "\n\n".join(parts)
    if args.write:
        page = PAGE.read_text(encoding="utf-8")
        head, tail = page.split(BEGIN)[0], page.split(END)[1]
        PAGE.write_text(f"{head}{BEGIN}\n{text}\n{END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    main()
