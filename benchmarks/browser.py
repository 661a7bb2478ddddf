"""The Map page in a real Chromium, at 50,000 real rows and at a synthetic million, against plotly's map.

    python benchmarks/browser.py --write                 # both sizes, into docs/measurements.md; under ten minutes
    python benchmarks/browser.py --rows 50k              # one size; the other keeps its figures of the last time
    python benchmarks/browser.py --workspace /somewhere/with/3GB

The workspaces are made once (two minutes) and kept in `--workspace`, with the figures of every size in `browser.json`:
a run that was cut off goes on with what is missing under `--missing`. Real rows come from ../shared/data.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from _baseline import measure_baseline
from _browser_table import facts_of_machine, markdown
from _chromium import chromium
from _map_measures import QUICK, Times, measure_map
from _rows import DATA
from _sections import write_section
from _workspaces import Made, million, real_50k

PAGE = Path(__file__).resolve().parents[1] / "docs" / "measurements.md"
SECTION, HEADING = "map", "## The map in the browser"
FOLDER = Path.home() / ".cache" / "curation-benchmarks"
FIGURES = "browser.json"


def say(text: str) -> None:
    """Tell what happens, with the time."""
    print(f"{time.strftime('%H:%M:%S')}  {text}", file=sys.stderr, flush=True)


def main() -> int:
    """Read the command line, measure, print; 1 when a part failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", type=Path, default=DATA, help="folder with the instruction files")
    parser.add_argument("--rows", choices=("50k", "1m", "both"), default="both", help="which sizes")
    parser.add_argument("--workspace", type=Path, default=FOLDER, help="where workspaces and figures are kept (3 GB)")
    parser.add_argument("--missing", action="store_true", help="measure only what has no figures yet")
    parser.add_argument("--quick", action="store_true", help="everything a few times only, to try the script out")
    parser.add_argument("--no-plotly", action="store_true", help="leave the baseline out")
    parser.add_argument("--port", type=int, help="of the server; default: a free one")
    parser.add_argument("--json", action="store_true", help="print every measured value as JSON instead of the table")
    parser.add_argument("--write", action="store_true", help=f"put the table into docs/{PAGE.name}")
    options = parser.parse_args()
    options.workspace.mkdir(parents=True, exist_ok=True)
    times = QUICK if options.quick else Times()
    kept = options.workspace / FIGURES
    figures: dict[str, Any] = json.loads(kept.read_text("utf-8")) if kept.is_file() else {}

    def keep(name: str, found: dict[str, Any], version: str) -> None:
        figures[name] = {**found, "about": facts_of_machine(version)}
        kept.write_text(json.dumps(figures, indent=1), "utf-8")

    wanted = ("50k", "1m") if options.rows == "both" else (options.rows,)
    made = {size: _made(size, options) for size in wanted}
    with chromium() as browser:
        for size in wanted:
            if options.missing and size in figures and not figures[size]["failed"]:
                continue
            keep(size, measure_map(browser, made[size], times=times, port=options.port, say=say), browser.version)
        if "50k" in wanted and not options.no_plotly and not (options.missing and "plotly" in figures):
            say("plotly's map, 50,000 rows")
            found = measure_baseline(
                browser,
                Path(made["50k"].root),
                firsts=times.firsts,
                releases=max(2, times.lassos // 2),
                port=options.port,
            )
            keep("plotly", found, browser.version)
    table = markdown(figures)
    print(json.dumps(figures, indent=1) if options.json else table)
    if options.write:
        write_section(PAGE, SECTION, table, HEADING)
    failed = [f"{size}, {part}: {why}" for size in wanted for part, why in figures[size]["failed"].items()]
    for line in failed:
        say(f"FAILED: {line}")
    return 1 if failed else 0


def _made(size: str, options: argparse.Namespace) -> Made:
    root = options.workspace / size
    return real_50k(root, options.data, say=say) if size == "50k" else million(root, say=say)


if __name__ == "__main__":
    sys.exit(main())
