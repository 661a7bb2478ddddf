// Small histograms, one a score, each with two handles. While a handle moves, what the cut keeps is looked up in a table
// of exact stops; the server hears of it once, when the handle is let go. All text is set by textContent.

const WAIT_MS = 600; // after the last key before a cut moved by the keyboard is sent
const PAGE = 20; // stops that Page Up and Page Down move
const views = new WeakMap(); // root → its cards, between two calls of Streamlit

const whole = new Intl.NumberFormat("en");
const short = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });

function shown(value) {
  const size = Math.abs(value);
  return size !== 0 && (size < 1e-4 || size >= 1e9) ? value.toExponential(2) : short.format(value);
}

function percent(part, all) {
  if (!all) return "–";
  const share = (100 * part) / all;
  return (share > 0 && share < 10) || (share > 99 && share < 100) ? `${share.toFixed(1)} %` : `${Math.round(share)} %`;
}

function made(tag, name, parent, text) {
  const element = document.createElement(tag);
  element.className = name;
  if (text !== undefined) element.textContent = text;
  if (parent) parent.appendChild(element);
  return element;
}

class Card {
  constructor(parent, send) {
    this.send = send;
    this.moving = null; // the handle that is being moved, by pointer or by keys
    const box = (this.box = made("section", "card", parent));
    const head = made("div", "head", box);
    this.dot = made("span", "dot", head);
    this.title = made("button", "title", head);
    this.title.type = "button";
    this.title.onclick = () => this.send("open", this.name());
    this.better = made("span", "better", head);
    const plot = (this.plot = made("div", "plot", box));
    this.grey = made("div", "bars grey", plot);
    this.lit = made("div", "bars lit", plot);
    this.low = this.handle("low");
    this.high = this.handle("high");
    plot.onpointerdown = (event) => this.grab(event);
    plot.onpointermove = (event) => this.drag(event);
    plot.onpointerup = plot.onpointercancel = (event) => this.drop(event);
    const range = made("div", "range", box);
    this.from = made("span", "", range);
    this.notes = made("span", "notes", range);
    this.to = made("span", "", range);
    const foot = made("div", "foot", box);
    this.kept = made("span", "kept", foot);
    this.warning = made("span", "warning", foot);
    this.reset = made("button", "reset", foot, "✕");
    this.reset.type = "button";
    this.reset.onclick = () => {
      this.at = { low: null, high: null };
      this.draw();
      this.commit();
    };
  }

  handle(side) {
    const handle = made("div", `handle ${side}`, this.plot);
    handle.tabIndex = 0;
    handle.setAttribute("role", "slider");
    handle.setAttribute("aria-orientation", "horizontal");
    handle.onkeydown = (event) => this.key(event, side);
    handle.onblur = () => this.settle();
    return handle;
  }

  name() {
    return { key: this.facts.key, column: this.facts.column };
  }

  // ---------------------------------------------------------------- what the server says

  show(facts) {
    this.facts = facts;
    const { stops, axis } = facts;
    const [a, b] = axis.log ? [Math.log(axis.low), Math.log(axis.high)] : [axis.low, axis.high];
    this.place = (value) => {
      const v = Math.min(Math.max(value, axis.low), axis.high);
      // halves: the span of two large numbers may be no number
      return ((axis.log ? Math.log(v) : v) / 2 - a / 2) / (b / 2 - a / 2);
    };
    this.places = stops.values.map(this.place);
    this.box.style.setProperty("--card", facts.colour);
    this.box.setAttribute("aria-label", facts.title);
    this.dot.title = facts.class;
    this.title.textContent = facts.title;
    this.title.title = `${facts.title}${facts.class ? ` · ${facts.class}` : ""}: open this score`;
    this.better.textContent = { higher: "↑", lower: "↓" }[facts.better] || "";
    this.better.title = facts.better ? `${facts.better} is better` : "";
    this.better.setAttribute("aria-label", this.better.title);
    this.better.setAttribute("role", "img");
    this.better.hidden = !facts.better;
    this.warning.textContent = facts.warning;
    this.warning.title = facts.warning;
    const gaps = facts.rows - (stops.at_least[0] || 0);
    const notes = [axis.log ? "log" : "", gaps ? `${percent(gaps, facts.rows)} missing` : ""];
    this.notes.textContent = notes.filter(Boolean).join(" · ");
    this.notes.title = axis.log ? "Logarithmic axis: equal steps are equal factors" : "";
    this.bars(this.grey);
    this.bars(this.lit);
    this.box.classList.toggle("empty", !stops.values.length);
    if (this.moving) return; // the user's hand is newer than this
    this.at = { low: facts.low, high: facts.high };
    this.draw();
  }

  bars(place) {
    const top = Math.max(1, ...this.facts.bars);
    place.replaceChildren(
      ...this.facts.bars.map((count) => {
        const bar = document.createElement("i");
        // rows that are there are seen, however few
        bar.style.height = count ? `max(${(100 * count) / top}%, 1.5px)` : "0";
        return bar;
      }),
    );
  }

  // ---------------------------------------------------------------- what is shown

  // a bound is {value, rows}: rows at least `value` for the low one, more than `value` for the high one; null = none
  bound(side, index) {
    const { values, at_least, over } = this.facts.stops;
    if (side === "low") return index <= 0 ? null : { value: values[index], rows: at_least[index] };
    return index >= values.length - 1 ? null : { value: values[index], rows: over[index] };
  }

  index(side) {
    const { values } = this.facts.stops;
    const at = this.at[side];
    if (!at) return side === "low" ? 0 : values.length - 1;
    let best = 0;
    for (let i = 0; i < values.length; i++)
      if (Math.abs(values[i] - at.value) < Math.abs(values[best] - at.value)) best = i;
    return best;
  }

  draw() {
    const { stops, rows, title } = this.facts;
    const { values } = stops;
    if (!values.length) {
      this.kept.textContent = "no row has it";
      this.from.textContent = this.to.textContent = "";
      this.reset.hidden = true;
      return;
    }
    const { low, high } = this.at;
    const ends = { low: low ? low.value : values[0], high: high ? high.value : values[values.length - 1] };
    const left = low ? this.place(low.value) : 0;
    const right = high ? this.place(high.value) : 1;
    const count = Math.max(0, (low ? low.rows : stops.at_least[0]) - (high ? high.rows : 0));
    const text = `${whole.format(count)} · ${percent(count, rows)}`;
    this.low.style.left = `${100 * left}%`;
    this.high.style.left = `${100 * right}%`;
    this.lit.style.clipPath = `inset(0 ${100 * (1 - right)}% 0 ${100 * left}%)`;
    this.from.textContent = shown(ends.low);
    this.to.textContent = shown(ends.high);
    this.from.classList.toggle("set", Boolean(low));
    this.to.classList.toggle("set", Boolean(high));
    this.kept.textContent = low || high ? `kept ${text}` : `all ${whole.format(count)}`;
    this.kept.classList.toggle("set", Boolean(low || high));
    this.reset.hidden = !(low || high);
    this.reset.setAttribute("aria-label", `${title}: remove the cut`);
    this.reset.title = "Remove the cut";
    for (const side of ["low", "high"]) {
      const handle = this[side];
      handle.setAttribute("aria-label", `${title}: ${side === "low" ? "lowest" : "highest"} value kept`);
      handle.setAttribute("aria-valuemin", side === "low" ? values[0] : ends.low);
      handle.setAttribute("aria-valuemax", side === "low" ? ends.high : values[values.length - 1]);
      handle.setAttribute("aria-valuenow", ends[side]);
      handle.setAttribute("aria-valuetext", `${shown(ends[side])}: keeps ${text}`);
    }
  }

  // ---------------------------------------------------------------- moving

  move(side, index) {
    const last = this.facts.stops.values.length - 1;
    const low = side === "low" ? 0 : this.index("low");
    const high = side === "high" ? last : this.index("high");
    this.at = { ...this.at, [side]: this.bound(side, Math.min(Math.max(index, low), high)) };
    this.draw();
  }

  nearest(event) {
    const box = this.plot.getBoundingClientRect();
    return Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
  }

  stop(x, side) {
    // several stops may stand at one place, at the ends of the axis: the outermost of them is meant
    let best = 0;
    this.places.forEach((place, i) => {
      const closer = Math.abs(place - x) - Math.abs(this.places[best] - x);
      if (closer < 0 || (closer === 0 && place > 0)) best = i;
    });
    return best;
  }

  grab(event) {
    if (event.button || !this.facts.stops.values.length) return;
    const x = this.nearest(event);
    let side = event.target === this.low ? "low" : event.target === this.high ? "high" : null;
    if (!side || this.low.style.left === this.high.style.left) {
      const [a, b] = [this.low, this.high].map((h) => parseFloat(h.style.left) / 100);
      side = Math.abs(x - a) < Math.abs(x - b) || (x < a && a === b) || (a === b && a === 1) ? "low" : "high";
    }
    event.preventDefault();
    this.moving = { side, from: x, moved: event.target !== this.low && event.target !== this.high };
    this.plot.setPointerCapture(event.pointerId);
    this[side].focus({ preventScroll: true });
    if (this.moving.moved) this.move(side, this.stop(x));
  }

  drag(event) {
    if (!this.moving || !this.plot.hasPointerCapture(event.pointerId)) return;
    const x = this.nearest(event);
    if (!this.moving.moved && x === this.moving.from) return;
    this.moving.moved = true;
    this.move(this.moving.side, this.stop(x));
  }

  drop(event) {
    if (!this.moving || !this.plot.hasPointerCapture(event.pointerId)) return;
    this.plot.releasePointerCapture(event.pointerId);
    const { moved } = this.moving;
    this.moving = null;
    if (event.type === "pointercancel") this.show(this.facts);
    else if (moved) this.commit();
  }

  key(event, side) {
    const values = this.facts.stops.values;
    if (!values.length) return;
    const steps = {
      ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -PAGE, PageUp: PAGE,
      Home: -values.length, End: values.length,
    };
    if (event.key === "Enter") return this.settle();
    if (!(event.key in steps)) return;
    event.preventDefault();
    event.stopPropagation();
    this.moving = { side, keys: true };
    this.move(side, this.index(side) + steps[event.key]);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.settle(), WAIT_MS);
  }

  settle() {
    if (!this.moving || !this.moving.keys) return;
    clearTimeout(this.timer);
    this.moving = null;
    this.commit();
  }

  commit() {
    const { low, high } = this.at;
    const was = this.facts;
    const value = (bound) => (bound ? bound.value : null);
    if (value(low) === value(was.low) && value(high) === value(was.high)) return;
    this.send("cut", { ...this.name(), low: value(low), high: value(high) });
  }

  close() {
    clearTimeout(this.timer);
    this.box.remove();
  }
}

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".grid");
  let view = views.get(root);
  if (!view) views.set(root, (view = { cards: new Map(), send: null }));
  view.send = setTriggerValue; // the newest one knows the newest widget
  const wanted = new Set();
  data.cards.forEach((facts) => {
    const id = JSON.stringify([facts.key, facts.column]);
    wanted.add(id);
    if (!view.cards.has(id)) view.cards.set(id, new Card(root, (name, value) => view.send(name, value)));
    const card = view.cards.get(id);
    if (root.children[wanted.size - 1] !== card.box) root.insertBefore(card.box, root.children[wanted.size - 1] || null);
    card.show(facts);
  });
  for (const [id, card] of view.cards)
    if (!wanted.has(id)) {
      card.close();
      view.cards.delete(id);
    }
}
