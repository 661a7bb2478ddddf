"""A workspace: the folder that remembers datasets and every result by what made it. See `folder` for the layout."""

from __future__ import annotations

from curation.workspace.decision_carry import Carried, carry
from curation.workspace.decisions import DecisionLog, Decisions
from curation.workspace.files import folder_bytes, write_atomically
from curation.workspace.folder import Workspace
from curation.workspace.infos import Added, DatasetInfo, Pruned, ResultInfo
from curation.workspace.opening import SCHEMA_VERSION, default_name
from curation.workspace.rowstore import MERGE_SEGMENTS, RowStore

__all__ = [
    "MERGE_SEGMENTS",
    "SCHEMA_VERSION",
    "Added",
    "Carried",
    "DatasetInfo",
    "DecisionLog",
    "Decisions",
    "Pruned",
    "ResultInfo",
    "RowStore",
    "Workspace",
    "carry",
    "default_name",
    "folder_bytes",
    "write_atomically",
]
