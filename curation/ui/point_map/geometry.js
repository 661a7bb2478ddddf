// Shapes, places and numbers. Nothing here touches the page.

const MOST_CORNERS = 200;
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

// The even-odd rule, number for number as curation.figures.geometry.inside_polygon, so that both sides count alike.
// Edges are sorted into bands of y, so that a point meets only the few edges that its height can cross.
class Polygon {
  constructor(points) {
    const xs = points.map((p) => p[0]);
    const ys = points.map((p) => p[1]);
    this.box = [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
    this.bands = Array.from({ length: 64 }, () => []);
    this.height = (this.box[3] - this.box[1]) / this.bands.length;
    for (let i = 0; points.length > 2 && i < points.length; i++) {
      const [x0, y0] = points[(i + points.length - 1) % points.length];
      const [x1, y1] = points[i];
      if (y0 === y1) continue;
      const last = this.band(Math.max(y0, y1));
      for (let b = this.band(Math.min(y0, y1)); b <= last; b++) this.bands[b].push(x0, y0, x1, y1);
    }
  }

  band(y) {
    return clamp(Math.floor((y - this.box[1]) / this.height) || 0, 0, this.bands.length - 1);
  }

  contains(x, y) {
    const box = this.box;
    if (!(x >= box[0] && x <= box[2] && y >= box[1] && y <= box[3])) return false;
    const edges = this.bands[this.band(y)];
    let crossed = false;
    for (let e = 0; e < edges.length; e += 4) {
      const x0 = edges[e];
      const y0 = edges[e + 1];
      const x1 = edges[e + 2];
      const y1 = edges[e + 3];
      if (y0 > y !== y1 > y && x < ((x1 - x0) * (y - y0)) / (y1 - y0) + x0) crossed = !crossed;
    }
    return crossed;
  }

  // [all points inside, those of them whose flag is set]
  count(xy, flags) {
    let all = 0;
    let flagged = 0;
    for (let i = 0; i < flags.length; i++) {
      if (this.contains(xy[2 * i], xy[2 * i + 1])) {
        all++;
        if (flags[i]) flagged++;
      }
    }
    return [all, flagged];
  }
}

// Douglas and Peucker: leaves out corners that lie within `tolerance` of the line that remains.
function simplified(points, tolerance) {
  const keep = new Uint8Array(points.length);
  keep[0] = keep[points.length - 1] = 1;
  const open = [[0, points.length - 1]];
  while (open.length) {
    const [first, last] = open.pop();
    const [ax, ay] = points[first];
    const dx = points[last][0] - ax;
    const dy = points[last][1] - ay;
    const length = Math.hypot(dx, dy);
    let far = tolerance;
    let at = -1;
    for (let i = first + 1; i < last; i++) {
      const px = points[i][0] - ax;
      const py = points[i][1] - ay;
      const distance = length ? Math.abs(px * dy - py * dx) / length : Math.hypot(px, py);
      if (distance > far) {
        far = distance;
        at = i;
      }
    }
    if (at > 0) {
      keep[at] = 1;
      open.push([first, at], [at, last]);
    }
  }
  return points.filter((_, i) => keep[i]);
}

// A lasso in pixels with at most MOST_CORNERS corners.
function lassoCorners(points) {
  let tolerance = 0.75;
  let found = simplified(points, tolerance);
  while (found.length > MOST_CORNERS) found = simplified(points, (tolerance *= 1.5));
  return found;
}

function areaOf(points) {
  let twice = 0;
  for (let i = 0; i < points.length; i++) {
    const [x0, y0] = points[(i + points.length - 1) % points.length];
    twice += x0 * points[i][1] - points[i][0] * y0;
  }
  return Math.abs(twice) / 2;
}

// The points by cell of a grid over the first view (counting sort); far points lie in the cells at the rim.
class Grid {
  constructor(array) {
    const { values: xy, n, view } = array;
    this.xy = xy;
    this.side = clamp(Math.ceil(Math.sqrt(n / 4)), 1, 512);
    [[this.x, this.y]] = view;
    this.dx = (view[1][0] - view[0][0]) / this.side;
    this.dy = (view[1][1] - view[0][1]) / this.side;
    const cells = new Int32Array(n);
    const starts = new Int32Array(this.side * this.side + 1);
    for (let i = 0; i < n; i++) {
      const x = xy[2 * i];
      const y = xy[2 * i + 1];
      const cell = x - x === 0 && y - y === 0 ? this.column(x) + this.side * this.row(y) : -1;
      cells[i] = cell;
      if (cell >= 0) starts[cell + 1]++;
    }
    for (let c = 0; c < starts.length - 1; c++) starts[c + 1] += starts[c];
    const next = starts.slice();
    this.rows = new Int32Array(starts[starts.length - 1]);
    for (let i = 0; i < n; i++) if (cells[i] >= 0) this.rows[next[cells[i]]++] = i;
    this.starts = starts;
  }

  column(x) {
    return clamp(Math.floor((x - this.x) / this.dx), 0, this.side - 1);
  }

  row(y) {
    return clamp(Math.floor((y - this.y) / this.dy), 0, this.side - 1);
  }

  // The nearest point within `radius` pixels, those with a flag before all others; −1 for none.
  nearest(x, y, sx, sy, radius, flags) {
    let best = -1;
    let bestFlag = 0;
    let bestDistance = radius * radius;
    const last = this.row(y + radius / sy);
    const right = this.column(x + radius / sx);
    for (let r = this.row(y - radius / sy); r <= last; r++) {
      for (let c = this.column(x - radius / sx); c <= right; c++) {
        const cell = r * this.side + c;
        for (let k = this.starts[cell]; k < this.starts[cell + 1]; k++) {
          const i = this.rows[k];
          const px = (this.xy[2 * i] - x) * sx;
          const py = (this.xy[2 * i + 1] - y) * sy;
          const distance = px * px + py * py;
          if (distance > radius * radius) continue;
          const flag = flags[i] ? 1 : 0;
          if (flag > bestFlag || (flag === bestFlag && distance < bestDistance)) {
            best = i;
            bestFlag = flag;
            bestDistance = distance;
          }
        }
      }
    }
    return best;
  }
}

// ------------------------------------------------------------------ colours and numbers

function rgb(css) {
  const hex = /^#?([0-9a-f]{6})$/i.exec(css.trim());
  if (!hex) return [128, 128, 128];
  const whole = parseInt(hex[1], 16);
  return [whole >> 16, (whole >> 8) & 255, whole & 255];
}

// 256 colours between those given, as one 32-bit number each, in the byte order that WebGL reads.
function ramp(colours) {
  const stops = colours.map(rgb);
  const table = new Uint32Array(256);
  for (let i = 0; i < 256; i++) {
    const at = (i / 255) * (stops.length - 1);
    const from = Math.min(Math.floor(at), Math.max(stops.length - 2, 0));
    const to = Math.min(from + 1, stops.length - 1);
    table[i] = packedColour(stops[from].map((v, c) => Math.round(v + (stops[to][c] - v) * (at - from))));
  }
  return table;
}

const packedColour = ([r, g, b]) => ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const count = (value) => whole.format(value);
const share = (part, of) => (of ? `${((100 * part) / of).toFixed(1)} %` : "–");

function number(value) {
  if (!Number.isFinite(value)) return "–";
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return whole.format(value);
  const short = Number(value.toPrecision(4));
  return Math.abs(short) >= 1e-3 && Math.abs(short) < 1e7 ? String(short) : short.toExponential();
}

// The shortest decimal that is the same float32.
function shortest(value) {
  for (let digits = 1; digits < 10; digits++) {
    const text = value.toPrecision(digits);
    if (Math.fround(Number(text)) === value) return String(Number(text));
  }
  return String(value);
}

// 2 to 6 round numbers in a span.
function ticksOf(low, high) {
  const raw = (high - low) / 4;
  if (!(raw > 0)) return [low];
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= raw);
  const ticks = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k++) ticks.push(Number((k * step).toPrecision(12)));
  return ticks;
}
