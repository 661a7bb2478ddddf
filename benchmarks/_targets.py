"""Task families in a mixed pool, and the recipe that looks for each from ten examples; for `evidence_targets.py`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

FILES = ("t0_tasks.jsonl", "alpaca_9k.json", "gsm8k_7k.json")
MADE_OF: dict[str, tuple[str, ...]] = {
    "sentiment": ("amazon_polarity", "app_reviews", "imdb", "rotten_tomatoes", "yelp_review_full"),
    "paraphrase": ("glue_mrpc", "glue_qqp", "paws_labeled_final"),
    "topic": ("ag_news", "dbpedia_14", "trec"),
    "common_gen": ("common_gen",),
}
"""Family → beginnings of `template`: the data sets of P3 that ask for the same kind of answer."""
ARITHMETIC = "gsm8k"
END = "<|endoftext|>"
FAMILIES = (*MADE_OF, ARITHMETIC)
LEARNT_FROM = 0.3
"""Share of the pool that scratch is pre-trained on; no method may pick from it."""
TRIED = ("less", "rds", "rdsplus", "sentence", "bm25", "bayes")
"""Methods that are trained on: as many as a trial takes."""
TITLES = {
    "less": "LESS",
    "lesscode": "LESS, mean of cosines",
    "gradients": "gradient features, queries in turn",
    "rds": "RDS: last token, best cosine",
    "rdsplus": "RDS+: weighted states, queries in turn",
    "sentence": "sentence embeddings, queries in turn",
    "bm25": "BM25, best query",
    "bayes": "bayes-logdet towards the queries",
}


@dataclass(frozen=True)
class Sizes:
    """How large the run is.

    Args:
        rows: In the pool, of each file as many as its share of the rows that are short enough.
        chars: Of a row at most; longer ones are left out.
        max_tokens: That the language model reads of a row.
        examples: Rows that say what is wanted.
        held_out: Other rows of the family, on which the trial measures.
        budget: Share of the rows that may be picked.
        training_tokens: That scratch is pre-trained on.
        layers: Of scratch.
        model_width: Of scratch.
        vocabulary: Of scratch.
        passes: Of the warm-up; each leaves a checkpoint.
        width: Numbers that a gradient is projected to.
        steps: Of every training of a trial.
        seeds: Trainings on every selection.
        random_seeds: Trainings on random rows.
        seed: Of all draws.
    """

    rows: int = 1500
    chars: int = 500
    max_tokens: int = 256
    examples: int = 10
    held_out: int = 40
    budget: float = 0.05
    training_tokens: int = 150_000
    layers: int = 2
    model_width: int = 128
    vocabulary: int = 2048
    passes: int = 3
    width: int = 1024
    steps: int = 8
    seeds: int = 3
    random_seeds: int = 5
    seed: int = 0


# ---------------------------------------------------------------------- data


def family_of(record: dict[str, Any]) -> str:
    """The family that a record's template says, "" for none. Rows of gsm8k have no template: their file says it."""
    template = record.get("template", "")
    return next((name for name, starts in MADE_OF.items() if template.startswith(starts)), "")


def answer_of(record: dict[str, Any]) -> str:
    """The response, without the mark of the end that t0_tasks has; some of its rows are nothing but the mark."""
    answer: str = record.get("completion", record.get("output", ""))
    return answer.removesuffix(END).strip()


def records_of(path: Path) -> list[dict[str, Any]]:
    """Records of a JSON list or of lines of JSON."""
    text = path.read_text("utf-8")
    found: list[dict[str, Any]] = (
        json.loads(text) if path.suffix == ".json" else [json.loads(line) for line in text.split("\n") if line]
    )
    return found


def cut(source: Path, folder: Path, sizes: Sizes) -> tuple[list[Path], dict[str, tuple[Path, Path]]]:
    """Write the pool's files, and of every family its examples and its held-out rows.

    A row that is the same as an example or a held-out row is not in the pool.

    Returns:
        Files of the pool; family → files of its examples and of its held-out rows.
    """
    folder.mkdir(parents=True, exist_ok=True)
    short = {name: _short(source / name, sizes) for name in FILES}
    every = sum(map(len, short.values()))
    pool, apart = [], {}
    for name, records in short.items():
        taken: set[tuple[str, ...]] = set()
        for family, ends in _ends(name, records, sizes).items():
            apart[family] = (folder / f"{family}-examples.json", folder / f"{family}-held-out.json")
            for file, part in zip(apart[family], ends, strict=True):
                taken.update(map(_texts, part))
                file.write_text(json.dumps(part), "utf-8")
        rest = [record for record in records if _texts(record) not in taken]
        pool.append(folder / f"{Path(name).stem}.json")
        pool[-1].write_text(json.dumps(rest[: round(sizes.rows * len(records) / every)]), "utf-8")
    return pool, apart


def _short(path: Path, sizes: Sizes) -> list[dict[str, Any]]:
    """Records that have a response and are not too long, no two alike, in a random order."""
    records = {_texts(r): r for r in records_of(path) if answer_of(r)}
    found = [record for texts, record in records.items() if sum(map(len, texts)) <= sizes.chars]
    return [found[i] for i in np.random.default_rng(sizes.seed).permutation(len(found))]


def _ends(name: str, records: list[dict[str, Any]], sizes: Sizes) -> dict[str, tuple[list[Any], list[Any]]]:
    """Family → its examples and its held-out rows, from the end of the file: the pool is drawn from its beginning."""
    of = [ARITHMETIC if name.startswith(ARITHMETIC) else family_of(record) for record in records]
    found = {}
    for family in (f for f in FAMILIES if f in of):
        last = [r for r, its in zip(records, of, strict=True) if its == family][-sizes.examples - sizes.held_out :]
        found[family] = (last[: sizes.examples], last[sizes.examples :])
    return found


def _texts(record: dict[str, Any]) -> tuple[str, ...]:
    return tuple(str(value) for name, value in record.items() if name != "template")


def members(sources: list[str], records: Callable[[], Any]) -> np.ndarray:
    """The family of every row of the pool, "" for none; text `[n]`."""
    return np.array(
        [ARITHMETIC if s.startswith(ARITHMETIC) else family_of(r) for s, r in zip(sources, records(), strict=True)],
        object,
    )


# ---------------------------------------------------------------------- recipe


def recipe_of(sizes: Sizes) -> dict[str, Any]:
    """Everything in one recipe: what families share is computed once."""
    read = {"max_tokens": sizes.max_tokens}
    model = {"model": "$base"}
    fresh = {"on": "$pool", "within": "$fresh"}
    gradients = {"use": "encoder/gradients", **model, "warmup": "$warm", "width": sizes.width, **read}
    steps: dict[str, Any] = {
        "split": {"use": "labeller/split", "on": "$pool", "share": LEARNT_FROM, "seed": sizes.seed},
        "learnt": {"use": "selector/where", "labels": "$split", "values": ["held-out"]},
        "fresh": {"use": "selector/where", "labels": "$split", "values": ["train"]},
        "base": {
            "use": "trainer/base", "on": "$pool", "within": "$learnt", "share": 0.95, "seed": sizes.seed,
            "training_tokens": sizes.training_tokens, "layers": sizes.layers, "width": sizes.model_width,
            "vocabulary": sizes.vocabulary, "window": sizes.max_tokens,
        },
        "sample": {"use": "selector/random", "on": "$pool", "within": "$fresh", "budget": "20%", "seed": sizes.seed},
        "warm": {
            "use": "trainer/warmup", "on": "$pool", **model, "within": "$sample", "epochs": sizes.passes,
            "batch_rows": 16, "lora_rank": 8, "lora_alpha": 32, **read,
        },
        "rows-gradients": {**gradients, **fresh},
        "rows-last": {"use": "encoder/hidden", **fresh, **model, "pooling": "last", **read},
        "rows-weighted": {"use": "encoder/hidden", **fresh, **model, "pooling": "weighted", **read},
        "rows-sentence": {"use": "encoder/sentence", **fresh, "text": "both"},
    }  # fmt: skip
    chosen = {"within": "$fresh", "budget": f"{100 * sizes.budget:g}%"}
    for seed in range(3):
        steps[f"random-{seed}"] = {"use": "selector/random", "on": "$pool", "seed": seed, **chosen}
    for family in FAMILIES:
        steps |= _steps_of(family, gradients, read, model, chosen)
    for family in FAMILIES:
        steps[f"trial-{family}"] = {
            "use": "trial", "on": "$pool", **model, "evaluation_file": f"${family}-held-out",
            "selections": {name: f"${name}-{family}" for name in TRIED},
            "steps": sizes.steps, "seeds": sizes.seeds, "random_seeds": sizes.random_seeds, "length_matched": 0,
            "full": False, "evaluation_rows": sizes.held_out, "seed": sizes.seed, **read,
        }  # fmt: skip
    files = [f"{family}-{what}" for family in FAMILIES for what in ("examples", "held-out")]
    inputs = {"pool": "Dataset", **dict.fromkeys(files, "Dataset")}
    return {"inputs": inputs, "steps": steps, "result": f"$trial-{FAMILIES[-1]}"}


def _steps_of(
    family: str, gradients: dict[str, Any], read: dict[str, Any], model: dict[str, Any], chosen: dict[str, Any]
) -> dict[str, Any]:
    """What is looked for with one family's examples."""
    on = f"${family}-examples"
    hidden = {"use": "encoder/hidden", "on": on, **model, **read}
    less = {"use": "scorer/less", "features": "$rows-gradients", "target_features": f"$aim-gradients-{family}"}
    turns = {"use": "selector/rds", "aggregate": "round-robin", **chosen}
    top = {"use": "selector/top-k", "keep": "highest", **chosen}
    return {
        f"aim-gradients-{family}": {**gradients, "on": on, "direction": "sgd"},
        f"aim-last-{family}": {**hidden, "pooling": "last"},
        f"aim-weighted-{family}": {**hidden, "pooling": "weighted"},
        f"aim-sentence-{family}": {"use": "encoder/sentence", "on": on, "text": "both"},
        f"influence-{family}": {**less, "aggregate": "cos_mean"},
        f"influence-code-{family}": {**less, "aggregate": "mean_cos"},
        f"words-{family}": {"use": "scorer/bm25", "on": "$pool", "target": on},
        f"less-{family}": {**top, "score": f"$influence-{family}"},
        f"lesscode-{family}": {**top, "score": f"$influence-code-{family}"},
        f"gradients-{family}": {**turns, "features": "$rows-gradients", "queries": f"$aim-gradients-{family}"},
        f"rds-{family}": {**turns, "features": "$rows-last", "queries": f"$aim-last-{family}", "aggregate": "max"},
        f"rdsplus-{family}": {**turns, "features": "$rows-weighted", "queries": f"$aim-weighted-{family}"},
        f"sentence-{family}": {**turns, "features": "$rows-sentence", "queries": f"$aim-sentence-{family}"},
        f"bm25-{family}": {**top, "score": f"$words-{family}"},
        f"bayes-{family}": {
            "use": "selector/bayes-logdet", "features": "$rows-sentence", "queries": f"$aim-sentence-{family}",
            **chosen,
        },
    }  # fmt: skip
