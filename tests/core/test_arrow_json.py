from __future__ import annotations

import datetime as dt
import decimal
import json

import pyarrow as pa
import pytest

from curation.core.arrow_json import from_records, plain_schema, to_records
from curation.core.errors import DataError

NOW = dt.datetime(2021, 2, 3, 4, 5, 6, 789)
COLUMNS = {
    "string": pa.array(["a", None, "é"]),
    "view": pa.array(["a", None, "é"], pa.string_view()),
    "int": pa.array([1, None, 2**63 - 1]),
    "uint": pa.array([0, None, 2**64 - 1], pa.uint64()),
    "float": pa.array([0.1, None, float("inf")]),
    "half": pa.array([1.5, None, 2.0], pa.float16()),
    "bool": pa.array([True, None, False]),
    "null": pa.nulls(3),
    "binary": pa.array([b"\x00\xff", None, b""]),
    "fixed": pa.array([b"ab", None, b"cd"], pa.binary(2)),
    "timestamp": pa.array([NOW, None, NOW], pa.timestamp("ns", "UTC")),
    "zoned": pa.array([NOW, None, NOW], pa.timestamp("us", "Europe/Paris")),
    "date": pa.array([NOW.date(), None, NOW.date()]),
    "time": pa.array([NOW.time(), None, NOW.time()]),
    "duration": pa.array([dt.timedelta(1, 2, 3), None, dt.timedelta(0)]),
    "decimal": pa.array([decimal.Decimal("1.50"), None, decimal.Decimal("-2.25")]),
    "dictionary": pa.array(["a", None, "a"]).dictionary_encode(),
    "map": pa.array([[("a", b"1")], None, []], pa.map_(pa.string(), pa.binary())),
    "list": pa.array([[1, 2], None, []]),
    "fixed_list": pa.array([[1, 2], None, [3, 4]], pa.list_(pa.int64(), 2)),
    "list_of_dates": pa.array([[NOW.date()], None, [None]]),
    "image": pa.array([{"bytes": b"\x89PNG", "path": "a.png"}, None, {"bytes": None, "path": "b.png"}]),
    "images": pa.array([[{"bytes": b"x", "path": None}], None, []]),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_every_type_survives_the_way_through_json_text(name):
    table = pa.table({name: COLUMNS[name]}).replace_schema_metadata({"huggingface": "{}"})
    batch = table.combine_chunks().to_batches()[0]
    records = [json.loads(json.dumps(r)) for r in to_records(batch, plain_schema(batch.schema))]
    again = from_records(records, table.schema)
    again.validate(full=True)
    assert again.equals(table, check_metadata=True)


def test_values_that_json_knows_are_left_as_they_are():
    batch = pa.record_batch({"text": ["a"], "n": [1], "tags": [["x"]]})
    assert to_records(batch, plain_schema(batch.schema)) == [{"text": "a", "n": 1, "tags": ["x"]}]


def test_a_union_is_an_error_that_names_the_column():
    union = pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([1])])
    with pytest.raises(DataError, match="odd"):
        plain_schema(pa.table({"odd": union}).schema)
