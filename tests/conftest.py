"""Fixtures shared by all tests."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real datasets; tests that need it skip where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("the real datasets (../shared/data) are not here")
    return SHARED


@pytest.fixture(scope="session")
def demo_file() -> Path:
    """The demo dataset."""
    return Path(__file__).resolve().parents[1] / "assets" / "demo.json"
