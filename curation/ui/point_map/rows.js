// Which rows stand out: one pass over the rows for each step of a slider, with every count that is shown.

const OUT = 0; // not in the view, or left out by another limit
const UNPLACED = 1;
const PLACED = 3;

class Rows {
  constructor(n) {
    this.n = n;
    this.base = new Uint8Array(n); // OUT, UNPLACED or PLACED by everything but the slider that moves
    this.keep = new Uint8Array(n);
    this.index = new Uint32Array(n); // rows to draw
    this.for = undefined; // the slider that `base` leaves out
  }

  // Everything but one slider; `null` leaves out none.
  prepare(source, lit, points, sliders) {
    const { base, n } = this;
    const filters = sliders.filter((slider) => slider !== source && slider.active).map((slider) => slider.filter);
    const placed = placedFlags(points);
    if (placed) for (let i = 0; i < n; i++) base[i] = placed[i] ? PLACED : UNPLACED;
    else base.fill(PLACED);
    if (lit) for (let i = 0; i < n; i++) if (!lit[i]) base[i] = OUT;
    for (const filter of filters) limit(base, filter);
    this.for = source;
  }

  // kinds: counts by code + 1, filled here; alone: flags by code + 1, or null where all are drawn
  select(filter, codes, kinds, alone) {
    const { base, keep, index, n } = this;
    const values = filter ? filter.values : null;
    const low = filter ? filter.low : 0;
    const high = filter ? filter.high : 0;
    let kept = 0;
    let drawn = 0;
    keep.fill(0);
    if (kinds) kinds.fill(0);
    for (let i = 0; i < n; i++) {
      const state = base[i];
      if (state === OUT) continue;
      if (values !== null) {
        const value = values[i];
        if (!(value >= low && value <= high)) continue;
      }
      keep[i] = 1;
      kept++;
      const kind = codes === null ? 0 : codes[i] + 1;
      if (kinds !== null) kinds[kind]++;
      if (state === PLACED && (alone === null || alone[kind])) index[drawn++] = i;
    }
    this.kept = kept;
    this.drawn = drawn;
  }
}

function limit(base, { values, low, high }) {
  for (let i = 0; i < base.length; i++) if (!(values[i] >= low && values[i] <= high)) base[i] = OUT;
}

function placedFlags(points) {
  if (points.placed === points.n) return null;
  if (points.flags) return points.flags;
  const { values: xy, n } = points;
  points.flags = new Uint8Array(n);
  for (let i = 0; i < n; i++) points.flags[i] = Number.isFinite(xy[2 * i]) && Number.isFinite(xy[2 * i + 1]) ? 1 : 0;
  return points.flags;
}

// What the graphics card gets: points without a place lie far outside every view.
function drawnPoints(points) {
  const flags = placedFlags(points);
  if (!flags) return points.values;
  if (!points.drawn) {
    points.drawn = points.values.slice();
    for (let i = 0; i < points.n; i++) if (!flags[i]) points.drawn[2 * i] = points.drawn[2 * i + 1] = 1e30;
  }
  return points.drawn;
}

// One 32-bit colour for each row.
function colourRows(n, colour, array, theme, categoryColour) {
  const colours = new Uint32Array(n);
  if (!colour || !array) return colours.fill(packedColour(rgb(theme.main)));
  const { values } = array;
  if (colour.kind === "categories") {
    const table = new Uint32Array((array.most ?? -1) + 2);
    for (let k = 0; k < table.length; k++) table[k] = packedColour(rgb(categoryColour(k - 1)));
    for (let i = 0; i < n; i++) colours[i] = table[values[i] + 1];
    return colours;
  }
  const table = ramp(colour.colours);
  const none = packedColour(rgb(colour.none ?? theme.noise));
  const span = colour.high - colour.low;
  for (let i = 0; i < n; i++) {
    const value = values[i];
    if (value !== value) colours[i] = none;
    else colours[i] = table[span > 0 ? clamp(Math.round(((value - colour.low) / span) * 255), 0, 255) : 128];
  }
  return colours;
}
