"""What the server sets aside so that collections of garbage stay short."""

from __future__ import annotations

import gc
import sys
import types
import weakref
from collections.abc import Iterator

import pytest

from curation.ui.server import MORE_MODULES, spare_modules


@pytest.fixture
def spared() -> Iterator[None]:
    before = list(gc.callbacks)
    was_on = gc.isenabled()
    gc.disable()  # only the collections of the test
    spare_modules()
    yield
    gc.callbacks[:] = before
    gc.unfreeze()
    for i in range(MORE_MODULES):
        sys.modules.pop(f"spared_{i}", None)
    if was_on:
        gc.enable()


class Node:
    pass


def ring() -> weakref.ref[Node]:
    one, other = Node(), Node()
    one.other, other.other = other, one  # type: ignore[attr-defined]
    return weakref.ref(one)


def test_what_is_alive_is_set_aside_once_and_again_after_new_imports(spared):
    gc.collect()
    first = gc.get_freeze_count()
    assert first > 1000
    kept = [Node() for _ in range(50)]
    gc.collect()
    assert gc.get_freeze_count() == first, "no new modules"
    for i in range(MORE_MODULES):
        sys.modules[f"spared_{i}"] = types.ModuleType(f"spared_{i}")
    gc.collect(1)
    assert gc.get_freeze_count() == first, "no full collection"
    gc.collect()
    assert gc.get_freeze_count() >= first + len(kept)


def test_garbage_is_still_collected(spared):
    before = ring()
    gc.collect()
    assert before() is None, "what was garbage is not set aside"
    after = ring()
    gc.collect()
    assert after() is None
