"""Streamlit's own command line, told that `pages/` is no automatic menu: `python -m curation.ui.server run app.py …`.

Until `st.navigation` has run once in a server's life, Streamlit takes a folder called `pages` for its old kind of
multipage app: the first visitor who opens a link such as `/map` would get that page without app.py, its navigation and
its page config (seen in 1.67). Nothing public turns this off before the first run.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run Streamlit's command line with this process's arguments."""
    from streamlit.runtime.pages_manager import PagesManager
    from streamlit.web import cli

    if not hasattr(PagesManager, "uses_pages_directory"):
        raise RuntimeError("this Streamlit has no PagesManager.uses_pages_directory; see curation/ui/server.py")
    PagesManager.uses_pages_directory = False
    sys.exit(cli.main())


if __name__ == "__main__":
    main()
