// What cuts and budget have in common: a track with handles that can be dragged and moved by keys.

const KEY_REST = 450; // milliseconds after the last key press until the value is sent

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
