"""Arrow tables as JSON records and back, so that a record of a Parquet file survives as JSON text.

JSON knows texts, numbers, booleans, null, lists and objects. Other Arrow types travel as: binary → base64 text; dates,
timestamps and decimals → text; times and durations → their integer; a map → a list of [key, value] pairs.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pyarrow as pa

from curation.core.errors import DataError

_Change = Callable[[Any], Any] | None


def plain_schema(schema: pa.Schema) -> pa.Schema:
    """The schema to cast to before `to_pylist`, so that only binary and map values still need a hand.

    Raises:
        DataError: for a column whose type has no JSON form (union).
    """
    return pa.schema([pa.field(f.name, _plain_type(f.type, f.name)) for f in schema])


def to_records(batch: pa.RecordBatch, plain: pa.Schema) -> list[dict[str, Any]]:
    """Rows as JSON-able dicts.

    Args:
        batch: Rows.
        plain: `plain_schema` of the batch's schema.

    Raises:
        UnicodeDecodeError: if a text column holds bytes that are not UTF-8.
    """
    batch = batch if batch.schema.equals(plain) else batch.cast(plain)
    columns = [_apply(_encoder(f.type), batch.column(i).to_pylist()) for i, f in enumerate(plain)]
    names = plain.names
    if not columns:
        return [{} for _ in range(batch.num_rows)]
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def from_records(records: list[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    """The inverse of `to_records`: a table of the given schema, its metadata included."""
    arrays = []
    for field in schema:
        plain = _plain_type(field.type, field.name)
        values = _apply(_decoder(plain), [record.get(field.name) for record in records])
        array = pa.array(values, plain)
        arrays.append(array if plain == field.type else array.cast(field.type))
    return pa.Table.from_arrays(arrays, schema=schema)


def _plain_type(kind: pa.DataType, name: str) -> pa.DataType:
    if isinstance(kind, pa.BaseExtensionType):
        return _plain_type(kind.storage_type, name)
    if pa.types.is_dictionary(kind):
        return _plain_type(kind.value_type, name)
    if pa.types.is_struct(kind):
        fields = [kind.field(i) for i in range(kind.num_fields)]
        return pa.struct([pa.field(f.name, _plain_type(f.type, name)) for f in fields])
    if pa.types.is_map(kind):
        return pa.map_(_plain_type(kind.key_type, name), _plain_type(kind.item_type, name))
    if _is_list(kind):
        return pa.large_list(_plain_type(kind.value_type, name))
    if pa.types.is_time(kind) or pa.types.is_duration(kind):
        return pa.int32() if pa.types.is_time32(kind) else pa.int64()
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind) or pa.types.is_decimal(kind):
        return pa.string()
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.large_string()
    if _is_binary(kind):
        return pa.large_binary()
    if pa.types.is_float16(kind):
        return pa.float32()
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind):
        return kind
    raise DataError(f"column '{name}' has the type {kind}, which has no JSON form", "leave the column out", field=name)


def _is_list(kind: pa.DataType) -> bool:
    views = (pa.types.is_list_view(kind), pa.types.is_large_list_view(kind))
    lists = (pa.types.is_list(kind), pa.types.is_large_list(kind), pa.types.is_fixed_size_list(kind))
    return any(views) or any(lists)


def _is_binary(kind: pa.DataType) -> bool:
    plain = pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
    return plain or pa.types.is_binary_view(kind) or pa.types.is_fixed_size_binary(kind)


def _apply(change: _Change, values: list[Any]) -> list[Any]:
    return values if change is None else [None if v is None else change(v) for v in values]


def _encoder(kind: pa.DataType) -> _Change:
    """How a value of a plain type becomes JSON, or None where it already is."""
    if pa.types.is_large_binary(kind):
        return lambda value: base64.b64encode(value).decode()
    if pa.types.is_map(kind):
        key, item = _encoder(kind.key_type), _encoder(kind.item_type)
        return lambda pairs: [[_one(key, k), _one(item, v)] for k, v in pairs]
    return _nested(kind, _encoder)


def _decoder(kind: pa.DataType) -> _Change:
    """The inverse of `_encoder`."""
    if pa.types.is_large_binary(kind):
        return lambda value: base64.b64decode(value)
    if pa.types.is_map(kind):
        key, item = _decoder(kind.key_type), _decoder(kind.item_type)
        return lambda pairs: [(_one(key, k), _one(item, v)) for k, v in pairs]
    return _nested(kind, _decoder)


def _nested(kind: pa.DataType, make: Callable[[pa.DataType], _Change]) -> _Change:
    if pa.types.is_large_list(kind):
        inner = make(kind.value_type)
        return None if inner is None else lambda values: _apply(inner, values)
    if pa.types.is_struct(kind):
        changes = {kind.field(i).name: make(kind.field(i).type) for i in range(kind.num_fields)}
        if any(changes.values()):
            return lambda struct: {name: _one(changes[name], value) for name, value in struct.items()}
    return None


def _one(change: _Change, value: Any) -> Any:
    return value if change is None or value is None else change(value)
