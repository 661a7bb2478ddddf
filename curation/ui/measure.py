"""Measures the steps of a recipe on a sample of the rows, in a process of its own, and remembers what they took.

`python -m curation.ui.measure WORKSPACE DEVICE < {"recipe": …, "bindings": …}`. The app starts it where an estimate is
not known yet, and goes on: a page never waits for it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping

from curation.core.runtime import Runtime
from curation.estimates import estimate
from curation.recipe import Recipe, plan
from curation.workspace import Workspace


def start(workspace: Workspace, recipe: Recipe, bindings: Mapping[str, str], device: str) -> subprocess.Popen[str]:
    """Start measuring; returns at once. When the process ends, the workspace knows what the steps take."""
    command = [sys.executable, "-m", "curation.ui.measure", str(workspace.root), device]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet, text=True, start_new_session=True,
        cwd=workspace.root,
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(json.dumps({"recipe": recipe.yaml(), "bindings": dict(bindings)}))
    process.stdin.close()
    return process


def main() -> None:
    """Entry of the process."""
    workspace, runtime = Workspace.open(sys.argv[1]), Runtime(device=sys.argv[2])
    asked = json.loads(sys.stdin.read())
    with workspace.lock("measure"):  # two at once would measure each other
        estimate(plan(Recipe.read(asked["recipe"]), workspace, asked["bindings"], runtime), workspace, runtime)


if __name__ == "__main__":
    main()
