"""What the user should know before a run besides its cost: rows in a language that an encoder was not made for."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from pathlib import Path

import numpy as np

from curation.core.dataset import WhichText
from curation.core.method import Encoder
from curation.recipe import Plan, maker_of
from curation.workspace import Workspace

SAMPLE_ROWS = 200
LEAST_SHARE = 0.05
"""Below this share of foreign rows nothing is said: so many are wrongly told languages."""


def cautions(plan: Plan, workspace: Workspace) -> list[str]:
    """One sentence for each encoder of the plan that does not know the language of part of its rows.

    Looks at a sample of at most 200 rows; steps whose result is stored are passed over.
    """
    found = []
    for step in plan.steps:
        languages = getattr(step.method, "languages", None)
        if (
            maker_of(step.dataset)
            or not isinstance(step.method, Encoder)
            or not callable(languages)
            or workspace.has(step.key)
        ):
            continue
        known = languages()
        if not known:
            continue
        seen = _languages(workspace.root, step.dataset, getattr(step.method, "text", "both"))
        foreign = {code: count for code, count in seen.items() if code not in known and code != "und"}
        share = sum(foreign.values()) / max(sum(seen.values()), 1)
        if share >= LEAST_SHARE:
            names = ", ".join(sorted(foreign, key=lambda code: -foreign[code])[:3])
            told = f"{names}; it knows {', '.join(sorted(known))}"
            found.append(
                f"about {share:.0%} of the rows are in a language that the encoder of step '{step.name}' was not made "
                f"for ({told}): name a multilingual model in its field 'model'"
            )
    return found


@lru_cache(64)
def _languages(root: Path, dataset: str, text: WhichText) -> Counter[str]:
    """Language → rows, of a sample spread evenly over the Dataset."""
    from curation.labellers.language import detect

    pool = Workspace.open(root).dataset(dataset)
    rows = np.unique(np.linspace(0, len(pool) - 1, SAMPLE_ROWS).astype(np.int64))
    codes, _ = detect(pool.take(rows).texts(text))
    return Counter(codes)
