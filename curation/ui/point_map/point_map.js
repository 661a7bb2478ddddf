// The map: holds what the server said, what the user is doing, and draws when something changed.

const MOVING_FRAME = 45; // milliseconds that a frame may take while the map moves
const MOVING_REST = 160; // milliseconds of rest after which all points are drawn

class PointMap {
  constructor(component) {
    this.data = component.data;
    this.turn = 0;
    this.frames = 0;
    this.limits = new Limits(this);
    this.sender = new Sender(this);
    this.pointing = new Pointing(this);
    this.lasso = new Lasso(this);
    this.width = this.height = this.inset = 0;
    this.ratio = 1;
    this.covered = [];
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
    this.message = el("div", { class: "pm-message", hidden: true, role: "alert" });
    this.live = el("div", { class: "pm-live", "aria-live": "polite" });
    this.legend = new Legend(this);
    this.toolbar = new Toolbar(this);
    this.frameBox = el("div", { class: "pm-frame" }, [
      this.canvas, this.over, this.stage, this.toolbar.top, this.legend.root, this.toolbar.side, this.toolbar.panel,
      el("div", { class: "pm-bottom" }, [this.counter, this.note]), this.lasso.near, this.pointing.tip, this.message,
    ]);
    this.root = el("div", { class: "pm-root" }, [this.frameBox, this.limits.root, this.live]);
    parent.append(el("style", { text: shared.style }), this.root);
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
      this.limits.changed = true;
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
    if (JSON.stringify(old.colour?.column) !== JSON.stringify(data.colour?.column)) this.limits.alone = null;
    if (old.points !== data.points) this.pointing.hover(-1);
    this.sender.taken(data.seen);
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
    const nowhere = data.n > 0 && !this.array.placed;
    if (nowhere) this.say("No row has a place on the map.");
    else if (this.nowhere) this.say("");
    this.nowhere = nowhere;
    this.complete = this.uses().every((id) => shared.arrays.has(id));
    this.colourPoints();
    this.limits.sync();
    this.legend.build();
    if (this.pointing.gridOf !== this.array) this.later(() => this.pointing.grid());
    return this.ask("points", "overlay");
  }

  colourPoints() {
    const { data } = this;
    const array = this.column();
    const id = JSON.stringify([data.colour, data.theme, data.n, Boolean(array)]);
    if (id === this.coloured) return;
    this.coloured = id;
    this.colours = colourRows(data.n, data.colour, array, data.theme, (code) => this.categoryColour(code));
  }

  categoryColour(code) {
    const { colour } = this.data;
    return code < 0 || !colour.colours.length ? colour.none : colour.colours[code % colour.colours.length];
  }

  // ---------------------------------------------------------------- words

  tellAloud() {
    clearTimeout(this.aloud);
    this.aloud = setTimeout(() => tellReader(this), 700);
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
    this.limits.paint();
    this.legend.fit();
    this.ask("points", "overlay");
    if (this.width && !this.frames) this.draw();
  }

  // The parts of the frame that names keep clear of.
  measure() {
    const frame = this.stage.getBoundingClientRect();
    this.covered = [this.toolbar.top, this.legend.root, this.toolbar.side, this.counter].flatMap((node) => {
      const box = node.getBoundingClientRect();
      return box.width ? [[box.left - frame.left, box.top - frame.top, box.right - frame.left, box.bottom - frame.top]] : [];
    });
  }

  // The middle of what the legend leaves free.
  centre() {
    return [(this.width - this.inset) / 2, this.height / 2];
  }

  units() {
    return unitsOf(this.array.view, this.width - this.inset, this.height);
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
    const [mx, my] = this.centre();
    return [(x - this.box.cx) * sx + mx, my - (y - this.box.cy) * sy];
  }

  toData(px, py) {
    const [sx, sy] = this.scale();
    const [mx, my] = this.centre();
    return [this.box.cx + (px - mx) / sx, this.box.cy - (py - my) / sy];
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

  zoomBy(factor, at = this.centre(), event = undefined) {
    if (!this.array) return;
    const zoom = clamp(this.box.zoom * factor, Math.min(LEAST_ZOOM, this.box.zoom), MOST_ZOOM);
    const [x, y] = this.toData(...at);
    const ratio = this.box.zoom / zoom;
    this.setView({ cx: x + (this.box.cx - x) * ratio, cy: y + (this.box.cy - y) * ratio, zoom }, event);
  }

  fit(all) {
    if (!this.array) return;
    const view = fitted(all ? this.array.whole : this.array.view, this.units(), this.width - this.inset, this.height);
    this.setView(all ? view : { ...view, zoom: 1 });
    this.showsAll = all;
    tellCounts(this);
  }

  view() {
    return { cx: this.box.cx, cy: this.box.cy, zoom: this.box.zoom };
  }

  setView({ cx, cy, zoom }, event = undefined) {
    Object.assign(this.box, { cx, cy, zoom });
    for (const member of this.box.members) {
      member.pointing.hover(-1);
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
    if (todo.has("step")) this.limits.select();
    this.begin();
    if (["points", "view", "step", "style"].some((cause) => todo.has(cause))) this.drawPoints(this.strideFor(todo));
    if (["points", "view", "overlay", "style"].some((cause) => todo.has(cause))) this.overlay.draw(this);
    this.frames++;
    this.publish([...todo].join(" "), asked);
  }

  // Where our own loop is slow, a map that moves shows every so many points, and all of them when it rests.
  strideFor(todo) {
    const moves = todo.has("view") && !todo.has("points") && this.scene.kind === "cpu";
    const stride = moves ? Math.ceil((this.fullFrame ?? 0) / MOVING_FRAME) : 1;
    clearTimeout(this.whole);
    if (stride > 1) this.whole = setTimeout(() => this.ask("points"), MOVING_REST);
    return Math.max(stride, 1);
  }

  drawPoints(stride = 1) {
    const start = performance.now();
    const { scene, array, limits, settings } = this;
    const { rows } = limits;
    if (!scene.works || !this.colours) return;
    scene.send("points", drawnPoints(array));
    scene.send("colours", this.colours);
    const all = rows.drawn === array.placed;
    if (limits.changed) scene.sendIndex(all ? null : rows.index, rows.drawn);
    limits.changed = false;
    const [sx, sy] = this.scale();
    const middle = this.toData(this.width / 2, this.height / 2);
    const seen = shareInView(array, middle, this.width / 2 / sx, this.height / 2 / sy);
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
      stride,
      ground: rgb(this.theme.background),
      middle,
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
    if (stride === 1) this.fullFrame = performance.now() - start;
  }

  publish(cause, asked) {
    const { canvas, frames } = this;
    const about = {
      key: this.data.key, mode: this.data.mode, frames, tool: this.settings.tool, zoom: this.box.zoom.toPrecision(5),
      seen: this.data.seen, sent: this.sender.serial, ready: this.complete && !this.wrong ? 1 : 0, names: this.named ?? 0,
      drawing: this.scene.kind,
    };
    for (const [name, value] of Object.entries(about)) canvas.setAttribute(`data-${name}`, value);
    const ms = asked === undefined ? null : performance.now() - asked;
    const detail = { key: this.data.key, cause, frame: frames, kept: this.limits.numbers.kept, ms };
    canvas.dispatchEvent(new CustomEvent("curation-map-drawn", { detail, bubbles: true, composed: true }));
  }

  later(does) {
    const run = () => this.ended || does();
    if (globalThis.requestIdleCallback) requestIdleCallback(run, { timeout: 400 });
    else setTimeout(run, 50);
  }

  // ---------------------------------------------------------------- for tests and measurements

  screenOf(x, y) {
    const box = this.stage.getBoundingClientRect();
    const [px, py] = this.toFrame(x, y);
    return [box.left + px, box.top + py];
  }

  dataOf(clientX, clientY) {
    const box = this.stage.getBoundingClientRect();
    return this.toData(clientX - box.left, clientY - box.top);
  }

  pixel(clientX, clientY) {
    const box = this.stage.getBoundingClientRect();
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
    const { numbers, rows, kinds } = this.limits;
    return { ...numbers, drawn: rows?.drawn ?? 0, kinds: kinds ? [...kinds] : null };
  }

  end() {
    this.ended = true;
    this.sender.end();
    this.pointing.end();
    clearTimeout(this.aloud);
    clearTimeout(this.whole);
    this.observer.disconnect();
    this.box?.members.delete(this);
    if (shared.maps.get(this.data.key) === this) shared.maps.delete(this.data.key);
    this.scene.end();
    this.root.remove();
  }
}
