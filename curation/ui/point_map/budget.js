// The budget: the first rows of a nested order stand out while the slider moves.

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
    if (!this.track.busy && !this.map.sender.pending("budget")) this.value = clamp(budget.value, 0, budget.most);
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
    this.map.limits.prepare(this);
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
    this.map.limits.step(this, event);
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
    this.map.limits.settle();
    if (this.before !== null && this.before !== undefined && this.before !== this.value) this.map.sender.send("budget", { value: this.value });
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
    const { kept } = this.map.limits.numbers;
    const first = `first ${count(this.value)} of ${count(this.budget.most)}`;
    write(this.count, kept === this.value ? first : `${first} · ${count(kept)} of them in view`);
  }

  histogram() {}
}
