"""A data set on the Hugging Face hub, streamed through the package datasets. Needs the network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from curation.core.errors import DataError, MissingDependency
from curation.readers._record import Broken, Record
from curation.readers.containers.arrow import BATCH_ROWS, TableContainer
from curation.readers.sources import Source


class HubContainer:
    """All splits of a data set, one after another; see `base.Container`.

    Nothing of the data set is run: the package datasets reads data files only, since its version 4.

    Args:
        source: Its path is the hub id (or a folder of data files), its config the configuration.
        take: Rows of each split to read; None = all.

    Raises:
        MissingDependency: if the package datasets is not installed.
        DataError: if there is no such data set, or the hub cannot be reached.
    """

    kind = "hub"

    def __init__(self, source: Source, take: int | None = None) -> None:
        try:
            import datasets
        except ImportError:
            raise MissingDependency("datasets", "hub") from None

        self.notes: Counter[str] = Counter()
        self.facts: dict[str, Any] = {"hub": source.path, "config": source.config, "arrow_schema": {}}
        self.label_names: dict[str, list[str]] = {}
        self._source = source
        try:
            found = datasets.load_dataset(source.path, source.config, streaming=True)
        except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
            raise DataError(
                f"there is no such file, and the hub gives no data set '{source.path}': {str(error)[:300]}",
                "check the spelling, the network, and whether it needs a login (huggingface-cli login) or a "
                "configuration (owner/name:config)",
                file=source.path,
            ) from None
        self._splits: dict[str, Any] = {n: split if take is None else split.take(take) for n, split in found.items()}

    def position(self) -> int:
        """Unknown while streaming."""
        return 0

    def total(self) -> int | None:
        """The sum of the splits' sizes where the hub states them."""
        sizes = [(split.info.splits or {}).get(name) for name, split in self._splits.items()]
        return sum(s.num_examples for s in sizes if s) if sizes and all(sizes) else None

    def items(self) -> Iterator[Record | Broken]:
        """Rows of every split in order."""
        for name, split in self._splits.items():
            batches = _batches(split)
            try:
                first = next(batches, None)
            except OSError as error:
                raise DataError(
                    f"split '{name}' cannot be read: {error}", "try again", file=self._source.path
                ) from None
            if first is None:
                continue
            table = TableContainer("hub", first.schema, _chain(first, batches), None, 0, f"{self._source.label}/{name}")
            self.label_names.update(table.label_names)
            self.facts["arrow_schema"][name] = table.facts["arrow_schema"]
            yield from (item._replace(split=name) for item in table.items())


def _batches(split: Any) -> Iterator[pa.RecordBatch]:
    """Arrow batches of a streamed split, with the features' metadata (label names) on their schema.

    Raises:
        OSError: if the stream breaks.
    """
    from datasets.exceptions import DatasetsError

    features = split.features
    try:
        for table in split.with_format("arrow").iter(BATCH_ROWS):
            if features is not None:
                table = table.cast(features.arrow_schema)
            yield from table.combine_chunks().to_batches()
    except (DatasetsError, ValueError, RuntimeError) as error:  # a file of the data set that cannot be read
        raise OSError(str(error)) from error


def _chain(first: pa.RecordBatch, rest: Iterator[pa.RecordBatch]) -> Any:
    def batches() -> Iterator[pa.RecordBatch]:
        yield first
        yield from rest

    return batches
