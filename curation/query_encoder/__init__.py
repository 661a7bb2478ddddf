"""A text query as a vector among the stored vectors of rows, so that rows can be searched by meaning.

The network lives in a helper process (`python -m curation.query_encoder WORKSPACE`), never in the server: `embed` asks
it and waits, `warm` only starts it. `encode_here` does the same in this process, for the command line and scripts.
"""

from __future__ import annotations

from curation.query_encoder.asking import embed, warm
from curation.query_encoder.encoding import encode_here
from curation.query_encoder.space import MOST_LETTERS, Space, searchable, space_of

__all__ = ["MOST_LETTERS", "Space", "embed", "encode_here", "searchable", "space_of", "warm"]
