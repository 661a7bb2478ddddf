"""Packs the files of an export, in a process of its own: `python -m curation.ui.pack OUTPUT ARCHIVE`."""

from __future__ import annotations

import sys
from pathlib import Path

from curation.ui.export_write import pack


def main() -> None:
    """Entry of the process. The archive appears when it is whole."""
    target, archive = Path(sys.argv[1]), Path(sys.argv[2])
    draft = archive.with_suffix(".part")
    with draft.open("wb") as out:
        pack(target, out)
    draft.replace(archive)


if __name__ == "__main__":
    main()
