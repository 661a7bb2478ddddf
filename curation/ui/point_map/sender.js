// Gestures on their way to the server: one at a time, each until it was taken, so that none is lost or applied twice.

const AGAIN = 10_000; // milliseconds until a gesture that nobody took is sent again

class Sender {
  constructor(map) {
    this.map = map;
    this.queue = [];
    this.outstanding = null;
    this.serial = 0;
  }

  pending(kind, column) {
    return [this.outstanding, ...this.queue].some((sent) => sent?.[kind] && (!column || sent[kind].column === column));
  }

  send(kind, value) {
    const { map } = this;
    this.serial = Math.max(Date.now(), this.serial + 1, map.data.seen + 1);
    const same = (sent) => sent[kind] && kind !== "region" && sent[kind].column === value.column;
    this.queue = [...this.queue.filter((sent) => !same(sent)), { serial: this.serial, [kind]: value }];
    this.sentAt = performance.now();
    map.canvas.setAttribute("data-sent", this.serial);
    this.pump();
  }

  pump() {
    if (this.outstanding || !this.queue.length) return;
    this.outstanding = this.queue.shift();
    const push = () => {
      this.map.trigger("gesture", this.outstanding);
      this.repeat = setTimeout(push, AGAIN);
    };
    push();
  }

  taken(seen) {
    if (!this.outstanding || seen < this.outstanding.serial) return;
    clearTimeout(this.repeat);
    const { map } = this;
    const detail = { key: map.data.key, serial: this.outstanding.serial, ms: performance.now() - this.sentAt };
    if (this.outstanding.region) map.lasso.waiting = null;
    this.outstanding = null;
    map.canvas.dispatchEvent(new CustomEvent("curation-map-taken", { detail, bubbles: true, composed: true }));
    this.pump();
  }

  end() {
    clearTimeout(this.repeat);
  }
}
