"""Data curation for fine-tuning: see, score, select, prove, export."""

__version__ = "0.1.0"
