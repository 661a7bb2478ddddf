"""Arrays on their way to the browser: packed once, mounted through an invisible component each."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import streamlit as st
from streamlit.errors import StreamlitDuplicateElementKey

from curation.ui.point_map.scripts import script, style

MAGIC = b"CPM1"
NEVER = 2**31 - 1
"""Rank of a row that the order never takes."""
OUTER = 0.001
"""A cut's slider runs from this quantile to the one as far from the other end; its ends mean no limit."""
PACKED = 48
"""Arrays kept packed on the server; at a million rows one has 0.1 to 8 MB."""

_engine = st.components.v2.component("curation_point_engine", js=script("engine"))
_feeder = st.components.v2.component("curation_point_feeder", js=script("feeder"))


def feed_points(name: str, xy: np.ndarray) -> str:
    """Send the places of the points to the browser.

    Args:
        name: Changes with the content: a result's key, a hash. The array is packed once for each name.
        xy: float `[n, 2]`; rows with NaN or infinity have no place.

    Returns:
        The name.
    """
    with contextlib.suppress(StreamlitDuplicateElementKey):  # once for all maps of a page
        _engine(key="feed.engine", data={"style": style()}, height="content")
    return _feed(name, "points", lambda: pack_points(name, xy))


def feed_numbers(name: str, values: np.ndarray) -> str:
    """Send a number for each row; they are compared as float32.

    Args:
        name: Changes with the content.
        values: float `[n]`, NaN = missing.

    Returns:
        The name.
    """
    return _feed(name, "numbers", lambda: pack_numbers(name, values))


def feed_codes(name: str, codes: np.ndarray) -> str:
    """Send a category for each row.

    Args:
        name: Changes with the content.
        codes: int `[n]`, negative = none.

    Returns:
        The name.
    """
    return _feed(name, "codes", lambda: pack_codes(name, codes))


def feed_ranks(name: str, order: np.ndarray, n: int) -> str:
    """Send a nested order.

    Args:
        name: Changes with the content.
        order: int, rows in the order they are taken; each at most once.
        n: Rows there are.

    Returns:
        The name.
    """
    return _feed(name, "ranks", lambda: pack_ranks(name, order, n))


def feed_mask(name: str, mask: np.ndarray) -> str:
    """Send a set of rows, one bit for each row.

    Args:
        name: Changes with the content.
        mask: bool `[n]`.

    Returns:
        The name.
    """
    return _mount(name, "mask", pack_mask(name, mask))  # cheap, and many: they would push the others out of the cache


def _feed(name: str, kind: str, pack: Callable[[], bytes]) -> str:
    return _mount(name, kind, _packed(name, kind, pack))


def _mount(name: str, kind: str, data: bytes) -> str:
    if not name:
        raise ValueError("an array needs a name that changes with its content")
    # the same array for colour and cut is on its way already
    with contextlib.suppress(StreamlitDuplicateElementKey):
        _feeder(key=f"feed.{kind}.{name}", data=data, height="content")
    return name


@st.cache_resource(max_entries=PACKED, show_spinner=False)
def _packed(name: str, kind: str, _pack: Callable[[], bytes]) -> bytes:
    return _pack()


# ------------------------------------------------------------------ bytes


def packed(head: Mapping[str, Any], values: np.ndarray) -> bytes:
    """One message: magic, length of the head (uint32), head as JSON filled up with spaces, values, little-endian.

    The values begin at a multiple of 8 bytes.
    """
    text = json.dumps(head, allow_nan=False).encode()
    text += b" " * (-(len(MAGIC) + 4 + len(text)) % 8)
    little = np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<"), copy=False)
    return b"".join([MAGIC, np.uint32(len(text)).astype("<u4").tobytes(), text, little.tobytes()])


def pack_points(name: str, xy: np.ndarray) -> bytes:
    """Places as float32, with the part of the map that is seen first, see `figures.map.first_view`."""
    from curation.figures.map import first_view

    xy = np.asarray(xy)
    if xy.ndim != 2 or xy.shape[1] != 2:
        raise ValueError(f"places have the shape [n, 2], not {list(xy.shape)}")
    with np.errstate(over="ignore"):
        small = xy.astype(np.float32)
    placed = small[np.isfinite(small).all(1)]
    view = first_view(placed) if len(placed) else np.array([[-1.0, -1.0], [1.0, 1.0]])
    whole = np.stack([placed.min(0), placed.max(0)]) if len(placed) else view
    outside = int(((placed < view[0]) | (placed > view[1])).any(1).sum())
    head = {
        "name": name, "kind": "points", "n": len(xy), "placed": len(placed), "outside": outside,
        "view": view.tolist(), "whole": whole.astype(np.float64).tolist(),
    }  # fmt: skip
    return packed(head, small)


def pack_numbers(name: str, values: np.ndarray) -> bytes:
    """Numbers as float32, with what a slider over them needs: ends, outer quantiles, whether all are whole."""
    values = _flat(values)
    with np.errstate(over="ignore"):
        small = values.astype(np.float32)
    known = small[np.isfinite(small)].astype(np.float64)
    head: dict[str, Any] = {"name": name, "kind": "numbers", "n": len(small), "known": len(known)}
    if len(known):
        low, high = np.quantile(known, [OUTER, 1 - OUTER])
        head |= {"least": float(known.min()), "greatest": float(known.max()), "low": float(low), "high": float(high)}
        head["whole"] = bool((known == np.rint(known)).all())
    return packed(head, small)


def pack_codes(name: str, codes: np.ndarray) -> bytes:
    """Categories as int32; anything negative becomes −1."""
    codes = np.maximum(_flat(codes), -1).astype(np.int32)
    counts = np.bincount(codes[codes >= 0]) if len(codes) else np.empty(0, np.int64)
    head = {"name": name, "kind": "codes", "n": len(codes), "most": len(counts) - 1}
    return packed(head, codes)


def pack_ranks(name: str, order: np.ndarray, n: int) -> bytes:
    """Place of each row in the order from 0, int32; rows that are not in it have NEVER."""
    order = _flat(order).astype(np.int64)
    if len(order) and (order.min() < 0 or order.max() >= n):
        raise ValueError(f"the order names rows from {order.min()} to {order.max()}, there are {n}")
    ranks = np.full(n, NEVER, np.int32)
    ranks[order] = np.arange(len(order), dtype=np.int32)
    if np.count_nonzero(ranks != NEVER) != len(order):
        raise ValueError("the order names a row twice")
    return packed({"name": name, "kind": "ranks", "n": n, "most": len(order)}, ranks)


def pack_mask(name: str, mask: np.ndarray) -> bytes:
    """One bit for each row, the first in the lowest bit of the first byte."""
    mask = _flat(mask).astype(bool)
    head = {"name": name, "kind": "mask", "n": len(mask), "count": int(mask.sum())}
    return packed(head, np.packbits(mask, bitorder="little"))


def _flat(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values)
    if values.ndim != 1:
        raise ValueError(f"a column has one value for each row, not the shape {list(values.shape)}")
    return values
