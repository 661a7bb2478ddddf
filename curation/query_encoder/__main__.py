"""The helper process: `python -m curation.query_encoder WORKSPACE [IDLE SECONDS]`.

Reads requests from stdin and writes answers to stdout, one JSON object a line, in order:

```
{"id": 3, "key": "<features>", "text": "…"}   →  {"id": 3, "vector": "<base64 of float32, little-endian>"}
{"id": 4, "key": "<features>"}                →  {"id": 4}            what the first query needs is loaded
anything that the user can mend               →  {"id": 3, "error": "…", "hint": "…"}
```

Ends when stdin closes, or after some minutes without a request. All else that is printed goes to stderr.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import sys
from typing import Any, BinaryIO

from curation.core.errors import CurationError
from curation.query_encoder.pipes import lines
from curation.workspace import Workspace

IDLE_S = 15 * 60.0


def answer(workspace: Workspace, request: dict[str, Any]) -> dict[str, Any]:
    """What is written for one request."""
    from curation.query_encoder.encoding import encode_here, warm_here

    try:
        if "text" not in request:
            warm_here(workspace, str(request["key"]))
            return {}
        vector = encode_here(workspace, str(request["key"]), [str(request["text"])])[0]
    except CurationError as error:
        return {"error": error.message, "hint": error.hint}
    return {"vector": base64.b64encode(vector.astype("<f4").tobytes()).decode()}


def serve(workspace: Workspace, requests: int, out: BinaryIO, idle: float) -> None:
    """Answer requests until there are no more.

    Args:
        workspace: Where the vectors are.
        requests: File descriptor to read from.
        out: Where answers go.
        idle: Seconds to wait for a request.
    """
    for line in lines(requests, idle):
        request = json.loads(line)
        out.write(json.dumps({"id": request["id"], **answer(workspace, request)}).encode() + b"\n")
        out.flush()


def main() -> int:
    """Entry of the process."""
    out = os.fdopen(os.dup(1), "wb")  # libraries that print must not spoil the answers
    os.dup2(2, 1)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(message)s")
    idle = float(sys.argv[2]) if len(sys.argv) > 2 else IDLE_S
    try:
        serve(Workspace.open(sys.argv[1]), 0, out, idle)
    except (BrokenPipeError, KeyboardInterrupt):  # nobody listens any more
        return 0
    except CurationError as error:
        logging.error("%s", error)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
