"""Rows encoded per second, against sentence-transformers' own `encode` in the same run on the same rows."""

from __future__ import annotations

import random
import sys

import numpy as np
from _measure import Measured, measure, report, row
from _rows import parser, texts

from curation.models import sentence
from curation.models._folder import packaged_folder
from curation.models.sentence import SentenceEncoder, load_encoder, resolve_precision

BASELINE = "sentence-transformers encode, fp32"


def main() -> None:
    """Run and print."""
    arguments = parser(__doc__)
    arguments.add_argument("--rows", type=int, default=2000)
    given = arguments.parse_args()
    pool, note = texts(given.data, max(given.rows, 19_698))
    rows = random.Random(0).sample(pool, given.rows)

    from sentence_transformers import SentenceTransformer

    theirs_model = SentenceTransformer(str(packaged_folder()), device="cpu")
    theirs_model.encode(rows[:64])
    theirs = measure(lambda: theirs_model.encode(rows))

    def against(name: str, ours: Measured[np.ndarray]) -> object:
        cosine = float((ours.result * theirs.result).sum(axis=1).min())
        speed = given.rows / ours.seconds
        return row(f"{name}: {speed:.0f} rows/s, lowest cosine {cosine:.5f}", ours, against=BASELINE, baseline=theirs)

    def run(encoder: SentenceEncoder, overflow: str = "truncate") -> Measured[np.ndarray]:
        encoder.encode(rows[:64])
        return measure(lambda: encoder.encode(rows, overflow=overflow).vectors)

    lines = [row(f"{BASELINE}: {given.rows / theirs.seconds:.0f} rows/s", theirs)]
    default = load_encoder()
    lines.append(against(f"ours, {default.route} {default.precision}", run(default)))
    if default.precision != "fp32":
        exact = load_encoder(precision="fp32")
        lines.append(against(f"ours, {exact.route} fp32", run(exact)))
    sentence.openvino_installed = lambda: False
    plain = sentence._load.__wrapped__("packaged", "cpu", "fp32", "auto")
    lines.append(against(f"ours, {plain.route} fp32 (where OpenVINO is not installed)", run(plain)))

    windows = run(default, "windows")
    lines.append(row(f"ours, long rows in windows: {given.rows / windows.seconds:.0f} rows/s", windows))
    if not given.json:
        sys.stdout.write(f"{given.rows:,} rows sampled from {note}; auto means {resolve_precision('cpu')} here\n\n")
    report(lines, json=given.json)


if __name__ == "__main__":
    main()
