// Pointer, wheel, touch and keys over the map.

const STILL = 4; // pixels that a click may wander
const STEP = 60; // pixels that an arrow key moves the map

class Gestures {
  constructor(map) {
    this.map = map;
    this.pointers = new Map();
    const { stage } = map;
    const on = (name, does, options) => stage.addEventListener(name, (event) => does.call(this, event), options);
    on("pointerdown", this.down);
    on("pointermove", this.move);
    on("pointerup", this.up);
    on("pointercancel", this.cancel);
    on("pointerleave", () => this.map.pointing.hover(-1));
    on("wheel", this.wheel, { passive: false });
    on("contextmenu", (event) => event.preventDefault());
    on("keydown", this.key);
    on("keyup", this.keyUp);
    on("focus", () => this.focus(stage.matches(":focus-visible")));
    on("blur", () => this.focus(false));
  }

  at(event) {
    const box = this.map.stage.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  focus(shown) {
    this.space = false;
    this.map.keyboard = shown;
    this.map.ask("overlay");
  }

  // ---------------------------------------------------------------- pointer

  down(event) {
    const { map } = this;
    if (!map.array) return;
    const at = this.at(event);
    this.pointers.set(event.pointerId, at);
    map.stage.setPointerCapture(event.pointerId);
    map.stage.focus({ preventScroll: true });
    if (map.keyboard) this.focus(false);
    map.toolbar.toggle(false);
    this.start = at;
    this.wandered = false;
    if (this.pointers.size === 2) {
      map.lasso.stop();
      this.mode = "pinch";
      return;
    }
    const held = event.shiftKey ? "add" : event.altKey ? "subtract" : null;
    const moves = event.button !== 0 || this.space || !map.data.tools || (map.settings.tool === "pan" && !held);
    this.mode = moves ? "pan" : "draw";
    this.button = event.button;
    if (!moves) map.lasso.begin(held ?? map.settings.op, map.settings.tool === "box" ? "box" : "lasso", at);
    map.pointing.hover(-1);
  }

  move(event) {
    const { map } = this;
    const at = this.at(event);
    const held = event.shiftKey ? "add" : event.altKey ? "subtract" : null;
    if (held !== map.heldOp) {
      map.heldOp = held;
      map.toolbar.update();
    }
    const last = this.pointers.get(event.pointerId);
    if (!last) return map.pointing.meet(at, event);
    if (this.mode === "pinch") this.pinch(event, at);
    this.pointers.set(event.pointerId, at);
    if (Math.hypot(at[0] - this.start[0], at[1] - this.start[1]) > STILL) this.wandered = true;
    if (!this.wandered) return;
    if (this.mode === "pan") map.panBy(at[0] - last[0], at[1] - last[1], event);
    else if (this.mode === "draw") map.lasso.to(at, event);
  }

  pinch(event, at) {
    const [other] = [...this.pointers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
    const before = this.pointers.get(event.pointerId);
    if (!other || !before) return;
    const spread = Math.hypot(at[0] - other[0], at[1] - other[1]);
    const was = Math.hypot(before[0] - other[0], before[1] - other[1]);
    this.map.panBy((at[0] - before[0]) / 2, (at[1] - before[1]) / 2, event);
    if (was > 0) this.map.zoomBy(spread / was, [(at[0] + other[0]) / 2, (at[1] + other[1]) / 2], event);
    this.wandered = true;
  }

  up(event) {
    const { map } = this;
    this.pointers.delete(event.pointerId);
    if (this.mode === "pinch") {
      if (!this.pointers.size) this.mode = null;
      return;
    }
    if (this.mode === "draw" && this.wandered && map.lasso.drawing) map.lasso.finish();
    else {
      map.lasso.stop();
      if (this.mode && !this.wandered && this.button === 0) map.pointing.click(this.at(event));
    }
    this.mode = null;
  }

  cancel(event) {
    if (event) this.pointers.delete(event.pointerId);
    this.mode = null;
    this.map.lasso.stop();
  }

  wheel(event) {
    if (!this.map.array) return;
    event.preventDefault();
    const pixels = event.deltaY * [1, 16, 400][event.deltaMode];
    this.map.zoomBy(2 ** (-clamp(pixels, -240, 240) / (event.ctrlKey ? 60 : 200)), this.at(event), event);
  }

  // ---------------------------------------------------------------- keys

  key(event) {
    const { map } = this;
    if (event.ctrlKey || event.metaKey || !map.array) return;
    const tools = { v: "pan", l: "lasso", b: "box" };
    const moves = { ArrowLeft: [STEP, 0], ArrowRight: [-STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP] };
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (moves[key]) map.panBy(...moves[key], event);
    else if (key === "+" || key === "=") map.zoomBy(1.4, undefined, event);
    else if (key === "-") map.zoomBy(1 / 1.4, undefined, event);
    else if (key === "0") map.fit(false);
    else if (key === "a") map.fit(true);
    else if (tools[key] && map.data.tools) map.setTool(tools[key]);
    else if (key === " ") this.space = true;
    else if (key === "Enter") map.pointing.click(map.centre());
    else if (key !== "Escape" || !this.escape()) return;
    event.preventDefault();
    event.stopPropagation();
  }

  keyUp(event) {
    if (event.key === " ") this.space = false;
  }

  // Whether there was anything to leave; otherwise the page may have its Escape.
  escape() {
    const { map } = this;
    if (map.lasso.drawing) {
      this.cancel();
      return true;
    }
    if (!map.toolbar.panel.hidden) {
      map.toolbar.toggle(false);
      return true;
    }
    if (map.limits.alone !== null) {
      map.limits.isolate(null);
      return true;
    }
    return false;
  }
}
