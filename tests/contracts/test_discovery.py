"""Finding methods is quick and loads nothing heavy."""

from __future__ import annotations

import json
import subprocess
import sys

HEAVY = (
    "torch", "transformers", "sentence_transformers", "openvino", "streamlit", "plotly", "umap", "hdbscan",
    "numba", "sklearn", "openai", "ray", "datasets", "pynndescent", "rensa", "py3langid", "icu4py", "pandas",
)  # fmt: skip

PROGRAM = """
import json, sys, time
start = time.perf_counter()
from curation.core.method import discover
found = discover()
print(json.dumps({"methods": len(found), "seconds": time.perf_counter() - start, "modules": sorted(sys.modules)}))
"""


def test_listing_methods_imports_nothing_heavy():
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    report = json.loads(run.stdout)
    assert report["methods"] > 20
    assert not set(HEAVY) & set(report["modules"])


def test_every_family_has_a_method(harness):
    from curation.core.method import FAMILIES, discover

    assert {cls.family for cls in discover().values()} == set(FAMILIES)
