"""DEITA's published scorers: causal models that say a digit from 1 to 6 after a fixed prompt."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from curation.core.errors import ModelError
from curation.models.causal import CausalLM
from curation.models.generation import Continuation, Prompt, go_on, text_window

COMPLEXITY_MODEL = "hkust-nlp/deita-complexity-scorer"
QUALITY_MODEL = "hkust-nlp/deita-quality-scorer"
DIGITS = ("1", "2", "3", "4", "5", "6")
TOO_LONG = "longer than the scorer reads"

# The input format that the checkpoints were trained on, blanks and signs included; another wording is another model.
# Source: hkust-nlp/deita, src/deita/selection/scorer/llama_scorer.py.
COMPLEXITY_INPUT = (
    "You are a helpful assistant. Please identify the complexity score of the following user query. "
    "\n##Query: {question}  \n##Complexity: "
)
QUALITY_INPUT = (
    "You are a helpful assistant. Please identify the quality score of the Response corresponding to the Question. "
    "\n #Question#:\n{question}\n#Response#:\n{answer} \n##Quality: "
)


def complexity_input(question: str) -> str:
    """What the complexity scorer reads."""
    return COMPLEXITY_INPUT.replace("{question}", question)


def quality_input(question: str, answer: str) -> str:
    """What the quality scorer reads."""
    before, _, rest = QUALITY_INPUT.partition("{question}")
    between, _, after = rest.partition("{answer}")
    return f"{before}{question}{between}{answer}{after}"


def expected_digit(logits: np.ndarray) -> np.ndarray:
    """Expected score `Σ k softmax(z)_k` over k = 1 … 6, float64 `[n]` in [1, 6].

    Args:
        logits: float64 `[n, 6]`, logits or log-probabilities of the digits; adding a number to a row changes nothing.
    """
    logits = np.asarray(logits, np.float64)
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return (shifted / shifted.sum(axis=-1, keepdims=True)) @ np.arange(1.0, 7.0)


def digit_ids(lm: CausalLM) -> tuple[int, ...]:
    """The tokens "1" to "6" of a model, as they follow the blank at the end of the prompt.

    Raises:
        ModelError: if the tokenizer has not all of them, so that no expected score can be had.
    """
    found = []
    for digit in DIGITS:
        token = lm.tokenizer.convert_tokens_to_ids(digit)
        if token is None or token == lm.tokenizer.unk_token_id:
            raise ModelError(f"the tokenizer of '{lm.name}' has no token '{digit}'", "name a scorer in DEITA's form")
        found.append(int(token))
    return tuple(found)


def checkpoint_scores(
    lm: CausalLM,
    texts: Sequence[str],
    *,
    batch_tokens: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[np.ndarray, list[str]]:
    """What a scorer says of texts in its input format.

    One pass over each text; in fp32 a text's score does not depend on those beside it (to 1e-4).

    Args:
        lm: The scorer.
        texts: From `complexity_input` or `quality_input`.
        batch_tokens: See `go_on`.
        progress: Called with (texts done, texts).

    Returns:
        float64 `[n]` in [1, 6], NaN where there is none; and for each text why, "" where there is one.

    Raises:
        ModelError: see `digit_ids` and `go_on`.
    """
    watched, window = digit_ids(lm), text_window(lm)
    encoded = [np.array(lm.tokenizer(text, verbose=False)["input_ids"], np.int64) for text in texts]
    readable = [i for i, ids in enumerate(encoded) if len(ids) < window]
    values = np.full(len(texts), np.nan)
    done = 0

    def note(k: int, made: Continuation) -> None:
        nonlocal done
        values[readable[k]] = expected_digit(made.watched)
        done += 1
        if progress is not None:
            progress(done, len(readable))

    go_on(lm, [Prompt(encoded[i], watched=watched) for i in readable], batch_tokens=batch_tokens, done=note)
    return values, ["" if np.isfinite(value) else TOO_LONG for value in values]
