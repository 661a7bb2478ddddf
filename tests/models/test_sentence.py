"""Encoders: the packaged one and tiny random ones, against sentence-transformers' own encode."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from curation.core.errors import ModelError
from curation.models import _backbone, sentence
from curation.models._folder import find_folder, known_languages, packaged_folder, revision_of
from curation.models.sentence import load_encoder, resolve_precision

TEXTS = [
    "Name three primary colours.",
    "Red, yellow and blue.",
    "",
    "What is the capital of France?\n\nParis.",
    "Long rows are split. " * 100,
    "Red, yellow and blue.",
    "x",
    "Explain photosynthesis to a child in two sentences, then give one example of a plant that everyone knows.",
]
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "red", "green", "blue", "two", "words", *"abcdefghijklmnopqrstuvwxyz"]


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def tiny_model(folder: Path, pooling: str = "mean", *, unit: bool = True, dense: int = 0, prompt: str = "") -> Path:
    """A random BERT of two layers with the given modules behind it, saved as sentence-transformers does."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    torch.manual_seed(0)
    plain = folder / "plain"
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=16,
    )
    BertModel(config).save_pretrained(plain)
    (plain / "vocab.txt").write_text("\n".join(WORDS))
    BertTokenizerFast(str(plain / "vocab.txt"), model_max_length=16).save_pretrained(plain)
    first = Transformer(str(plain), max_seq_length=16)
    modules = [first, Pooling(32, pooling)]
    if dense:
        modules.append(Dense(32, dense))
    if unit:
        modules.append(Normalize())
    more = {"prompts": {"all": prompt}, "default_prompt_name": "all"} if prompt else {}
    SentenceTransformer(modules=modules, device="cpu", **more).save(str(folder / "model"), create_model_card=False)
    return folder / "model"


def reference(folder: Path, texts: list[str]) -> np.ndarray:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder), device="cpu").encode(texts)


@pytest.fixture(scope="module")
def exact() -> sentence.SentenceEncoder:
    return load_encoder(precision="fp32")


# ---------------------------------------------------------------------- the packaged model


def test_it_equals_sentence_transformers(exact):
    made = exact.encode(TEXTS, overflow="truncate")
    np.testing.assert_allclose(made.vectors, reference(packaged_folder(), TEXTS), atol=1e-5)
    assert made.vectors.dtype == np.float32
    assert made.cut.tolist() == [False] * 4 + [True] + [False] * 3
    assert made.overlong == 1


def test_half_precision_stays_close(exact):
    half = load_encoder(precision="bf16").encode(TEXTS).vectors
    assert cosines(half, exact.encode(TEXTS).vectors).min() > 0.999


def test_a_row_does_not_depend_on_its_batch(exact):
    together = exact.encode(TEXTS).vectors
    alone = np.vstack([exact.encode([text]).vectors for text in TEXTS])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_openvino_and_torch_agree(exact, monkeypatch):
    pytest.importorskip("openvino")
    assert exact.route == "openvino"
    monkeypatch.setattr(sentence, "openvino_installed", lambda: False)
    plain = sentence._load.__wrapped__("packaged", "cpu", "fp32", "auto")
    assert plain.route == "torch"
    np.testing.assert_allclose(plain.encode(TEXTS).vectors, exact.encode(TEXTS).vectors, atol=1e-5)


def test_equal_texts_get_equal_vectors_and_are_encoded_once(exact, monkeypatch):
    seen: list[int] = []
    real = exact._encode_ids
    monkeypatch.setattr(exact, "_encode_ids", lambda ids, *rest: seen.append(len(ids)) or real(ids, *rest))
    vectors = exact.encode(["one", "two", "one", "one"]).vectors
    assert seen == [2]
    assert (vectors[0] == vectors[2]).all()
    assert (vectors[0] == vectors[3]).all()
    assert not np.allclose(vectors[0], vectors[1])


def test_no_texts_make_no_vectors(exact):
    assert exact.encode([]).vectors.shape == (0, 384)


def test_progress_ends_at_the_total(exact):
    told: list[tuple[int, int]] = []
    exact.encode(TEXTS, progress=lambda done, total: told.append((done, total)))
    assert told[-1][0] == told[-1][1]
    assert [d for d, _ in told] == sorted(d for d, _ in told)


def test_the_packaged_model_knows_english_only():
    assert known_languages() == {"en"}
    assert known_languages("all-MiniLM-L6-v2") == {"en"}


def test_loading_is_done_once_per_process(exact):
    assert load_encoder(precision="fp32") is exact


def test_nothing_is_written_to_the_home_folder_and_no_telemetry_is_loaded(tmp_path):
    pytest.importorskip("openvino")
    code = (
        "from curation.models.sentence import load_encoder\n"
        "import sys\n"
        "encoder = load_encoder()\n"
        "assert encoder.encode(['a text']).vectors.shape == (1, 384)\n"
        "assert encoder.route == 'openvino', encoder.route\n"
        "assert not any(name.startswith('openvino_telemetry.') for name in sys.modules)\n"
    )
    environment = {**os.environ, "HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, cwd=Path(__file__).parents[2])
    left = [p for p in tmp_path.rglob("*") if p.is_file() and "numba" not in str(p)]
    assert left == []


# ---------------------------------------------------------------------- windows


def test_windows_average_their_parts_by_tokens(tmp_path):
    folder = tiny_model(tmp_path, "mean", unit=False)
    encoder = load_encoder(str(folder), precision="fp32")
    letters = [*"abcdefghijklmnopqrstuvwxyzabcd"]  # 30 tokens, of which 14 fit
    made = encoder.encode([" ".join(letters), "red green"])
    parts = np.array_split(np.array(letters), 3)
    vectors = reference(folder, [" ".join(part) for part in parts])
    expected = np.average(vectors, axis=0, weights=[len(part) for part in parts])
    np.testing.assert_allclose(made.vectors[0], expected, atol=1e-5)
    assert made.windows.tolist() == [3, 1]
    assert made.tokens.tolist() == [30, 2]
    assert not made.cut.any()
    assert made.overlong == 1


def test_windows_of_a_model_with_unit_vectors_have_unit_length(tmp_path):
    encoder = load_encoder(str(tiny_model(tmp_path)), precision="fp32")
    made = encoder.encode(["a b c d e f g h " * 9, "red"])
    np.testing.assert_allclose(np.linalg.norm(made.vectors, axis=1), 1, atol=1e-6)
    assert made.windows.tolist() == [6, 1]


# ---------------------------------------------------------------------- other models


@pytest.mark.parametrize(
    ("pooling", "unit", "dense"),
    [("mean", True, 0), ("cls", True, 0), ("max", False, 0), ("cls", True, 8), ("lasttoken", False, 0)],
)
def test_the_models_own_modules_decide(tmp_path, pooling, unit, dense):
    folder = tiny_model(tmp_path, pooling, unit=unit, dense=dense)
    encoder = load_encoder(str(folder), precision="fp32")
    texts = ["red green blue", "two words", "a b c d e f g h i j k l m n o p q r s", ""]
    made = encoder.encode(texts, overflow="truncate").vectors
    np.testing.assert_allclose(made, reference(folder, texts), atol=1e-5)
    assert encoder.unit == unit
    assert encoder.dims == (dense or 32)
    assert encoder.route in ("openvino", "torch")


def test_a_model_with_a_prompt_is_run_by_sentence_transformers_itself(tmp_path, caplog):
    folder = tiny_model(tmp_path, prompt="red ")
    with caplog.at_level(logging.WARNING):
        encoder = load_encoder(str(folder), precision="fp32")
    assert encoder.route == "sentence-transformers"
    assert "prompt" in caplog.text
    made = encoder.encode(["green blue", "a b c d e f g h i j k l m n o p q r s", "green blue"])
    np.testing.assert_allclose(
        made.vectors[:2], reference(folder, ["green blue", "a b c d e f g h i j k l m n o"]), atol=1e-5
    )
    assert made.cut.tolist() == [False, True, False]
    assert "1 rows were cut" in caplog.text


def test_a_compiled_model_that_differs_is_not_used(tmp_path, caplog, monkeypatch):
    pytest.importorskip("openvino")
    monkeypatch.setattr(sentence.SentenceEncoder, "_agreement", lambda *args: 0.5)
    with caplog.at_level(logging.WARNING):
        encoder = load_encoder(str(tiny_model(tmp_path)), precision="fp32")
    assert encoder.route == "torch"
    assert "differ" in caplog.text


def test_batches_shrink_when_memory_does_not_suffice(tmp_path, monkeypatch):
    encoder = load_encoder(str(tiny_model(tmp_path)), precision="fp32")
    texts = [" ".join(WORDS[9 : 9 + i]) for i in range(1, 14)] * 2
    expected = encoder.encode(texts).vectors
    real = encoder._backbone.hidden

    def limited(stream):
        for batch in stream:
            if batch["input_ids"].size > 40:
                raise _backbone.OutOfMemory
            yield from real(iter([batch]))

    monkeypatch.setattr(encoder._backbone, "hidden", limited)
    np.testing.assert_allclose(encoder.encode(texts).vectors, expected, atol=1e-5)
    assert encoder._batch_ids <= 40


def test_a_row_that_never_fits_is_an_error(tmp_path, monkeypatch):
    encoder = load_encoder(str(tiny_model(tmp_path)), precision="fp32")

    def never(stream):
        raise _backbone.OutOfMemory
        yield

    monkeypatch.setattr(encoder._backbone, "hidden", never)
    with pytest.raises(ModelError, match="does not fit into the memory"):
        encoder.encode(["red green"])


@pytest.mark.parametrize(
    "text", ["CUDA out of memory. Tried", "DefaultCPUAllocator: can't allocate memory", "std::bad_alloc"]
)
def test_out_of_memory_is_recognised(text):
    with pytest.raises(_backbone.OutOfMemory):
        _backbone.raise_if_out_of_memory(RuntimeError(text))


def test_vectors_that_are_not_finite_are_an_error(tmp_path, monkeypatch):
    encoder = load_encoder(str(tiny_model(tmp_path)), precision="fp32")
    monkeypatch.setattr(encoder, "_finish", lambda hidden, lengths: np.full((len(lengths), 32), np.nan))
    with pytest.raises(ModelError, match="not finite"):
        encoder.encode(["red"])


# ---------------------------------------------------------------------- what is refused


def test_pickled_weights_are_refused(tmp_path):
    folder = tiny_model(tmp_path)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match="pickled"):
        load_encoder(str(folder))


def test_pickled_weights_of_a_later_module_are_refused(tmp_path):
    folder = tiny_model(tmp_path, dense=8)
    (folder / "2_Dense" / "model.safetensors").rename(folder / "2_Dense" / "pytorch_model.bin")
    with pytest.raises(ModelError, match="pickled"):
        load_encoder(str(folder))


@pytest.mark.parametrize(("field", "value"), [("type", "custom_code.Module"), ("path", "../elsewhere")])
def test_modules_from_elsewhere_are_refused(tmp_path, field, value):
    folder = tiny_model(tmp_path)
    modules = json.loads((folder / "modules.json").read_text())
    modules[0][field] = value
    (folder / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(ModelError, match="code of its own|outside its folder"):
        load_encoder(str(folder))


def test_a_folder_without_a_model_and_a_missing_one_are_errors(tmp_path):
    with pytest.raises(ModelError, match="holds no model"):
        load_encoder(str(tmp_path))
    with pytest.raises(ModelError, match="there is no folder"):
        load_encoder("/no/such/folder")


def test_broken_weights_are_an_error(tmp_path):
    folder = tiny_model(tmp_path)
    (folder / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_encoder(str(folder))


def test_weights_that_changed_since_the_recipe_are_an_error(tmp_path):
    folder = tiny_model(tmp_path)
    before = revision_of(str(folder))
    assert find_folder(str(folder), before) == folder
    weights = bytearray((folder / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (folder / "model.safetensors").write_bytes(weights)
    assert revision_of(str(folder)) != before
    with pytest.raises(ModelError, match="was made with"):
        find_folder(str(folder), before)


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        ("---\nlanguage: de\n---\n", {"de"}),
        ("---\nlanguage:\n- en\n- zh\n- no\n---\n", {"en", "zh", "no"}),
        ("---\nlanguage: multilingual\n---\n", None),
        ("---\ntags: [x]\n---\n", None),
        ("---\n: : :\n---\n", None),
        ("no front matter", None),
    ],
)
def test_languages_come_from_the_card(tmp_path, card, expected):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "README.md").write_text(card)
    assert known_languages(str(tmp_path)) == expected


# ---------------------------------------------------------------------- precision


def test_auto_is_half_only_where_the_processor_has_it(monkeypatch):
    monkeypatch.setattr(_backbone, "openvino_installed", lambda: True)
    monkeypatch.setattr(_backbone, "cpu_has_bf16", lambda: True)
    assert resolve_precision("cpu") == "bf16"
    monkeypatch.setattr(_backbone, "cpu_has_bf16", lambda: False)
    assert resolve_precision("cpu") == "fp32"
    monkeypatch.setattr(_backbone, "openvino_installed", lambda: False)
    assert resolve_precision("cpu") == "fp32"
    assert resolve_precision("mps") == "fp16"
    assert resolve_precision("cpu", "bf16") == "bf16"


def test_fp16_on_a_cpu_is_refused():
    with pytest.raises(ModelError, match="GPU"):
        resolve_precision("cpu", "fp16")


@pytest.mark.gpu
def test_a_gpu_agrees_with_the_cpu(exact):
    made = load_encoder(device="cuda").encode(TEXTS).vectors
    assert cosines(made, exact.encode(TEXTS).vectors).min() > 0.999
