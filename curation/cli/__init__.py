"""The `curate` command."""

from __future__ import annotations

from curation.cli.main import app, main

__all__ = ["app", "main"]
