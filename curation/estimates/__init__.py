"""What a plan will cost, before it runs: from what such steps took here before, else from a short calibration.

A method says how its work grows (`Method.work`); seconds per unit of work come from this machine. How well this does is
measured in docs/estimates.md. What asking chat models costs is in `asking` (one method) and `forecast` (a plan).
"""

from __future__ import annotations

from curation.estimates.cautions import cautions
from curation.estimates.costs import Estimate, as_dicts, estimate, total
from curation.estimates.timings import predict, timing_entry

__all__ = ["Estimate", "as_dicts", "cautions", "estimate", "predict", "timing_entry", "total"]
