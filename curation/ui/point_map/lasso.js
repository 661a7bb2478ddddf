// The shape that is being drawn, and what is inside.

class Lasso {
  constructor(map) {
    this.map = map;
    this.drawing = null; // {op, tool, points in pixels}
    this.waiting = null; // {op, points in data coordinates}, sent and not yet taken
    this.near = el("div", { class: "pm-card pm-cursor", hidden: true, "aria-hidden": "true" });
  }

  begin(op, tool, at) {
    this.drawing = { op, tool, points: [at] };
    this.inside = null;
    this.nextCount = 0;
  }

  to(at, event) {
    const { drawing, map } = this;
    if (!drawing) return;
    if (drawing.tool === "box") {
      const [[x, y]] = drawing.points;
      drawing.points = [[x, y], [at[0], y], at, [x, at[1]]];
    } else {
      const last = drawing.points.at(-1);
      if (Math.hypot(at[0] - last[0], at[1] - last[1]) < 2) return;
      drawing.points.push(at);
    }
    this.count(at);
    map.ask("overlay", event);
  }

  // The corners that are counted and sent: the same numbers for both.
  corners() {
    const { tool, points } = this.drawing;
    const simple = tool === "box" ? points : lassoCorners(points);
    if (simple.length < 3 || areaOf(simple) < 16) return null;
    return simple.map((place) => this.map.toData(...place).map((v) => Number(v.toPrecision(8))));
  }

  // What is inside now, as often as the machine can say.
  count(at) {
    const now = performance.now();
    if (now >= this.nextCount) {
      this.measure(this.corners());
      this.nextCount = performance.now() + Math.max(40, 2 * (performance.now() - now));
    }
    this.show(at);
  }

  measure(points) {
    const { map } = this;
    this.inside = points ? new Polygon(points).count(map.array.values, map.limits.rows.keep) : [0, 0];
    map.canvas.setAttribute("data-inside", this.inside[0]);
    map.canvas.setAttribute("data-inside-kept", this.inside[1]);
  }

  show(at) {
    this.near.hidden = !at || !this.inside;
    if (this.near.hidden) return;
    const [all, kept] = this.inside;
    const sign = { add: "+ ", subtract: "− ", replace: "" }[this.drawing.op];
    write(this.near, sign + (kept === all ? count(all) : `${count(kept)} of ${count(all)}`));
    const left = Math.min(at[0] + 14, this.map.width - this.near.offsetWidth - 6);
    this.near.style.transform = `translate(${left}px, ${Math.max(at[1] - 34, 4)}px)`;
  }

  finish() {
    const { drawing, map } = this;
    const points = drawing && this.corners();
    if (points) {
      this.measure(points);
      this.waiting = { op: drawing.op, points };
    }
    this.stop();
    if (points) map.sender.send("region", this.waiting);
  }

  stop() {
    this.drawing = null;
    this.near.hidden = true;
    this.map.ask("overlay");
  }
}
