"""Entry of the calibration: `python -m curation.estimates WORKSPACE DEVICE samples|startup < steps`."""

from __future__ import annotations

import json
import sys

from curation.estimates.calibration import calibrate_here
from curation.workspace import Workspace

if __name__ == "__main__":
    calibrate_here(Workspace.open(sys.argv[1]), json.loads(sys.stdin.read()), sys.argv[2], sys.argv[3])
