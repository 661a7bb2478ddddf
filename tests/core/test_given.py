"""What every dataset knows without computing."""

import numpy as np

from curation.core.dataset import Row, in_memory
from curation.core.given import response_length, source_labels


def rows_of(*pairs):
    said = [{"role": "user", "content": "q"}]
    return in_memory(
        [
            Row(
                messages=[*said, {"role": "assistant", "content": answer}], source=source, line=i, record="{}", form="x"
            )
            for i, (source, answer) in enumerate(pairs)
        ]
    )


def test_sources_are_named_in_the_alphabet_and_parts_of_a_dataset_have_their_own():
    dataset = rows_of(("z.json", "one"), ("a.json", "three"), ("z.json", ""))
    labels = source_labels(dataset)
    assert labels.names == ("a.json", "z.json")
    assert labels.codes.tolist() == [1, 0, 1]
    part = source_labels(dataset.take(np.array([2, 0])))
    assert part.names == ("z.json",)
    assert part.codes.tolist() == [0, 0]


def test_lengths_are_in_characters_and_cannot_be_changed():
    length = response_length(rows_of(("a", "émigré"), ("a", "")))
    assert length.values.tolist() == [6, 0]
    assert not length.values.flags.writeable
