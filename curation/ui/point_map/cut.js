// A cut: a range over a score, with its histogram. It acts on the map while dragged and tells the server once.

const BINS = 72;

function niceStep(span) {
  return span > 0 ? 10 ** Math.floor(Math.log10(span / 300)) : 1;
}

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
    if (!this.track.busy && !this.map.sender.pending("cut", this.column)) [this.low, this.high] = [cut.low, cut.high];
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
    this.map.limits.prepare(this);
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
    this.map.limits.step(this, event);
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
    this.map.limits.settle();
    if (this.before && (this.before[0] !== this.low || this.before[1] !== this.high)) {
      this.map.sender.send("cut", { column: this.column, low: this.low, high: this.high });
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
    const { kept, lit } = this.map.limits.numbers;
    const { array } = this;
    if (!array?.known) return write(this.count, array ? "no row has a number" : "");
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
