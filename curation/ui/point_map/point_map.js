// The map: holds what the server said, what the user is doing, and draws when something changed.

const REST = 120; // milliseconds that the pointer rests before the row's text is asked for
const AGAIN = 10_000; // milliseconds until a gesture that nobody took is sent again
const MOST_ANSWERS = 500;

class PointMap {
  constructor(component) {
    this.data = component.data;
    this.turn = 0;
    this.queue = [];
    this.outstanding = null;
    this.serial = 0;
    this.frames = 0;
    this.hovered = -1;
    this.drawing = this.waiting = this.alone = null;
    this.numbers = { kept: 0, lit: 0 };
    this.width = this.height = 0;
    this.ratio = 1;
    this.covered = [];
    this.cuts = new Map();
    this.todo = new Set();
    const { key, tool } = component.data;
    if (!shared.settings.has(key)) shared.settings.set(key, { tool, op: "replace", size: 1, opacity: 1, names: true });
    this.settings = shared.settings.get(key);
    this.build(component.parentElement);
  }

  build(parent) {
    this.canvas = el("canvas", { class: "pm-points", "data-ready": "0", "data-frames": "0", "data-row": "" });
    this.over = el("canvas", { class: "pm-overlay", "aria-hidden": "true" });
    this.stage = el("div", { class: "pm-stage", tabindex: "0", role: "application", "aria-roledescription": "map" });
    this.counter = el("div", { class: "pm-card pm-count" });
    this.note = el("div", { class: "pm-note pm-far" });
    this.near = el("div", { class: "pm-card pm-cursor", hidden: true, "aria-hidden": "true" });
    this.tip = el("div", { class: "pm-card pm-tooltip", hidden: true, role: "tooltip" });
    this.message = el("div", { class: "pm-message", hidden: true, role: "alert" });
    this.live = el("div", { class: "pm-live", "aria-live": "polite" });
    this.legend = new Legend(this);
    this.toolbar = new Toolbar(this);
    this.controls = el("div", { class: "pm-controls" });
    this.frameBox = el("div", { class: "pm-frame" }, [
      this.canvas, this.over, this.stage, this.toolbar.top, this.legend.root, this.toolbar.side, this.toolbar.panel,
      el("div", { class: "pm-bottom" }, [this.counter, this.note]), this.near, this.tip, this.message,
    ]);
    this.root = el("div", { class: "pm-root" }, [this.frameBox, this.controls, this.live]);
    parent.append(this.root);
    this.overlay = new Overlay(this.over);
    this.scene = drawerFor(this.canvas);
    if (!this.scene.works) this.say("This browser has no WebGL2 context left for the map. Close other tabs with maps and reload the page.");
    this.canvas.addEventListener("webglcontextlost", (event) => {
      event.preventDefault();
      this.say("The graphics card took the map away; it comes back by itself.");
    });
    this.canvas.addEventListener("webglcontextrestored", () => {
      this.say("");
      this.scene.build();
      this.refresh();
    });
    this.gestures = new Gestures(this);
    this.observer = new ResizeObserver(() => this.resized());
    this.observer.observe(this.frameBox);
    this.observer.observe(this.legend.root);
  }

  // ---------------------------------------------------------------- what the server says

  update(component) {
    const { data } = component;
    const old = this.data;
    this.data = data;
    this.trigger = component.setTriggerValue;
    this.theme = data.theme;
    if (shared.maps.get(old.key) === this && old.key !== data.key) shared.maps.delete(old.key);
    shared.maps.set(data.key, this);
    this.box = viewBox(data.group ? `group|${data.group}|${data.points}` : `map|${data.key}|${data.points}`, this);
    this.frameBox.style.height = `${data.height}px`;
    for (const [name, value] of Object.entries(data.theme)) this.root.style.setProperty(`--pm-${name}`, value);
    if (JSON.stringify(old.colour?.column) !== JSON.stringify(data.colour?.column)) this.alone = null;
    if (old.points !== data.points) this.hover(-1);
    this.taken(data.seen);
    this.toolbar.update();
    this.refresh();
  }

  uses() {
    const { data } = this;
    const colour = data.colour && [`${data.colour.kind === "categories" ? "codes" : "numbers"}:${data.colour.column}`];
    return [
      `points:${data.points}`, ...(data.lit ? [`mask:${data.lit}`] : []), ...(colour ?? []),
      ...data.cuts.map((cut) => `numbers:${cut.column}`), ...(data.budget ? [`ranks:${data.budget.column}`] : []),
    ];
  }

  arrived(id) {
    if (this.uses().includes(id)) this.refresh();
  }

  column() {
    const { colour } = this.data;
    return colour ? useArray(colour.kind === "categories" ? "codes" : "numbers", colour.column) : undefined;
  }

  // Bring everything that is derived up to date with the data and the arrays that are there.
  refresh() {
    const { data } = this;
    const wrong = this.uses().map((id) => shared.arrays.get(id)).find((array) => array && array.n !== data.n);
    if (wrong) this.say(`The map has ${count(data.n)} rows, but "${wrong.name}" has ${count(wrong.n)}.`);
    else if (this.wrong) this.say("");
    this.wrong = Boolean(wrong);
    this.array = wrong ? undefined : useArray("points", data.points);
    if (!this.array) return this.ask("points");
    this.complete = this.uses().every((id) => shared.arrays.has(id));
    if (!this.rows || this.rows.n !== data.n) this.rows = new Rows(data.n);
    this.colourPoints();
    this.syncSliders();
    this.recount();
    this.legend.build();
    if (this.gridOf !== this.array) this.later(() => this.grid());
    return this.ask("points", "overlay");
  }

  colourPoints() {
    const { data } = this;
    const array = this.column();
    const id = JSON.stringify([data.colour, data.theme, data.n, Boolean(array)]);
    if (id !== this.coloured) {
      this.coloured = id;
      this.colours = colourRows(data.n, data.colour, array, data.theme, (code) => this.categoryColour(code));
      this.kinds = data.colour?.kind === "categories" && array ? new Uint32Array(array.most + 2) : null;
    }
  }

  categoryColour(code) {
    const { colour } = this.data;
    return code < 0 || !colour.colours.length ? colour.none : colour.colours[code % colour.colours.length];
  }

  totals() {
    const array = this.column();
    if (!array.totals) {
      array.totals = new Uint32Array(array.most + 2);
      for (let i = 0; i < array.n; i++) array.totals[array.values[i] + 1]++;
    }
    return array.totals;
  }

  // ---------------------------------------------------------------- what stands out

  sliders() {
    return [...this.cuts.values(), ...(this.budget ? [this.budget] : [])].filter((slider) => slider.array);
  }

  syncSliders() {
    const { cuts, budget } = this.data;
    for (const column of [...this.cuts.keys()]) if (!cuts.some((cut) => cut.column === column)) this.cuts.delete(column);
    for (const cut of cuts) if (!this.cuts.has(cut.column)) this.cuts.set(cut.column, new CutSlider(this, cut.column));
    if (!budget) this.budget = null;
    else this.budget ??= new BudgetSlider(this);
    const wanted = [...cuts.map((cut) => this.cuts.get(cut.column).root), ...(budget ? [this.budget.root] : [])];
    if (wanted.length !== this.controls.children.length || wanted.some((node, i) => this.controls.children[i] !== node)) {
      this.controls.replaceChildren(...wanted);
    }
    this.controls.hidden = !wanted.length;
    for (const cut of cuts) this.cuts.get(cut.column).sync(cut);
    if (budget) this.budget.sync(budget);
  }

  lit() {
    return this.data.lit ? useArray("mask", this.data.lit)?.values : null;
  }

  prepare(source) {
    if (!this.array) return;
    this.rows.prepare(source, this.lit(), this.array, this.sliders());
  }

  // Count with one slider moving; done in the next frame, once however many events came before it.
  step(source, event) {
    if (!this.array) return;
    if (this.rows.for !== source) this.prepare(source);
    this.moving = source;
    this.ask("step", event);
  }

  settle() {
    this.later(() => this.histograms());
    this.tellAloud();
  }

  recount() {
    if (!this.array) return;
    const busy = this.sliders().find((slider) => slider.track.busy) ?? null;
    this.prepare(busy);
    this.select(busy);
    this.later(() => this.histograms());
    this.tellAloud();
  }

  select(source) {
    const { rows, data } = this;
    const codes = this.kinds ? this.column().values : null;
    const alone = this.alone && this.kinds ? Uint8Array.from(this.kinds, (_, k) => (this.alone.has(k - 1) ? 1 : 0)) : null;
    rows.select(source?.active ? source.filter : null, codes, this.kinds, alone);
    this.numbers = { kept: rows.kept, lit: data.lit ? (useArray("mask", data.lit)?.count ?? data.n) : data.n };
    this.indexStale = true;
    this.legend.update(source?.track.busy);
    for (const slider of this.sliders()) slider.tell();
    this.tell();
  }

  histograms() {
    if (!this.array || this.sliders().some((slider) => slider.track.busy)) return;
    for (const slider of this.cuts.values()) {
      if (!slider.array) continue;
      this.prepare(slider);
      slider.histogram(this.rows.base);
    }
  }

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
    this.legend.update();
    this.ask("points");
  }

  // ---------------------------------------------------------------- words

  tell() {
    const { kept, lit } = this.numbers;
    const { n } = this.data;
    let text = `${count(n)} rows`;
    if (this.sliders().some((slider) => slider.active && slider !== this.budget) || kept < lit) text = `${count(kept)} kept · ${share(kept, lit)} of the view`;
    else if (lit < n) text = `${count(lit)} in view · ${share(lit, n)}`;
    write(this.counter, text);
    const notes = [];
    if (this.array.outside && !this.showsAll) notes.push(`${count(this.array.outside)} far points outside the first view`);
    if (this.array.placed < n) notes.push(`${count(n - this.array.placed)} rows have no place`);
    write(this.note, n ? notes.join(" · ") : "There are no rows to draw.");
    const about = { "data-points": n, "data-placed": this.array.placed, "data-lit": lit, "data-kept": kept };
    for (const [name, value] of Object.entries(about)) this.canvas.setAttribute(name, value);
  }

  tellAloud() {
    clearTimeout(this.aloud);
    this.aloud = setTimeout(() => {
      const { colour, alt, n } = this.data;
      const by = colour ? `, coloured by ${colour.kind === "numbers" ? colour.label : "category"}` : "";
      const { kept, lit } = this.numbers;
      const words = `${alt}: ${count(n)} rows${by}; ${count(lit)} in the view, ${count(kept)} kept.`;
      this.stage.setAttribute("aria-label", `${words} Arrow keys move, plus and minus zoom, 0 shows the first view, L lasso, B box, V move, Enter opens the row in the middle.`);
      write(this.live, words);
    }, 700);
  }

  say(text) {
    write(this.message, text);
    this.message.hidden = !text;
  }

  // ---------------------------------------------------------------- view

  resized() {
    const { clientWidth: width, clientHeight: height } = this.frameBox;
    const ratio = Math.min(globalThis.devicePixelRatio || 1, 2);
    this.measure();
    if (!width || !height) return;
    if (width === this.width && height === this.height && ratio === this.ratio) return;
    [this.width, this.height, this.ratio] = [width, height, ratio];
    this.scene.resize(Math.round(width * ratio), Math.round(height * ratio));
    [this.over.width, this.over.height] = [Math.round(width * ratio), Math.round(height * ratio)];
    this.font = getComputedStyle(this.root).fontFamily;
    for (const slider of this.cuts.values()) if (slider.counts) slider.track.bars(slider.counts, this.theme);
    this.legend.fit();
    this.ask("points", "overlay");
    if (this.width && !this.frames) this.draw();
  }

  // The parts of the frame that names keep clear of.
  measure() {
    const frame = this.frameBox.getBoundingClientRect();
    this.covered = [this.toolbar.top, this.legend.root, this.toolbar.side, this.counter].flatMap((node) => {
      const box = node.getBoundingClientRect();
      return box.width ? [[box.left - frame.left, box.top - frame.top, box.right - frame.left, box.bottom - frame.top]] : [];
    });
  }

  units() {
    return unitsOf(this.array.view, this.width, this.height);
  }

  scale() {
    const [sx, sy] = this.units();
    return [sx * this.box.zoom, sy * this.box.zoom];
  }

  begin() {
    const { box, array } = this;
    if (box.cx !== undefined) return;
    const [[left, bottom], [right, top]] = array.view;
    Object.assign(box, { cx: (left + right) / 2, cy: (bottom + top) / 2, zoom: 1 });
  }

  toFrame(x, y) {
    const [sx, sy] = this.scale();
    return [(x - this.box.cx) * sx + this.width / 2, this.height / 2 - (y - this.box.cy) * sy];
  }

  toData(px, py) {
    const [sx, sy] = this.scale();
    return [this.box.cx + (px - this.width / 2) / sx, this.box.cy - (py - this.height / 2) / sy];
  }

  placeOf(row) {
    if (!this.array || !(row >= 0 && row < this.array.n)) return null;
    const place = this.toFrame(this.array.values[2 * row], this.array.values[2 * row + 1]);
    return place.every(Number.isFinite) ? place : null;
  }

  panBy(dx, dy, event) {
    const [sx, sy] = this.scale();
    this.setView({ cx: this.box.cx - dx / sx, cy: this.box.cy + dy / sy, zoom: this.box.zoom }, event);
  }

  zoomBy(factor, at = [this.width / 2, this.height / 2], event = undefined) {
    if (!this.array) return;
    const zoom = clamp(this.box.zoom * factor, Math.min(LEAST_ZOOM, this.box.zoom), MOST_ZOOM);
    const [x, y] = this.toData(...at);
    const ratio = this.box.zoom / zoom;
    this.setView({ cx: x + (this.box.cx - x) * ratio, cy: y + (this.box.cy - y) * ratio, zoom }, event);
  }

  fit(all) {
    if (!this.array) return;
    if (all) this.setView(fitted(this.array.whole, this.units(), this.width, this.height));
    else this.setView(fitted(this.array.view, this.units().map((s) => s / 0.94), this.width, this.height), undefined, 1);
    this.showsAll = all;
    this.tell();
  }

  view() {
    return { cx: this.box.cx, cy: this.box.cy, zoom: this.box.zoom };
  }

  setView({ cx, cy, zoom }, event = undefined, exact = undefined) {
    Object.assign(this.box, { cx, cy, zoom: exact ?? zoom });
    for (const member of this.box.members) {
      member.hover(-1);
      member.ask("view", member === this ? event : undefined);
    }
  }

  setTool(tool) {
    this.settings.tool = tool;
    this.toolbar.update();
    this.canvas.setAttribute("data-tool", tool);
    this.stage.dataset.tool = tool;
    this.measure();
  }

  setOp(op) {
    this.settings.op = op;
    if (this.settings.tool === "pan") this.setTool("lasso");
    this.toolbar.update();
  }

  // ---------------------------------------------------------------- drawing

  ask(cause, ...more) {
    this.todo.add(cause);
    for (const item of more) {
      if (typeof item === "string") this.todo.add(item);
      else if (item?.timeStamp && this.asked === undefined) this.asked = item.timeStamp;
    }
    this.wanted ??= requestAnimationFrame(() => this.draw());
  }

  draw() {
    if (this.wanted !== undefined) cancelAnimationFrame(this.wanted);
    this.wanted = undefined;
    if (!this.width || !this.array || this.ended) return;
    const { todo, asked } = this;
    [this.todo, this.asked] = [new Set(), undefined];
    if (todo.has("step") && this.moving) this.select(this.moving);
    this.begin();
    if (["points", "view", "step", "style"].some((cause) => todo.has(cause))) this.drawPoints();
    if (["points", "view", "overlay", "style"].some((cause) => todo.has(cause))) this.overlay.draw(this);
    this.frames++;
    this.publish([...todo].join(" "), asked);
  }

  drawPoints() {
    const { scene, array, rows, settings } = this;
    if (!scene.works || !this.colours) return;
    scene.send("points", drawnPoints(array));
    scene.send("colours", this.colours);
    const all = rows.drawn === array.placed;
    if (this.indexStale) scene.sendIndex(all ? null : rows.index, rows.drawn);
    this.indexStale = false;
    const [sx, sy] = this.scale();
    const seen = shareInView(array, [this.box.cx, this.box.cy], this.width / 2 / sx, this.height / 2 / sy);
    const area = this.width * this.height;
    const look = (points) => {
      const size = sizeFor(points * seen);
      return [size, opacityFor(points * seen, size, area)];
    };
    const [backSize, backOpacity] = look(array.placed);
    const [size, opacity] = look(rows.drawn);
    const paint = [...rgb(this.theme.context).map((v) => v / 255), 1];
    scene.draw({
      n: array.n,
      ground: rgb(this.theme.background),
      middle: [this.box.cx, this.box.cy],
      scale: [(2 * sx) / this.width, (2 * sy) / this.height],
      context: all ? null : {
        size: Math.max(0.85 * backSize * settings.size, 0.8) * this.ratio,
        opacity: clamp(0.9 * backOpacity * settings.opacity, 0.03, 1),
        paint,
      },
      front: {
        size: Math.max(size * settings.size, 0.8) * this.ratio,
        opacity: clamp(opacity * settings.opacity, 0.03, 1),
        paint: [0, 0, 0, 0],
      },
    });
    if (shared.probe) scene.pixel();
  }

  publish(cause, asked) {
    const { canvas, frames } = this;
    const about = {
      key: this.data.key, mode: this.data.mode, frames, tool: this.settings.tool, zoom: this.box.zoom.toPrecision(5),
      seen: this.data.seen, sent: this.serial, ready: this.complete && !this.wrong ? 1 : 0, names: this.named ?? 0,
      drawing: this.scene.kind,
    };
    for (const [name, value] of Object.entries(about)) canvas.setAttribute(`data-${name}`, value);
    const ms = asked === undefined ? null : performance.now() - asked;
    const detail = { key: this.data.key, cause, frame: frames, kept: this.numbers.kept, ms };
    canvas.dispatchEvent(new CustomEvent("curation-map-drawn", { detail, bubbles: true, composed: true }));
  }

  later(does) {
    const run = () => this.ended || does();
    if (globalThis.requestIdleCallback) requestIdleCallback(run, { timeout: 400 });
    else setTimeout(run, 50);
  }

  // ---------------------------------------------------------------- pointing

  grid() {
    if (this.array && this.gridOf !== this.array) {
      this.array.grid ??= new Grid(this.array);
      this.gridOf = this.array;
    }
    return this.array?.grid;
  }

  nearest(at) {
    const [x, y] = this.toData(...at);
    return this.grid()?.nearest(x, y, ...this.scale(), REACH, this.rows.keep) ?? -1;
  }

  meet(at, event) {
    if (!this.array || this.gridOf !== this.array || event.buttons) return;
    this.pointer = at;
    this.hover(this.nearest(at));
  }

  hover(row) {
    if (row === this.hovered) return;
    this.hovered = row;
    this.canvas.setAttribute("data-row", row < 0 ? "" : row);
    this.stage.classList.toggle("pm-met", row >= 0);
    clearTimeout(this.resting);
    this.showTip();
    if (row >= 0) this.resting = setTimeout(() => this.askText(row), REST);
    this.ask("overlay");
  }

  answers() {
    this.array.answers ??= new Map();
    return this.array.answers;
  }

  askText(row) {
    if (!this.answers().has(row)) shared.hovers.get(this.data.key)?.ask(row);
  }

  answered(answer) {
    if (!this.array) return;
    const answers = this.answers();
    if (answers.size > MOST_ANSWERS) answers.clear();
    answers.set(answer.row, answer);
    if (answer.row === this.hovered) this.showTip();
  }

  // One line about the colour of a row.
  ownColour(row) {
    const { colour } = this.data;
    const array = this.column();
    if (!array) return null;
    const value = array.values[row];
    if (colour.kind === "categories") return ["", value < 0 ? colour.none_name : (colour.names[value] ?? `category ${value}`)];
    return [colour.label, Number.isFinite(value) ? number(value) : "missing"];
  }

  showTip() {
    const { tip, hovered } = this;
    const place = hovered >= 0 && this.placeOf(hovered);
    tip.hidden = !place;
    if (!place) return;
    const answer = this.answers().get(hovered);
    const own = this.ownColour(hovered);
    const facts = [...(own ? [own] : []), ...(answer?.facts ?? [])];
    tip.replaceChildren(
      el("strong", { text: answer?.title ?? `row ${count(hovered)}` }),
      ...facts.map(([name, value]) => el("div", { class: "pm-fact" }, [name && el("span", { text: name }), el("span", { text: value })])),
      ...(answer?.text ? [el("p", { text: answer.text })] : []),
    );
    const { offsetWidth: w, offsetHeight: h } = tip;
    const left = place[0] + 14 + w > this.width ? place[0] - 14 - w : place[0] + 14;
    tip.style.left = `${clamp(left, 4, Math.max(this.width - w - 4, 4))}px`;
    tip.style.top = `${clamp(place[1] - h / 2, 4, Math.max(this.height - h - 4, 4))}px`;
  }

  click(at) {
    if (!this.array) return;
    const row = this.nearest(at);
    if (row >= 0) this.send("clicked", { row });
  }

  // ---------------------------------------------------------------- drawing around points

  corners(points) {
    return points.map((place) => this.toData(...place).map((v) => Number(v.toPrecision(8))));
  }

  // While a shape is drawn: what is inside now, as often as the machine can.
  countInside(at, last) {
    const now = performance.now();
    if (!last && now < (this.nextCount ?? 0)) return this.cursor(at);
    const { drawing, array, rows } = this;
    const points = this.corners(drawing.tool === "box" ? drawing.points : lassoCorners(drawing.points));
    this.inside = new Polygon(points).count(array.values, rows.keep);
    this.nextCount = performance.now() + Math.max(40, 2 * (performance.now() - now));
    this.cursor(at);
    this.canvas.setAttribute("data-inside", this.inside[0]);
    return points;
  }

  cursor(at) {
    this.near.hidden = !at || !this.inside;
    if (this.near.hidden) return void (this.inside = null);
    const [all, kept] = this.inside;
    const sign = { add: "+ ", subtract: "− ", replace: "" }[this.drawing?.op ?? "replace"];
    write(this.near, sign + (kept === all ? count(all) : `${count(kept)} of ${count(all)}`));
    this.near.style.transform = `translate(${Math.min(at[0] + 14, this.width - 90)}px, ${Math.max(at[1] - 34, 4)}px)`;
  }

  finish(drawing) {
    const simple = drawing.tool === "box" ? drawing.points : lassoCorners(drawing.points);
    if (simple.length < 3 || areaOf(simple) < 16) return;
    const points = this.corners(simple);
    const [all, kept] = new Polygon(points).count(this.array.values, this.rows.keep);
    this.canvas.setAttribute("data-inside", all);
    this.canvas.setAttribute("data-inside-kept", kept);
    [this.waiting, this.waitingOp] = [points, drawing.op];
    this.send("region", { op: drawing.op, points });
  }

  // ---------------------------------------------------------------- telling the server

  pending(kind, column) {
    return [this.outstanding, ...this.queue].some((sent) => sent?.[kind] && (!column || sent[kind].column === column));
  }

  send(kind, value) {
    this.serial = Math.max(Date.now(), this.serial + 1, this.data.seen + 1);
    const same = (sent) => sent[kind] && kind !== "region" && sent[kind].column === value.column;
    this.queue = [...this.queue.filter((sent) => !same(sent)), { serial: this.serial, [kind]: value }];
    this.sentAt = performance.now();
    this.canvas.setAttribute("data-sent", this.serial);
    this.pump();
  }

  // One at a time: the next goes when the server has taken the last.
  pump() {
    if (this.outstanding || !this.queue.length) return;
    this.outstanding = this.queue.shift();
    const push = () => {
      if (this.ended || !this.outstanding) return;
      this.trigger("gesture", this.outstanding);
      this.repeat = setTimeout(push, AGAIN);
    };
    push();
  }

  taken(seen) {
    if (!this.outstanding || seen < this.outstanding.serial) return;
    clearTimeout(this.repeat);
    const { serial } = this.outstanding;
    if (this.outstanding.region) this.waiting = null;
    this.outstanding = null;
    const detail = { key: this.data.key, serial, ms: performance.now() - this.sentAt };
    this.canvas.dispatchEvent(new CustomEvent("curation-map-taken", { detail, bubbles: true, composed: true }));
    this.pump();
  }

  // ---------------------------------------------------------------- for tests and measurements

  screenOf(x, y) {
    const box = this.frameBox.getBoundingClientRect();
    const [px, py] = this.toFrame(x, y);
    return [box.left + px, box.top + py];
  }

  dataOf(clientX, clientY) {
    const box = this.frameBox.getBoundingClientRect();
    return this.toData(clientX - box.left, clientY - box.top);
  }

  pixel(clientX, clientY) {
    const box = this.frameBox.getBoundingClientRect();
    this.drawPoints();
    return this.scene.pixel(Math.round((clientX - box.left) * this.ratio), Math.round((clientY - box.top) * this.ratio));
  }

  timeFrame() {
    this.scene.pixel();
    this.scene.held = "";
    const start = performance.now();
    this.drawPoints();
    this.scene.pixel();
    return performance.now() - start;
  }

  counts() {
    return { ...this.numbers, drawn: this.rows?.drawn ?? 0, kinds: this.kinds ? [...this.kinds] : null };
  }

  end() {
    this.ended = true;
    clearTimeout(this.repeat);
    clearTimeout(this.resting);
    clearTimeout(this.aloud);
    this.observer.disconnect();
    this.box?.members.delete(this);
    if (shared.maps.get(this.data.key) === this) shared.maps.delete(this.data.key);
    this.scene.end();
    this.root.remove();
  }
}

const mapsByPlace = new WeakMap();

export default function (component) {
  const place = component.parentElement;
  let map = mapsByPlace.get(place);
  if (!map) mapsByPlace.set(place, (map = new PointMap(component)));
  clearTimeout(map.leaving);
  const turn = ++map.turn;
  map.update(component);
  return () => {
    if (map.turn !== turn) return; // an earlier call is being cleared away, the map stays
    map.leaving = setTimeout(() => {
      mapsByPlace.delete(place);
      map.end();
    }, 300);
  };
}
