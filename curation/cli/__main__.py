"""`python -m curation.cli` is `curate`."""

from __future__ import annotations

from curation.cli import main

if __name__ == "__main__":
    main()
