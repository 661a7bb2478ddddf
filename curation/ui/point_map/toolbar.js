// Buttons on the map and the small panel that sets size, opacity and names.

const TOOLS = { pan: "Move the map (V). Hold Shift to draw a lasso", lasso: "Lasso (L)", box: "Box (B)" };
const OPS = {
  replace: "A new selection",
  add: "Add to the selection (hold Shift)",
  subtract: "Take away from the selection (hold Alt)",
};

class Toolbar {
  constructor(map) {
    this.map = map;
    this.tools = Object.entries(TOOLS).map(([act, title]) => iconButton(act, title, () => map.setTool(act)));
    this.ops = Object.entries(OPS).map(([act, title]) => iconButton(act, title, () => map.setOp(act)));
    this.opCard = el("div", { class: "pm-card pm-row", role: "group", "aria-label": "What a shape does" }, this.ops);
    this.top = el("div", { class: "pm-top", role: "toolbar", "aria-label": "Tools" }, [
      el("div", { class: "pm-card pm-row", role: "group", "aria-label": "What dragging does" }, this.tools),
      this.opCard,
    ]);
    this.styleButton = iconButton("style", "Size, opacity and names", () => this.toggle());
    this.side = el("div", { class: "pm-card pm-column" }, [
      iconButton("in", "Zoom in (+)", () => map.zoomBy(1.6)),
      iconButton("out", "Zoom out (−)", () => map.zoomBy(1 / 1.6)),
      iconButton("fit", "First view (0)", () => map.fit(false)),
      iconButton("all", "All points, far ones too (A)", () => map.fit(true)),
      this.styleButton,
    ]);
    this.panel = this.makePanel();
  }

  makePanel() {
    const { map } = this;
    const slider = (name, label, low, high) => {
      const input = el("input", { type: "range", min: low, max: high, step: 0.05, "aria-label": label, "data-set": name });
      input.value = String(Math.log2(map.settings[name]));
      input.addEventListener("input", () => {
        map.settings[name] = 2 ** Number(input.value);
        map.ask("style");
      });
      return el("label", {}, [el("span", { text: label }), input]);
    };
    const names = el("input", { type: "checkbox", "data-set": "names" });
    names.checked = map.settings.names;
    names.addEventListener("change", () => {
      map.settings.names = names.checked;
      map.ask("overlay");
    });
    return el("div", { class: "pm-card pm-panel", hidden: true, role: "group", "aria-label": "Look" }, [
      slider("size", "Size", -1.6, 1.8),
      slider("opacity", "Opacity", -2.5, 2),
      el("label", {}, [names, el("span", { text: "Names on the map" })]),
    ]);
  }

  toggle(open = this.panel.hidden) {
    this.panel.hidden = !open;
    this.styleButton.setAttribute("aria-expanded", String(open));
  }

  update() {
    const { map } = this;
    this.top.hidden = !map.data.tools;
    for (const button of this.tools) button.setAttribute("aria-pressed", String(button.dataset.act === map.settings.tool));
    for (const button of this.ops) button.setAttribute("aria-pressed", String(button.dataset.act === (map.heldOp ?? map.settings.op)));
    this.opCard.hidden = map.settings.tool === "pan" && !map.heldOp;
  }
}
