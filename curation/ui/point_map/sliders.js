// Cuts and the budget: sliders that act on the map while they are dragged and tell the server once, on release.

const BINS = 72;
const KEY_REST = 450; // milliseconds after the last key press until the value is sent

// What both have in common: a track with handles that can be dragged and moved by keys.
class Track {
  constructor(names, owner) {
    this.owner = owner;
    this.canvas = el("canvas", { class: "pm-histogram", "aria-hidden": "true" });
    this.fill = el("div", { class: "pm-fill" });
    this.handles = names.map(([end, label]) => {
      const handle = el("div", { class: "pm-handle", role: "slider", tabindex: "0", "data-end": end, "aria-label": label });
      handle.addEventListener("keydown", (event) => this.key(event, end));
      handle.addEventListener("blur", () => this.rest(0));
      return handle;
    });
    this.root = el("div", { class: "pm-track" }, [this.canvas, el("div", { class: "pm-rail" }), this.fill, ...this.handles]);
    this.root.addEventListener("pointerdown", (event) => this.down(event));
    this.root.addEventListener("pointermove", (event) => this.move(event));
    this.root.addEventListener("pointerup", () => this.up());
    this.root.addEventListener("pointercancel", () => this.up());
  }

  share(event) {
    const box = this.root.getBoundingClientRect();
    return clamp((event.clientX - box.left) / Math.max(box.width, 1), 0, 1);
  }

  down(event) {
    if (event.button) return;
    const at = this.share(event);
    const named = event.target.getAttribute("data-end");
    this.dragged = named ?? this.owner.nearest(at);
    this.root.setPointerCapture(event.pointerId);
    this.handles.find((h) => h.dataset.end === this.dragged)?.focus({ preventScroll: true });
    this.owner.grab();
    if (!named) this.owner.moveTo(this.dragged, at, event);
    event.preventDefault();
  }

  move(event) {
    if (this.dragged) this.owner.moveTo(this.dragged, this.share(event), event);
  }

  up() {
    if (!this.dragged) return;
    this.dragged = null;
    this.owner.release();
  }

  key(event, end) {
    const steps = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10, Home: -Infinity, End: Infinity };
    const by = steps[event.key];
    if (by === undefined) {
      if (event.key === "Enter") this.rest(0);
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    if (!this.timer) this.owner.grab();
    this.owner.nudge(end, by, event);
    this.rest(KEY_REST);
  }

  rest(after) {
    if (!this.timer && !after) return;
    clearTimeout(this.timer);
    const done = () => {
      this.timer = null;
      this.owner.release();
    };
    if (after) this.timer = setTimeout(done, after);
    else done();
  }

  get busy() {
    return Boolean(this.dragged || this.timer);
  }

  // Shares of the width: [low, high] of what is kept.
  place(low, high) {
    this.fill.style.left = `${100 * low}%`;
    this.fill.style.right = `${100 * (1 - high)}%`;
    const ends = { low, high, value: high };
    for (const handle of this.handles) handle.style.left = `${100 * ends[handle.dataset.end]}%`;
    this.shown = [low, high];
  }

  bars(counts, theme) {
    const { canvas } = this;
    const ratio = Math.min(globalThis.devicePixelRatio || 1, 2);
    const width = Math.round(canvas.clientWidth * ratio);
    const height = Math.round(canvas.clientHeight * ratio);
    if (!width || !height || !this.shown) return;
    if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
    const pen = canvas.getContext("2d");
    pen.clearRect(0, 0, width, height);
    const most = Math.max(...counts, 1);
    const bar = width / counts.length;
    for (let b = 0; b < counts.length; b++) {
      if (!counts[b]) continue;
      const middle = (b + 0.5) / counts.length;
      pen.fillStyle = middle >= this.shown[0] && middle <= this.shown[1] ? theme.main : theme.context;
      const tall = Math.max((counts[b] / most) * height, ratio);
      pen.fillRect(b * bar + 0.15 * bar, height - tall, 0.7 * bar, tall);
    }
  }
}

function niceStep(span) {
  return span > 0 ? 10 ** Math.floor(Math.log10(span / 300)) : 1;
}

// ------------------------------------------------------------------ a cut

class CutSlider {
  constructor(map, column) {
    this.map = map;
    this.column = column;
    this.low = this.high = null;
    this.track = new Track([["low", "Least value kept"], ["high", "Greatest value kept"]], this);
    this.label = el("span", { class: "pm-cut-label" });
    this.count = el("span", { class: "pm-cut-count" });
    this.reset = el("button", { type: "button", class: "pm-button pm-small", title: "No limit", "aria-label": "No limit" }, icon("reset"));
    this.reset.addEventListener("click", () => {
      this.grab();
      this.low = this.high = null;
      this.changed();
      this.release();
    });
    this.inputs = ["low", "high"].map((end) => {
      const input = el("input", { type: "text", inputmode: "decimal", "data-end": end, autocomplete: "off" });
      input.addEventListener("change", () => this.typed(end, input));
      input.addEventListener("keydown", (event) => event.stopPropagation());
      return input;
    });
    this.root = el("div", { class: "pm-cut", "data-column": column, role: "group" }, [
      el("div", { class: "pm-cut-head" }, [this.label, this.count, this.reset]),
      el("div", { class: "pm-cut-line" }, [this.inputs[0], this.track.root, this.inputs[1]]),
    ]);
  }

  get array() {
    return useArray("numbers", this.column);
  }

  get active() {
    return this.low !== null || this.high !== null;
  }

  get filter() {
    return { values: this.array.values, low: this.low ?? -Infinity, high: this.high ?? Infinity };
  }

  // Take over what the server says, unless the user is just moving it.
  sync(cut) {
    this.cut = cut;
    const direction = cut.better === null ? "" : cut.better ? " ↑" : " ↓";
    write(this.label, cut.label + direction);
    this.label.title = cut.label + (cut.better === null ? "" : cut.better ? " (higher is better)" : " (lower is better)");
    this.root.setAttribute("aria-label", `Cut by ${cut.label}`);
    for (const [i, name] of [[0, "Least"], [1, "Greatest"]]) this.inputs[i].setAttribute("aria-label", `${name} ${cut.label} kept`);
    for (const [i, name] of [[0, "Least"], [1, "Greatest"]]) this.track.handles[i].setAttribute("aria-label", `${name} ${cut.label} kept`);
    if (!this.track.busy && !this.map.pending("cut", this.column)) [this.low, this.high] = [cut.low, cut.high];
    const { array } = this;
    this.root.classList.toggle("pm-loading", !array?.known);
    if (array?.known) this.domain(array);
    this.show();
  }

  domain(array) {
    let [low, high] = array.high > array.low ? [array.low, array.high] : [array.least, array.greatest];
    if (!(high > low)) [low, high] = [low - 0.5, high + 0.5];
    this.from = low;
    this.to = high;
    this.step = array.whole ? Math.max(1, niceStep(high - low)) : niceStep(high - low);
    for (const input of this.inputs) input.placeholder = number(input.dataset.end === "low" ? array.least : array.greatest);
  }

  shareOf(value) {
    return clamp((value - this.from) / (this.to - this.from), 0, 1);
  }

  nearest(at) {
    const low = this.low === null ? 0 : this.shareOf(this.low);
    const high = this.high === null ? 1 : this.shareOf(this.high);
    return Math.abs(at - low) < Math.abs(at - high) || (low === high && at < low) ? "low" : "high";
  }

  rounded(value) {
    return Math.fround(Number((Math.round(value / this.step) * this.step).toPrecision(9)));
  }

  grab() {
    this.before = [this.low, this.high];
    this.map.prepare(this);
  }

  moveTo(end, at, event) {
    if (this.from === undefined) return;
    const open = end === "low" ? at <= 0 : at >= 1;
    this.set(end, open ? null : this.rounded(this.from + at * (this.to - this.from)), event);
  }

  nudge(end, by, event) {
    if (this.from === undefined) return;
    if (!Number.isFinite(by)) {
      const toOwnEnd = (end === "low") === by < 0;
      this.set(end, toOwnEnd ? null : end === "low" ? (this.high ?? this.rounded(this.to)) : (this.low ?? this.rounded(this.from)), event);
      return;
    }
    const now = this[end] ?? (end === "low" ? this.from : this.to);
    const next = this.rounded(now + by * Math.max(this.step, (this.to - this.from) / 200));
    this.set(end, end === "low" ? (next <= this.from ? null : next) : next >= this.to ? null : next, event);
  }

  set(end, value, event) {
    if (value !== null) value = end === "low" ? Math.min(value, this.high ?? Infinity) : Math.max(value, this.low ?? -Infinity);
    if (this[end] === value) return;
    this[end] = value;
    this.changed(event);
  }

  changed(event) {
    this.map.step(this, event);
    this.show();
  }

  typed(end, input) {
    const text = input.value.trim().replace(",", ".");
    const value = text === "" ? null : Math.fround(Number(text));
    const wrong = value !== null && !Number.isFinite(value);
    input.setAttribute("aria-invalid", String(wrong));
    if (wrong) return this.show();
    this.grab();
    this.set(end, value);
    this.release();
    this.show();
  }

  release() {
    this.map.settle();
    if (this.before && (this.before[0] !== this.low || this.before[1] !== this.high)) {
      this.map.send("cut", { column: this.column, low: this.low, high: this.high });
    }
    this.before = null;
  }

  show() {
    const [low, high] = [this.low === null ? 0 : this.shareOf(this.low), this.high === null ? 1 : this.shareOf(this.high)];
    this.track.place(low, high);
    const root = this.root.getRootNode();
    for (const input of this.inputs) {
      const value = this[input.dataset.end];
      if (root.activeElement !== input || input.getAttribute("aria-invalid") === "true") input.value = value === null ? "" : shortest(value);
    }
    if (this.from === undefined) return;
    this.track.handles.forEach((handle, i) => {
      const value = i ? this.high : this.low;
      handle.setAttribute("aria-valuemin", String(this.from));
      handle.setAttribute("aria-valuemax", String(this.to));
      handle.setAttribute("aria-valuenow", String(value ?? (i ? this.to : this.from)));
      handle.setAttribute("aria-valuetext", value === null ? "no limit" : shortest(value));
    });
    this.reset.style.visibility = this.active ? "visible" : "hidden";
    this.tell();
    if (this.counts) this.track.bars(this.counts, this.map.theme);
  }

  tell() {
    const { kept, lit } = this.map.numbers;
    const { array } = this;
    if (!array) return;
    const missing = this.active ? array.n - array.known : 0;
    const text = this.active ? `${count(kept)} kept · ${share(kept, lit)}` : "no limit";
    write(this.count, missing ? `${text} · ${count(missing)} without a number` : text);
  }

  // Bars over the rows that all other limits keep.
  histogram(base) {
    if (this.from === undefined) return;
    const { values } = this.array;
    const counts = new Float64Array(BINS);
    const scale = BINS / (this.to - this.from);
    for (let i = 0; i < values.length; i++) {
      if (!base[i]) continue;
      const bin = Math.floor((values[i] - this.from) * scale);
      if (bin >= 0 && bin < BINS) counts[bin]++;
      else if (values[i] >= this.to) counts[BINS - 1]++;
      else if (values[i] < this.from) counts[0]++;
    }
    this.counts = counts;
    this.track.bars(counts, this.map.theme);
  }
}

// ------------------------------------------------------------------ the budget

class BudgetSlider {
  constructor(map) {
    this.map = map;
    this.value = 0;
    this.track = new Track([["value", "Budget"]], this);
    this.label = el("span", { class: "pm-cut-label" });
    this.count = el("span", { class: "pm-cut-count" });
    this.input = el("input", { type: "text", inputmode: "numeric", "data-end": "value", autocomplete: "off", "aria-label": "Budget in rows" });
    this.input.addEventListener("change", () => this.typed());
    this.input.addEventListener("keydown", (event) => event.stopPropagation());
    this.root = el("div", { class: "pm-cut pm-budget", role: "group", "aria-label": "Budget" }, [
      el("div", { class: "pm-cut-head" }, [this.label, this.count]),
      el("div", { class: "pm-cut-line" }, [this.track.root, this.input]),
    ]);
  }

  get array() {
    return this.budget && useArray("ranks", this.budget.column);
  }

  get active() {
    return Boolean(this.array);
  }

  get filter() {
    return { values: this.array.values, low: 0, high: this.value - 1 };
  }

  sync(budget) {
    this.budget = budget;
    write(this.label, budget.label);
    this.track.handles[0].setAttribute("aria-label", budget.label);
    if (!this.track.busy && !this.map.pending("budget")) this.value = clamp(budget.value, 0, budget.most);
    this.root.classList.toggle("pm-loading", !this.array);
    this.show();
  }

  // Small budgets have more room than large ones: the share of the track is the square root of the share of rows.
  shareOf(value) {
    return Math.sqrt(value / Math.max(this.budget.most, 1));
  }

  nearest() {
    return "value";
  }

  grab() {
    this.before = this.value;
    this.map.prepare(this);
  }

  moveTo(_, at, event) {
    const raw = at * at * this.budget.most;
    const step = Math.max(1, 10 ** Math.floor(Math.log10(Math.max(raw, 1)) - 1.5));
    this.set(at >= 1 ? this.budget.most : Math.round(raw / step) * step, event);
  }

  nudge(_, by, event) {
    if (!Number.isFinite(by)) return this.set(by < 0 ? 0 : this.budget.most, event);
    const step = Math.max(1, 10 ** Math.floor(Math.log10(Math.max(this.value, 1)) - 1));
    return this.set(this.value + by * step, event);
  }

  set(value, event) {
    value = clamp(Math.round(value), 0, this.budget.most);
    if (value === this.value) return;
    this.value = value;
    this.map.step(this, event);
    this.show();
  }

  typed() {
    const value = Number(this.input.value.replace(/[\s,]/g, ""));
    const wrong = !Number.isFinite(value) || this.input.value.trim() === "";
    this.input.setAttribute("aria-invalid", String(wrong));
    if (!wrong) {
      this.grab();
      this.set(value);
      this.release();
    }
    this.show(true);
  }

  release() {
    this.map.settle();
    if (this.before !== null && this.before !== undefined && this.before !== this.value) this.map.send("budget", { value: this.value });
    this.before = null;
  }

  show(force = false) {
    const { most } = this.budget;
    this.track.place(0, this.shareOf(this.value));
    if (force || this.input.getRootNode().activeElement !== this.input) this.input.value = count(this.value);
    const [handle] = this.track.handles;
    handle.setAttribute("aria-valuemin", "0");
    handle.setAttribute("aria-valuemax", String(most));
    handle.setAttribute("aria-valuenow", String(this.value));
    handle.setAttribute("aria-valuetext", `${count(this.value)} of ${count(most)} rows`);
    this.tell();
  }

  tell() {
    const { kept } = this.map.numbers;
    const first = `first ${count(this.value)} of ${count(this.budget.most)}`;
    write(this.count, kept === this.value ? first : `${first} · ${count(kept)} of them in view`);
  }

  histogram() {}
}
