from __future__ import annotations

import sys

import pytest

from curation.core.errors import DataError, MissingDependency
from curation.readers import preview
from curation.readers._record import Broken
from curation.readers.containers.hub import HubContainer
from curation.readers.sources import Source


@pytest.fixture
def data_sets():
    return pytest.importorskip("datasets")


@pytest.fixture
def folder(tmp_path, data_sets):
    """A data set as it lies on the hub: one Parquet file per split."""
    features = data_sets.Features(
        {"text": data_sets.Value("string"), "label": data_sets.ClassLabel(names=["no", "yes"])}
    )
    for split, labels in (("train", [0, 1, 1]), ("test", [1, 0])):
        rows = {"text": [f"{split} {i}" for i in range(len(labels))], "label": labels}
        data_sets.Dataset.from_dict(rows, features=features).to_parquet(str(tmp_path / f"{split}.parquet"))
    return tmp_path


def test_splits_are_streamed_with_their_label_names(folder):
    box = HubContainer(Source("owner/name", str(folder), hub=True))
    items = list(box.items())
    assert [(i.split, i.line, i.value) for i in items] == [
        ("train", 1, {"text": "train 0", "label": 0}),
        ("train", 2, {"text": "train 1", "label": 1}),
        ("train", 3, {"text": "train 2", "label": 1}),
        ("test", 1, {"text": "test 0", "label": 1}),
        ("test", 2, {"text": "test 1", "label": 0}),
    ]
    assert box.label_names == {"label": ["no", "yes"]}
    assert set(box.facts["arrow_schema"]) == {"train", "test"}


def test_a_hub_id_is_read_into_rows(folder, load, monkeypatch, data_sets):
    real = data_sets.load_dataset
    asked = []

    def from_folder(name, config, **options):
        asked.append((name, config))
        return real(str(folder), **options)

    monkeypatch.setattr(data_sets, "load_dataset", from_folder)
    got = load("owner/name:small")
    assert asked == [("owner/name", "small")]
    assert got.dataset.texts("response") == ["no", "yes", "yes", "yes", "no"]
    assert got.dataset.sources == ["owner/name/train"] * 3 + ["owner/name/test"] * 2
    seen = preview(["hf://owner/name"], rows=1, sample=2)
    assert [(s.label, s.looked_at, len(s.rows)) for s in seen.sources] == [
        ("owner/name/train", 2, 1),
        ("owner/name/test", 2, 1),
    ]


def test_a_stream_that_breaks_is_one_broken_record(folder):
    box = HubContainer(Source("owner/name", str(folder), hub=True))

    class Breaking:
        features = None

        def with_format(self, name):
            return self

        def iter(self, size):
            yield from box_splits["train"].with_format("arrow").iter(2)
            raise ValueError("connection lost")

    box_splits = dict(box._splits)
    box._splits = {"train": Breaking()}
    items = list(box.items())
    assert len(items) == 4
    assert isinstance(items[-1], Broken)
    assert "connection lost" in items[-1].reason


def test_what_the_hub_does_not_give_is_a_data_error(data_sets, monkeypatch):
    def none(*args, **options):
        raise ConnectionError("Couldn't reach the hub")

    monkeypatch.setattr(data_sets, "load_dataset", none)
    with pytest.raises(DataError, match=r"no/such: there is no such file, and the hub gives no data set 'no/such'"):
        preview(["no/such"])


def test_without_the_package_the_install_line_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MissingDependency) as error:
        preview(["owner/name"])
    assert error.value.hint == 'pip install "curation[hub]"'


@pytest.mark.network
def test_a_real_data_set_on_the_hub():
    seen = preview(["openai/gsm8k:main"], sample=5)
    assert {s.split for s in seen.sources} == {"train", "test"}
    assert seen.sources[0].form == "prompt-completion"
