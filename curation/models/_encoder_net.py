"""A transformer encoder with an intent head, a slot head or both, and texts as it reads them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from curation.core.errors import ModelError
from curation.models._folder import AUTO, find_folder, read_json
from curation.models.batching import default_batch_tokens, pad_right, run_batches
from curation.models.pruning import IGNORED

if TYPE_CHECKING:
    import torch

Pooling = Literal["mean", "first"]

_HEADS, _FACTS = "tuned.safetensors", "tuned.json"
_FORMAT = 1


@dataclass(frozen=True)
class EncoderRow:
    """One row as the encoder reads it.

    Args:
        ids: int32 `[T]`, special tokens included, cut at the end.
        first: int32 `[K]`: the place of the first sub-word of each word that was read; empty for plain text.
        words: int32 `[K]`: which word that is; words without sub-words or beyond the cut have none.
        tags: int64 `[K]`: codes, IGNORED = unknown.
        intent: Code, IGNORED = unknown.
        length: Words of the whole row.
    """

    ids: np.ndarray
    first: np.ndarray
    words: np.ndarray
    tags: np.ndarray
    intent: int = IGNORED
    length: int = 0


@dataclass(frozen=True)
class Predicted:
    """What a tuned encoder says of rows.

    Args:
        intents: Names, None without an intent head.
        tags: Names, one list per row and one entry per word; None for words that were not read.
    """

    intents: list[str] | None
    tags: list[list[str | None]] | None


@dataclass
class TunedEncoder:
    """An encoder with heads; make one with `new_encoder` or `load_tuned`.

    Args:
        net: The torch module; `net.backbone` is the transformer.
        tokenizer: Of the transformers package.
        intents: Names of the intents, in the order of the outputs; empty = no intent head.
        tags: Names of the tags; empty = no slot head.
        pooling: Vector that the intent is read from: mean over tokens, or the first token.
        max_tokens: Tokens read of each row, special ones included.
        device: Where it is.
        name: What people call it.
        facts: Plain facts about its making.
    """

    net: Any
    tokenizer: Any
    intents: tuple[str, ...]
    tags: tuple[str, ...]
    pooling: Pooling
    max_tokens: int
    device: str
    name: str
    facts: dict[str, Any] = field(default_factory=dict)

    def encode(
        self,
        texts: Sequence[str] | Sequence[Sequence[str]],
        intents: Sequence[int] | np.ndarray | None = None,
        tags: Sequence[Sequence[int]] | None = None,
    ) -> list[EncoderRow]:
        """Texts, or rows of words, as token ids; each word is scored at its first sub-word.

        Args:
            texts: One string per row, or one list of words per row (needed for slots).
            intents: Code of each row, IGNORED = unknown.
            tags: Codes of each row's words.

        Returns:
            One EncoderRow per row.
        """
        if not texts:
            return []
        split = not isinstance(texts[0], str)
        found = self.tokenizer(
            [list(t) for t in texts] if split else list(texts),
            is_split_into_words=split,
            truncation=True,
            max_length=self.max_tokens,
            return_attention_mask=False,
            return_token_type_ids=False,
        )
        rows = []
        for i, ids in enumerate(found["input_ids"]):
            first, words = _first_places(found.word_ids(i)) if split else (np.empty(0, int), np.empty(0, int))
            known = np.full(len(words), IGNORED, np.int64) if tags is None else np.asarray(tags[i], np.int64)[words]
            intent = IGNORED if intents is None else int(intents[i])
            length = len(texts[i]) if split else 0
            rows.append(
                EncoderRow(
                    np.array(ids, np.int32), first.astype(np.int32), words.astype(np.int32), known, intent, length
                )
            )
        return rows

    def logits(self, rows: Sequence[EncoderRow]) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        """Logits of one batch: of the intents `[b, C]`, of the words `[Σ K, S]` in row order; None without the head."""
        import torch

        ids = torch.from_numpy(pad_right([r.ids for r in rows], self.tokenizer.pad_token_id).astype(np.int64))
        mask = torch.from_numpy(pad_right([np.ones(len(r.ids), np.int64) for r in rows], 0))
        at = np.repeat(np.arange(len(rows)), [len(r.first) for r in rows])
        places = np.concatenate([r.first for r in rows]).astype(np.int64)
        device = self.device
        return self.net(
            ids.to(device), mask.to(device), torch.from_numpy(at).to(device), torch.from_numpy(places).to(device)
        )

    def predict(self, texts: Sequence[str] | Sequence[Sequence[str]]) -> Predicted:
        """The likeliest intent of every row, and the likeliest tag of every word.

        Args:
            texts: Strings, or lists of words where there is a slot head.

        Raises:
            ModelError: a model with a slot head was given plain strings, or one row does not fit into memory.
        """
        import torch

        if self.tags and texts and isinstance(texts[0], str):
            raise ModelError("slots are read word by word, here are whole texts", "give a list of words per row")
        rows = self.encode(texts)
        intents = np.zeros(len(rows), np.int64)
        tags: list[list[str | None]] = [[None] * row.length for row in rows]

        def run(batch: np.ndarray) -> None:
            here = [rows[i] for i in batch]
            with torch.inference_mode():
                intent, slots = self.logits(here)
            if intent is not None:
                intents[batch] = intent.argmax(dim=1).cpu().numpy()
            if slots is not None:
                best = iter(slots.argmax(dim=1).cpu().tolist())
                for i, row in zip(batch, here, strict=True):
                    for word in row.words:
                        tags[i][int(word)] = self.tags[next(best)]

        self.net.eval()
        run_batches([len(r.ids) for r in rows], default_batch_tokens(self.device), run, device=self.device)
        return Predicted([self.intents[i] for i in intents] if self.intents else None, tags if self.tags else None)

    def save(self, folder: Path) -> None:
        """Write config, weights and tokenizer, safetensors and JSON only."""
        from safetensors.torch import save_file

        folder.mkdir(parents=True, exist_ok=True)
        self.net.backbone.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
        heads = {n: p.detach().cpu().contiguous() for n, p in self.net.named_parameters() if not _of_backbone(n)}
        save_file(heads, folder / _HEADS)
        facts = {
            "format": _FORMAT,
            "intents": list(self.intents),
            "tags": list(self.tags),
            "pooling": self.pooling,
            "max_tokens": self.max_tokens,
            "name": self.name,
            "facts": self.facts,
        }
        (folder / _FACTS).write_text(json.dumps(facts, ensure_ascii=False, indent=1), encoding="utf-8")


def _of_backbone(name: str) -> bool:
    return name.startswith("backbone.")


def _first_places(word_ids: Sequence[int | None]) -> tuple[np.ndarray, np.ndarray]:
    """Places of the first sub-words, and the words they begin."""
    first, words, last = [], [], None
    for place, word in enumerate(word_ids):
        if word is not None and word != last:
            first.append(place)
            words.append(word)
        last = word
    return np.array(first, np.int64), np.array(words, np.int64)


def digest_of(rows: Sequence[EncoderRow]) -> str:
    """Hex digest of rows with their labels, so that a checkpoint of other rows is not taken up."""
    digest = hashlib.blake2b(digest_size=16)
    for row in rows:
        digest.update(np.array([len(row.ids), len(row.first), row.intent], np.int64).tobytes())
        for part in (row.ids, row.first, row.tags):
            digest.update(part.tobytes())
    return digest.hexdigest()


# ---------------------------------------------------------------------- making and loading


def new_encoder(
    source: str,
    *,
    intents: Sequence[str] = (),
    tags: Sequence[str] = (),
    pooling: Pooling = "mean",
    max_tokens: int = 128,
    dropout: float = 0.1,
    fresh_layers: int = 0,
    seed: int = 0,
    device: str = "cpu",
    revision: str = AUTO,
) -> TunedEncoder:
    """A pre-trained encoder in float32 with new heads.

    Args:
        source: "packaged", a folder, or a Hugging Face name.
        intents: Names of the intents; at least two, or none for no intent head.
        tags: Names of the tags; at least two, or none for no slot head.
        pooling: See TunedEncoder.
        max_tokens: Tokens read of each row; never more than the model has positions for.
        dropout: Of the heads' inputs while training.
        fresh_layers: How many of the last layers begin anew instead of pre-trained.
        seed: Of the heads' and the fresh layers' first weights.
        device: Where to put it.
        revision: See `find_folder`.

    Raises:
        ModelError: the model cannot be had or is no encoder, or there is nothing to predict.
    """
    import torch

    if not intents and not tags:
        raise ModelError("there is neither an intent nor a tag to learn", "give labels, or a field with tags")
    for what, names in (("intent", intents), ("tag", tags)):
        if len(names) == 1:
            raise ModelError(f"every row has the same {what}, '{names[0]}'", "name a field with different values")
    place = _transformer_folder(find_folder(source, revision))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # a pooler that the files lack is drawn at random, though nothing reads it
        backbone, tokenizer = _load(place, source)
        torch.manual_seed(seed)
        if fresh_layers:
            _begin_anew(backbone, fresh_layers)
        net = _net_class()(backbone, len(intents), len(tags), pooling, dropout)
    most = _positions(backbone.config, tokenizer)
    made = TunedEncoder(
        net.to(device), tokenizer, tuple(intents), tuple(tags), pooling, min(max_tokens, most), device, source
    )
    made.facts = {
        "source": source, "revision": revision, "fresh_layers": fresh_layers, "dropout": dropout, "seed": seed,
    }  # fmt: skip
    return made


def load_tuned(folder: str | Path, device: str = "cpu") -> TunedEncoder:
    """Read back what `TunedEncoder.save` wrote, in eval mode.

    Raises:
        ModelError: there is no such model in the folder, or it is not whole.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    place = Path(folder)
    facts = read_json(place / _FACTS)
    if not isinstance(facts, dict) or facts.get("format") != _FORMAT:
        raise ModelError(f"'{place}' holds no tuned encoder", "give the folder of a model made by trainer/encoder")
    backbone, tokenizer = _load(place, str(place))
    net = _net_class()(backbone, len(facts["intents"]), len(facts["tags"]), facts["pooling"], 0.0)
    hint = "train it again with trainer/encoder"
    try:
        found = net.load_state_dict(load_file(place / _HEADS), strict=False)
    except (OSError, RuntimeError, SafetensorError) as problem:
        raise ModelError(f"the heads in '{place}' cannot be read: {problem}", hint) from problem
    wrong = [*found.unexpected_keys, *(name for name in found.missing_keys if not _of_backbone(name))]
    if wrong:
        raise ModelError(f"the heads in '{place}' are not those of its {_FACTS}: {', '.join(wrong)}", hint)
    net.to(device).eval()
    return TunedEncoder(
        net, tokenizer, tuple(facts["intents"]), tuple(facts["tags"]), facts["pooling"], facts["max_tokens"], device,
        facts["name"], facts["facts"],
    )  # fmt: skip


def _transformer_folder(folder: Path) -> Path:
    """Where the transformer of a sentence-transformers model lies: in the folder or in one of its sub-folders."""
    modules = read_json(folder / "modules.json")
    return folder / str(modules[0].get("path", "")) if isinstance(modules, list) and modules else folder


def _load(folder: Path, name: str) -> tuple[Any, Any]:
    import torch
    from transformers import AutoConfig, AutoModel, AutoTokenizer
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        if getattr(config, "is_encoder_decoder", False) or getattr(config, "is_decoder", False):
            raise ModelError(f"'{name}' is no encoder", "choose an encoder such as BERT, RoBERTa or MiniLM")
        backbone, report = AutoModel.from_pretrained(
            folder, config=config, trust_remote_code=False, use_safetensors=True, dtype=torch.float32,
            output_loading_info=True,
        )  # fmt: skip
        # byte-level tokenizers read words one by one only when each begins with a blank; others ignore it
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, add_prefix_space=True)
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(
            f"the model '{name}' cannot be loaded: {str(error).splitlines()[0]}", "choose a Hugging Face encoder"
        ) from error
    # transformers draws what is missing at random; only the pooler may be missing, since nothing reads it here
    lacking = sorted(key for key in report["missing_keys"] if not key.startswith("pooler."))
    if lacking:
        raise ModelError(
            f"the files of '{name}' lack {len(lacking):,} weights, such as {lacking[0]}",
            "choose an encoder whose weights fit its config.json",
        )
    if tokenizer.pad_token_id is None or not tokenizer.is_fast:
        raise ModelError(f"the tokenizer of '{name}' does not pad, or is not a fast one", "choose another encoder")
    return backbone, tokenizer


def _positions(config: Any, tokenizer: Any) -> int:
    """Tokens that the model reads at most, with some kept for the offset that RoBERTa's positions have."""
    positions = getattr(config, "max_position_embeddings", None)
    offset = 2 if getattr(config, "model_type", "") in ("roberta", "xlm-roberta", "camembert") else 0
    found = [int(positions) - offset] if positions else []
    limit = int(min(tokenizer.model_max_length, 1 << 30))
    return min([*found, limit])


def _begin_anew(backbone: Any, count: int) -> None:
    """Give the last `count` layers the weights of an untrained model of the same configuration."""
    import torch
    from transformers import AutoModel

    total = int(backbone.config.num_hidden_layers)
    fresh = AutoModel.from_config(backbone.config)
    lists = [
        (mine, new)
        for mine, new in zip(backbone.modules(), fresh.modules(), strict=True)
        if isinstance(mine, torch.nn.ModuleList) and len(mine) == total
    ]
    if not lists or count > total:
        raise ModelError(f"this model has no {count} layers of its own to begin anew", "set fresh_layers to 0")
    mine, new = lists[0]
    for i in range(total - count, total):
        mine[i].load_state_dict(new[i].state_dict())


def _net_class() -> Any:
    """The module's class; made in a function since torch is imported in functions only."""
    from torch import nn

    class Net(nn.Module):
        def __init__(self, backbone: Any, intents: int, tags: int, pooling: Pooling, dropout: float) -> None:
            super().__init__()
            self.backbone, self.pooling = backbone, pooling
            width = int(backbone.config.hidden_size)
            self.dropout = nn.Dropout(dropout)
            self.intent = nn.Linear(width, intents) if intents else None
            self.slots = nn.Linear(width, tags) if tags else None

        def forward(
            self, ids: torch.Tensor, mask: torch.Tensor, rows: torch.Tensor, places: torch.Tensor
        ) -> tuple[torch.Tensor | None, torch.Tensor | None]:
            hidden = self.backbone(input_ids=ids, attention_mask=mask).last_hidden_state
            intent = slots = None
            if self.intent is not None:
                if self.pooling == "first":
                    pooled = hidden[:, 0]
                else:
                    weight = mask[..., None].to(hidden.dtype)
                    pooled = (hidden * weight).sum(dim=1) / weight.sum(dim=1)
                intent = self.intent(self.dropout(pooled))
            if self.slots is not None:
                slots = self.slots(self.dropout(hidden[rows, places]))
            return intent, slots

    return Net
