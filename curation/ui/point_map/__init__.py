"""The map: a component of our own that draws up to a million points with WebGL2 and answers with geometry.

How to mount it. Arrays travel once, as raw bytes, through invisible *feeders*; the map names them. Feeders belong in
the body of the page and the map in a fragment, so that a gesture reruns the fragment alone (a feeder costs the server
about 5 ms for each megabyte in every run that mounts it; unchanged bytes do not travel again)::

    points = feed_points(f"{layout_key}.xy", layout.xy)        # body of the page: once
    colour = feed_codes(f"{labels_key}.codes", labels.codes)
    score = feed_numbers(f"{score_key}.values", score.values)

    @st.fragment
    def body():
        lit = feed_mask(f"view.{digest}", mask)                 # small, changes with the view: 1 bit for each row
        events = point_map(key="map", points=points, n=n, mode=mode(), colour=Categories(colour, names, colours, …),
                           lit=lit, cuts=[Cut(score, "quality", None, None)])
        if events.region: …                                     # change the state, then st.rerun(scope="fragment")
    body()
    hover_text(text_of_row, key="map", n=n)                     # its own fragment: hovering reruns nothing else

A gesture comes back once: `point_map` remembers the last `serial` it gave out, also when a run was cut short, and the
browser sends the next gesture only when the last one was taken. A page test puts a gesture in by hand:
`at.session_state["map.inbox"] = [{"serial": 1, "region": {"op": "add", "points": [[0, 0], [1, 0], [1, 1]]}}]`, with
`"cut": {"column", "low", "high"}`, `"budget": {"value"}` or `"clicked": {"row"}` for the others.

Hooks for tests and `benchmarks/browser.py`. They lie in an open shadow root, which Playwright's selectors enter:

- `canvas.pm-points` has `data-key` (the map's key), `data-ready` ("1" once all named arrays are there and drawn, "0"
  before), `data-points` (n), `data-placed` (points with a place), `data-lit` (rows in the view), `data-kept` (rows kept
  by view, cuts and budget), `data-inside` (points inside the last lasso or box), `data-frames` (frames drawn so far),
  `data-seen` (serial of the last gesture that the server took), `data-sent` (of the last one sent), `data-tool`,
  `data-zoom`, `data-row` (the row under the pointer, or empty), `data-mode`, `data-names` (names written on the map),
  `data-drawing` ("gpu", or "cpu" where there is no graphics card: WebGL emulated in software is 20 times slower than
  our own loop; set `globalThis.curationPointMap = {drawing: "gpu"}` before the page loads to have it all the same).
- The canvas sends `curation-map-drawn` after each frame (bubbling, out of the shadow root; `detail`: `key`, `cause`,
  `frame`, `kept`, `ms` = milliseconds from the first input event that asked for the frame to the end of drawing) and
  `curation-map-taken` when the server's answer to a gesture has arrived (`detail`: `key`, `serial`, `ms` since the
  gesture ended). `ms` of a frame waits for the graphics card only where `globalThis.curationPointMap.probe = true`.
- `globalThis.curationPointMap.maps` is a Map from key to the map, with `screenOf(x, y)` → `[clientX, clientY]` of a
  place in data coordinates, `dataOf(clientX, clientY)`, `view()`, `setView(view)`, `pixel(clientX, clientY)` → RGBA,
  `timeFrame()` → milliseconds of one full frame, waited for, and `counts()`.
- `.pm-cut[data-column=…]` is a cut: `.pm-handle[data-end="low"|"high"]` are its handles (role slider, arrow keys),
  `input[data-end=…]` its numbers, `.pm-cut-count` what it says. `.pm-budget` has one `.pm-handle` and one `input`.
- `button[data-act=…]`: pan, lasso, box, replace, add, subtract, in, out, fit, all, style.
  `.pm-legend-entry[data-code]`, `.pm-count`, `.pm-tooltip`, `.pm-live` (what a screen reader hears).
"""

from curation.ui.point_map.component import point_map
from curation.ui.point_map.events import Budgeted, Clicked, CutMade, MapEvents, Region
from curation.ui.point_map.feeds import feed_codes, feed_mask, feed_numbers, feed_points, feed_ranks
from curation.ui.point_map.hover import Hovered, hover_text
from curation.ui.point_map.parts import BudgetCut, Categories, Cut, Numbers, PlaceName, Shape

__all__ = [
    "BudgetCut",
    "Budgeted",
    "Categories",
    "Clicked",
    "Cut",
    "CutMade",
    "Hovered",
    "MapEvents",
    "Numbers",
    "PlaceName",
    "Region",
    "Shape",
    "feed_codes",
    "feed_mask",
    "feed_numbers",
    "feed_points",
    "feed_ranks",
    "hover_text",
    "point_map",
]
