"""Values as files: arrays as `.npy`, texts as Parquet, the rest as JSON that any reader accepts. Nothing is pickled."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curation.core.missing import Missing

MAPPED_BYTES = 1 << 20
"""Arrays above this are memory-mapped when they are loaded."""
_FLOAT = "$float"


def to_json(value: Any, *, indent: int | None = None) -> str:
    """JSON text that every parser reads: NaN and infinities are null, NumPy scalars numbers.

    Args:
        value: Plain data; tuples become lists, keys become text.
        indent: Spaces per level; None = one line.
    """
    plain = _plain(value, exact=False)
    text = json.dumps(plain, ensure_ascii=False, allow_nan=False, indent=indent)
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a character pair: only its escape can be written
        return json.dumps(plain, allow_nan=False, indent=indent)
    return text


def save_value(folder: Path, name: str, value: Any, plain: dict[str, Any]) -> None:
    """Write one field of an artifact; what fits into JSON goes into `plain`."""
    if isinstance(value, np.ndarray):
        if value.dtype == object:
            pq.write_table(pa.table({"value": pa.array(value, pa.large_string())}), folder / f"{name}.parquet")
            plain[name] = {"$text": name}
        else:
            np.save(folder / f"{name}.npy", value, allow_pickle=False)
            plain[name] = {"$array": name}
    elif isinstance(value, Missing):
        save_value(folder, f"{name}.codes", value.codes, {})
        plain[name] = {"$missing": list(value.reasons)}
    elif isinstance(value, dict) and value and all(isinstance(v, np.ndarray) for v in value.values()):
        inner: dict[str, Any] = {}
        for i, v in enumerate(value.values()):
            save_value(folder, f"{name}.{i}", v, inner)
        plain[name] = {"$columns": list(value), "values": inner}
    else:
        plain[name] = {"$value": _plain(value, exact=True)}


def load_value(folder: Path, name: str, plain: dict[str, Any]) -> Any:
    """Read what `save_value` wrote; large arrays are memory-mapped, all are read-only."""
    spec = plain[name]
    if "$array" in spec:
        path = folder / f"{name}.npy"
        # an empty array cannot be mapped, and a small one is not worth an open file
        large = path.stat().st_size > MAPPED_BYTES
        return np.load(path, mmap_mode="r", allow_pickle=False) if large else _frozen(np.load(path, allow_pickle=False))
    if "$text" in spec:
        column = pq.read_table(folder / f"{name}.parquet")["value"]
        return _frozen(np.array(column.to_pylist(), dtype=object))
    if "$missing" in spec:
        codes = load_value(folder, f"{name}.codes", {f"{name}.codes": {"$array": 1}})
        return Missing(codes, tuple(spec["$missing"]))
    if "$columns" in spec:
        return {c: load_value(folder, f"{name}.{i}", spec["values"]) for i, c in enumerate(spec["$columns"])}
    value = _exact(spec["$value"])
    return tuple(value) if isinstance(value, list) else value


def _frozen(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array


def _plain(value: Any, *, exact: bool) -> Any:
    """Plain data for JSON; floats that JSON has no word for become null, or their name where `exact`."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return {_FLOAT: str(value)} if exact else None
    if isinstance(value, dict):
        return {str(k): _plain(v, exact=exact) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v, exact=exact) for v in value]
    return value


def _exact(value: Any) -> Any:
    if isinstance(value, dict):
        return float(value[_FLOAT]) if set(value) == {_FLOAT} else {k: _exact(v) for k, v in value.items()}
    return [_exact(v) for v in value] if isinstance(value, list) else value
