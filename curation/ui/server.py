"""Streamlit's own command line, told that `pages/` is no automatic menu: `python -m curation.ui.server run app.py …`.

Until `st.navigation` has run once in a server's life, Streamlit takes a folder called `pages` for its old kind of
multipage app: the first visitor who opens a link such as `/map` would get that page without app.py, its navigation and
its page config (seen in 1.67). Nothing public turns this off before the first run.

Streamlit also collects garbage after every run of a script, which looks at every object there is: with numpy, pandas,
pyarrow, plotly and the app in memory that is more than half of the time that a moved slider costs. What modules have
brought along never becomes garbage, so it is set aside (`spare_modules`) and a collection looks at the rest.
"""

from __future__ import annotations

import gc
import sys

MORE_MODULES = 10
"""So many modules must have been imported anew before what is there is set aside again."""


def main() -> None:
    """Run Streamlit's command line with this process's arguments."""
    from streamlit.runtime.pages_manager import PagesManager
    from streamlit.web import cli

    if not hasattr(PagesManager, "uses_pages_directory"):
        raise RuntimeError("this Streamlit has no PagesManager.uses_pages_directory; see curation/ui/server.py")
    PagesManager.uses_pages_directory = False
    spare_modules()
    sys.exit(cli.main())


def spare_modules() -> None:
    """From now on, set aside what is alive after a full collection of garbage that comes after new imports.

    Only then: what is set aside is freed by its last reference, but a ring of objects that becomes garbage later stays.
    A server imports in its first minutes, and little is alive then but modules.
    """
    known = 0

    def after(phase: str, info: dict[str, int]) -> None:
        nonlocal known
        if phase == "stop" and info["generation"] == 2 and len(sys.modules) >= known + MORE_MODULES:
            known = len(sys.modules)
            gc.freeze()

    gc.callbacks.append(after)


if __name__ == "__main__":
    main()
