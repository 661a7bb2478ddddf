// What stands out: the view, the cuts, the budget and the categories that are shown alone, with all counts.

class Limits {
  constructor(map) {
    this.map = map;
    this.cuts = new Map(); // column -> CutSlider
    this.budget = null;
    this.alone = null; // codes shown alone, or null for all
    this.kinds = null; // kept rows by code + 1
    this.numbers = { kept: 0, lit: 0 };
    this.moving = null; // the slider that moves
    this.changed = true; // the rows to draw are others than those drawn
    this.root = el("div", { class: "pm-controls" });
  }

  sliders() {
    return [...this.cuts.values(), ...(this.budget ? [this.budget] : [])].filter((slider) => slider.array);
  }

  get cutting() {
    return [...this.cuts.values()].some((cut) => cut.active);
  }

  // Bring sliders and counts up to date with the data and the arrays that are there.
  sync() {
    const { map } = this;
    const { cuts, budget, n } = map.data;
    if (this.rows?.n !== n) this.rows = new Rows(n);
    for (const column of [...this.cuts.keys()]) if (!cuts.some((cut) => cut.column === column)) this.cuts.delete(column);
    for (const cut of cuts) if (!this.cuts.has(cut.column)) this.cuts.set(cut.column, new CutSlider(map, cut.column));
    if (!budget) this.budget = null;
    else this.budget ??= new BudgetSlider(map);
    const wanted = [...cuts.map((cut) => this.cuts.get(cut.column).root), ...(budget ? [this.budget.root] : [])];
    if (wanted.length !== this.root.children.length || wanted.some((node, i) => this.root.children[i] !== node)) {
      this.root.replaceChildren(...wanted);
    }
    this.root.hidden = !wanted.length;
    for (const cut of cuts) this.cuts.get(cut.column).sync(cut);
    if (budget) this.budget.sync(budget);
    const array = map.column();
    this.kinds = map.data.colour?.kind === "categories" && array ? new Uint32Array(array.most + 2) : null;
    this.recount();
  }

  lit() {
    return this.map.data.lit ? useArray("mask", this.map.data.lit) : null;
  }

  prepare(source) {
    if (this.map.array) this.rows.prepare(source, this.lit()?.values, this.map.array, this.sliders());
  }

  // A slider moved. Counted in the next frame, once however many events came before it.
  step(source, event) {
    if (!this.map.array) return;
    if (this.rows.for !== source) this.prepare(source);
    this.moving = source;
    this.map.ask("step", event);
  }

  // It came to rest: the other sliders' bars are out of date.
  settle() {
    this.map.later(() => this.histograms());
    this.map.tellAloud();
  }

  recount() {
    if (!this.map.array) return;
    this.moving = this.sliders().find((slider) => slider.track.busy) ?? null;
    this.prepare(this.moving);
    this.select();
    this.settle();
  }

  select() {
    const { map, rows, moving } = this;
    if (rows.for !== moving) this.prepare(moving); // the bars were counted in between
    const codes = this.kinds ? map.column().values : null;
    const alone = this.alone && this.kinds ? Uint8Array.from(this.kinds, (_, k) => (this.alone.has(k - 1) ? 1 : 0)) : null;
    rows.select(moving?.active ? moving.filter : null, codes, this.kinds, alone);
    this.numbers = { kept: rows.kept, lit: this.lit()?.count ?? map.data.n };
    this.changed = true;
    map.legend.update(moving?.track.busy);
    for (const slider of this.sliders()) slider.tell();
    tellCounts(map);
  }

  histograms() {
    if (!this.map.array || this.sliders().some((slider) => slider.track.busy)) return;
    for (const slider of this.cuts.values()) {
      if (!slider.array) continue;
      this.prepare(slider);
      slider.histogram(this.rows.base);
    }
  }

  // Draw the bars anew, for another width.
  paint() {
    for (const slider of this.cuts.values()) if (slider.counts) slider.track.bars(slider.counts, this.map.theme);
  }

  // Show one category alone, or with `more` together with those that are.
  isolate(code, more = false) {
    const only = this.alone !== null && this.alone.size === 1 && this.alone.has(code);
    if (code === null || (only && !more)) this.alone = null;
    else if (!more || this.alone === null) this.alone = new Set([code]);
    else {
      this.alone = new Set(this.alone);
      if (!this.alone.delete(code)) this.alone.add(code);
      if (!this.alone.size) this.alone = null;
    }
    this.recount();
    this.map.legend.update();
    this.map.ask("points");
  }

  // Rows of each category, by code + 1.
  totals() {
    const array = this.map.column();
    if (!array.totals) {
      array.totals = new Uint32Array(array.most + 2);
      for (let i = 0; i < array.n; i++) array.totals[array.values[i] + 1]++;
    }
    return array.totals;
  }
}
