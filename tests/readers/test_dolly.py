from __future__ import annotations


def test_instruction_context_and_response(load_records):
    records = [
        {"instruction": "When?", "context": "It was 1990.", "response": "1990", "category": "qa"},
        {"instruction": "Hi", "context": "", "response": "Ho", "category": "chat"},
    ]
    got = load_records(*records)
    assert got.facts["sources"][0]["form"] == "dolly"
    assert got.dataset.texts("prompt") == ["When?\nIt was 1990.", "Hi"]
    assert got.dataset.texts("response") == ["1990", "Ho"]
    assert list(got.dataset.records()) == records


def test_without_context_the_records_are_alpaca(load_records):
    assert load_records({"instruction": "q", "response": "a"}).facts["sources"][0]["form"] == "alpaca"
