"""A job's own process: `python -m curation.jobs WORKSPACE ID`."""

from __future__ import annotations

import sys

from curation.jobs.running import main

if __name__ == "__main__":
    sys.exit(main())
