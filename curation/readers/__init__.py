"""Readers: any usual file of instruction data → rows of a Dataset.

Two steps, each a folder or file of its own: a *container* (`containers/`: JSON, JSONL, CSV, Parquet, Arrow, packed or
not, a folder, the hub) gives records; a *form* (`alpaca.py`, `sharegpt.py`, ...) turns a record into messages. A new
form is one file and one line in `forms.py`.
"""

from curation.readers.mapping import FormName, Mapping
from curation.readers.previewing import Preview, SourcePreview, preview
from curation.readers.reading import Facts, Rejected, read

__all__ = ["Facts", "FormName", "Mapping", "Preview", "Rejected", "SourcePreview", "preview", "read"]
