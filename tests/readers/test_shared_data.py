"""The real files: counts as their README says, and every record survives."""

from __future__ import annotations

import csv
import json

import pytest

FILES = {
    "alpaca_9k.json": ("alpaca", 9229),
    "dolly_3k.json": ("alpaca", 2996),
    "gsm8k_7k.json": ("alpaca", 7473),
    "t0_tasks.jsonl": ("prompt-completion", 16341),
    "glaive_toolcall_sharegpt.json": ("sharegpt", 300),
    "v1_sft_messages.jsonl": ("messages", 500),
    "alpaca_zh_1k.json": ("alpaca", 1000),
    "dpo_en_demo.json": ("preference", 299),
    "banking77_train.csv": ("text-label", 10003),
    "banking77_test.csv": ("text-label", 3080),
    "clinc150_small.json": ("text-label", 16200),
    "snips_train.jsonl": ("slots", 13084),
    "snips_test.jsonl": ("slots", 700),
}


def originals(path):
    if path.suffix == ".csv":
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    if path.suffix == ".jsonl":
        with path.open(encoding="utf-8") as file:
            return [json.loads(line) for line in file]
    data = json.loads(path.read_text(encoding="utf-8"))
    return data if isinstance(data, list) else [record for split in data.values() for record in split]


@pytest.mark.parametrize("name", FILES)
def test_counts_and_records(shared_data, load, name):
    form, count = FILES[name]
    got = load(shared_data / name)
    assert {s["form"] for s in got.facts["sources"]} == {form}
    assert len(got.dataset) == count
    assert not got.rejected
    assert list(got.dataset.records()) == originals(shared_data / name)
    assert all(got.dataset.lengths("prompt") > 0)


def test_every_file_of_the_folder_is_here(shared_data):
    assert {p.name for p in shared_data.iterdir()} == {*FILES, "README.md"}


def test_splits_of_clinc(shared_data, load):
    got = load(shared_data / "clinc150_small.json")
    counts = {s["split"]: s["rows"] for s in got.facts["sources"]}
    assert counts == {"oos_val": 100, "val": 3000, "train": 7500, "oos_test": 1000, "test": 4500, "oos_train": 100}


def test_markers_calls_and_weights(shared_data, load):
    got = load(shared_data / "t0_tasks.jsonl")
    assert not any("<|endoftext|>" in text for text in got.dataset.texts("response"))
    assert all(r["completion"].endswith("<|endoftext|>") for r in got.dataset.records(range(50)))
    got = load(shared_data / "glaive_toolcall_sharegpt.json")
    messages = [m for i in range(len(got.dataset)) for m in got.dataset.messages(i)]
    assert sum("tool_calls" in m for m in messages) == 211
    assert sum(m["role"] == "tool" for m in messages) == 211
    got = load(shared_data / "v1_sft_messages.jsonl")
    assert {m["weight"] for i in range(500) for m in got.dataset.messages(i)} == {0.0, 1.0}
