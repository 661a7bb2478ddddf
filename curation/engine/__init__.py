"""Carries a plan out: reuses what is stored, computes what is missing, keeps row-wise results per row content."""

from __future__ import annotations

from curation.engine.facts import FailedStep, Outcome, StepFact
from curation.engine.runner import run
from curation.estimates import Estimate, estimate

__all__ = ["Estimate", "FailedStep", "Outcome", "StepFact", "estimate", "run"]
