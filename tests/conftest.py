"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.loopback import Loopback

# tests work on a few rows, where a second thread of torch only waits; processes started by tests inherit it
os.environ.setdefault("OMP_NUM_THREADS", "1")
# never the connections of whoever runs the tests: nothing here may ask a server that costs money
os.environ["CURATION_CONNECTIONS"] = str(Path(__file__).with_name("connections.yaml"))

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real datasets; tests that need it skip where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("the real datasets (../shared/data) are not here")
    return SHARED


@pytest.fixture(scope="session")
def demo_file() -> Path:
    """The demo dataset."""
    return Path(__file__).resolve().parents[1] / "assets" / "demo.json"


TINY_CHAT = (
    "{% for m in messages %}{{ '<|' + m['role'] + '|>' + m['content'] + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


@pytest.fixture(scope="session")
def tiny_causal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a random causal language model of 20,000 parameters with a byte-level BPE tokenizer, made here."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    special = ["<|pad|>", "<|bos|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>", "<|tool|>"]
    bpe = _byte_level(special, "a river runs over green stone and the lamp is seven")
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe, pad_token="<|pad|>", bos_token="<|bos|>", eos_token="<|end|>", chat_template=TINY_CHAT
    )
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=24, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=512, pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = LlamaForCausalLM(config)
    folder = tmp_path_factory.mktemp("tiny-causal")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_warmup(tiny_causal: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the tiny causal model after two passes of a warm-up, with its checkpoints."""
    import numpy as np

    from curation.core.artifacts import Missing, Model
    from curation.core.dataset import from_pairs
    from curation.core.runtime import Runtime
    from curation.trainers.warmup import Warmup

    pool = from_pairs([(f"river {i}", f"stone {i % 3}") for i in range(8)])
    base = Model(pool.fingerprint, Missing.none(8), path=str(tiny_causal), name="tiny", seen=np.empty(0, "S16"))
    keep = tmp_path_factory.mktemp("tiny-warmup")
    method = Warmup(epochs=2, batch_rows=4, lora_rank=2, lora_alpha=4, learning_rate=0.01, max_tokens=64)
    return Path(method.train(pool, Runtime(keep=keep), model=base).path)


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a random BERT of 10,000 parameters whose tokenizer cuts words into pieces, made here."""
    import string

    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    letters = [*string.ascii_lowercase, *string.digits, *".,?!'-:$"]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *letters, *(f"##{c}" for c in letters)]
    pieces += ["play", "book", "rain", "song", "table", "##s", "##ing", "the", "for", "now"]
    vocabulary = {piece: i for i, piece in enumerate(dict.fromkeys(pieces))}
    words = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    words.normalizer = normalizers.BertNormalizer()
    words.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    words.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=24, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=64,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = BertModel(config)
    folder = tmp_path_factory.mktemp("tiny-encoder")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _byte_level(special: list[str], text: str = "") -> Any:
    """A byte-level tokenizer of the tokenizers library with the merges of a text."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    bpe.train_from_iterator(
        [text],
        trainers.BpeTrainer(vocab_size=300, special_tokens=special, initial_alphabet=alphabet, show_progress=False),
    )
    return bpe


@pytest.fixture(scope="session")
def tiny_reward(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a random BERT with one output, which reads pairs, as the DeBERTa reward models do."""
    import torch
    from tokenizers.processors import TemplateProcessing
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    bpe = _byte_level(["[PAD]", "[CLS]", "[SEP]"])
    bpe.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe, pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]", model_max_length=512
    )
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=512, num_labels=1, pad_token_id=0, initializer_range=0.5,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = BertForSequenceClassification(config)
    folder = tmp_path_factory.mktemp("tiny-reward")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_t5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a random T5 of one layer with a byte-level tokenizer: the form of UniEval."""
    import torch
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

    bpe = _byte_level(["<pad>", "</s>", "<unk>"])
    bpe.post_processor = TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=1024
    )
    config = T5Config(
        vocab_size=len(tokenizer), d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2, pad_token_id=0,
        eos_token_id=1, decoder_start_token_id=0, initializer_factor=2.0,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = T5ForConditionalGeneration(config)
    folder = tmp_path_factory.mktemp("tiny-t5")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def loopback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Loopback]]:
    """Start a chat server on this machine, and make the connection "judge" mean it.

    Words are those of tests/loopback/script.py (`judge=`, `faults=`, `latency=`, …), and `fields={...}` for those of
    the connection (`concurrency`, `prices`, `structured`, …). The secret of a server with `key=` lies in the variable
    LOOPBACK_KEY.
    """
    running = []

    def start(*, fields: dict[str, Any] | None = None, **script: Any) -> Loopback:
        running.append(server := Loopback(**script))
        words = dict(fields or {})
        if script.get("key"):
            monkeypatch.setenv("LOOPBACK_KEY", script["key"])
            words.setdefault("key", "LOOPBACK_KEY")
        path = server.write_connections(tmp_path / "connections.yaml", **words)
        monkeypatch.setenv("CURATION_CONNECTIONS", str(path))
        return server

    yield start
    for server in running:
        server.close()
