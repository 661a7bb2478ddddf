"""The recipe of a consensus: the rows that at least so many of the compared selections take."""

from __future__ import annotations

from curation.comparison.facts import Comparison
from curation.complete.stored import Parts
from curation.core.errors import CurationError
from curation.recipe import Recipe
from curation.workspace import Workspace


def consensus_recipe(workspace: Workspace, comparison: Comparison, votes: int) -> tuple[Recipe, dict[str, str]]:
    """Rows that at least `votes` arms take, as they are compared: a nested order that was cut is cut here, too.

    Args:
        workspace: Where the selections are stored; what is stored is not computed again.
        comparison: The arms.
        votes: 1 to the number of arms.

    Returns:
        The recipe, its result `$consensus`, and what its inputs are bound to.

    Raises:
        CurationError: if an arm was cut that was made from more than this dataset, so that its steps are not known.
    """
    parts = Parts(workspace, comparison.dataset)
    of = []
    for arm in comparison.arms:
        reference = parts.add(arm.key)
        if len(arm) < arm.stored:
            step = parts.steps.get(reference.removeprefix("$"))
            if step is None:
                raise CurationError(
                    f"{arm.name} was made from more than these rows: its first {len(arm):,} picks cannot be asked for",
                    "compare each selection at its own size",
                )
            # a step of its own: another arm may stand on the whole of this one
            name = parts.add_steps({f"{reference[1:]}-first": {**step, "budget": len(arm)}})
            reference = f"${name[f'{reference[1:]}-first']}"
        of.append(reference)
    made = parts.add_steps({"consensus": {"use": "selector/consensus", "of": of, "votes": votes}})
    return parts.recipe(f"${made['consensus']}"), parts.bindings
