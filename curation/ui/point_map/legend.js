// What the colours mean. A click on a category leaves it alone in colour; nothing is sent.

const MOST_ENTRIES = 400;
const ROOM = 232; // pixels that the legend takes from the frame

class Legend {
  constructor(map) {
    this.map = map;
    this.title = el("span", { class: "pm-legend-title" });
    this.clear = el("button", { type: "button", class: "pm-link", text: "show all", hidden: true });
    this.clear.addEventListener("click", () => map.limits.isolate(null));
    this.fold = el("button", { type: "button", class: "pm-button pm-small", title: "Fold the legend", "aria-label": "Fold the legend", "aria-expanded": "true" }, icon("down"));
    this.fold.addEventListener("click", () => this.folded((map.settings.folded = !this.body.hidden)));
    this.body = el("div", { class: "pm-legend-body" });
    this.root = el("section", { class: "pm-card pm-legend", "aria-label": "Legend", hidden: true }, [
      el("header", {}, [this.title, this.clear, this.fold]),
      this.body,
    ]);
    this.made = "";
    this.entries = [];
  }

  folded(value) {
    this.body.hidden = value;
    this.fold.setAttribute("aria-expanded", String(!value));
    this.root.classList.toggle("pm-folded", value);
    this.map.measure();
    this.map.ask("overlay");
  }

  // Folded at first where the frame is small; elsewhere the map makes room for it.
  fit() {
    const { map } = this;
    if (!map.width) return;
    const small = map.width < 520 || map.height < 360;
    map.inset = this.root.hidden || small ? 0 : ROOM;
    if (!this.root.hidden) this.folded(map.settings.folded ?? small);
  }

  // Build what the colour needs; called when colour, theme or arrays change.
  build() {
    const { map } = this;
    const { colour } = map.data;
    const array = colour && map.column();
    // one category explains itself
    this.root.hidden = !array || (colour.kind === "categories" && colour.names.length < 2);
    const made = array ? JSON.stringify([colour, map.data.mode, map.data.n]) : "";
    if (made === this.made) return;
    this.made = made;
    this.entries = [];
    this.body.replaceChildren();
    this.fit(); // the arrays may come after the frame has its size
    if (!array) return;
    if (colour.kind === "categories") this.categories(colour);
    else this.numbers(colour);
  }

  categories(colour) {
    const { map } = this;
    const totals = map.limits.totals();
    const codes = [...totals.keys()].map((k) => k - 1).filter((code) => totals[code + 1] > 0);
    codes.sort((a, b) => (a < 0) - (b < 0) || totals[b + 1] - totals[a + 1] || a - b);
    write(this.title, `${count(codes.filter((c) => c >= 0).length)} categories`);
    for (const code of codes.slice(0, MOST_ENTRIES)) {
      const name = code < 0 ? colour.none_name : (colour.names[code] ?? `category ${code}`);
      const dot = el("i", { class: "pm-dot" });
      dot.style.background = map.categoryColour(code);
      const number = el("span", { class: "pm-number" });
      const entry = el(
        "button",
        { type: "button", class: "pm-legend-entry", "data-code": code, "aria-pressed": "false", title: `${name} — click: only this one; with Ctrl: this one too` },
        [dot, el("span", { class: "pm-name", text: name }), number],
      );
      entry.addEventListener("click", (event) => map.limits.isolate(code, event.ctrlKey || event.metaKey || event.shiftKey));
      this.entries.push({ code, number, entry });
      this.body.append(entry);
    }
    if (codes.length > MOST_ENTRIES) {
      this.body.append(el("p", { class: "pm-note", text: `${count(codes.length - MOST_ENTRIES)} smaller ones` }));
    }
    this.update();
  }

  numbers(colour) {
    const { map } = this;
    write(this.title, colour.label);
    this.title.title = colour.label;
    const steps = colour.colours.length > 1 ? colour.colours : [colour.colours[0], colour.colours[0]];
    const bar = el("div", { class: "pm-bar" });
    bar.style.background = `linear-gradient(to top, ${steps.join(", ")})`;
    const scale = el("div", { class: "pm-scale" });
    for (const tick of ticksOf(colour.low, colour.high)) {
      const at = colour.high > colour.low ? (tick - colour.low) / (colour.high - colour.low) : 0.5;
      const mark = el("span", { text: number(tick) });
      mark.style.bottom = `${100 * at}%`;
      scale.append(mark);
    }
    this.body.append(el("div", { class: "pm-colourbar" }, [bar, scale]));
    if (colour.better !== null) this.body.append(el("p", { class: "pm-note", text: colour.better ? "↑ higher is better" : "↓ lower is better" }));
    const missing = map.data.n - (map.column().known ?? map.data.n);
    if (missing) {
      const dot = el("i", { class: "pm-dot" });
      dot.style.background = colour.none ?? map.theme.noise;
      this.body.append(el("p", { class: "pm-note pm-missing" }, [dot, el("span", { text: `${count(missing)} without a number` })]));
    }
  }

  // Counts of what is kept; while a slider moves only the entries that can be in sight.
  update(quick = false) {
    const { map } = this;
    if (map.data.colour?.kind !== "categories" || !map.limits.kinds) return;
    const { alone } = map.limits;
    for (const { code, number, entry } of quick ? this.entries.slice(0, 24) : this.entries) {
      write(number, count(map.limits.kinds[code + 1] ?? 0));
      const off = alone !== null && !alone.has(code);
      entry.classList.toggle("pm-off", off);
      entry.setAttribute("aria-pressed", String(alone !== null && !off));
    }
    this.clear.hidden = alone === null;
  }
}
