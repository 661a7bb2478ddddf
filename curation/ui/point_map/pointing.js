// The point under the pointer: a ring, and what is known of its row.

const REST = 120; // milliseconds that the pointer rests before the row's text is asked for
const REACH = 8; // pixels around the pointer in which a point is met
const MOST_ANSWERS = 500;

class Pointing {
  constructor(map) {
    this.map = map;
    this.hovered = -1;
    this.tip = el("div", { class: "pm-card pm-tooltip", hidden: true, role: "tooltip" });
  }

  grid() {
    const { array } = this.map;
    if (array) array.grid ??= new Grid(array);
    this.gridOf = array;
    return array?.grid;
  }

  nearest(at) {
    const { map } = this;
    const [x, y] = map.toData(...at);
    return this.grid()?.nearest(x, y, ...map.scale(), REACH, map.limits.rows.keep) ?? -1;
  }

  meet(at, event) {
    const { array } = this.map;
    if (array && this.gridOf === array && !event.buttons) this.hover(this.nearest(at));
  }

  click(at) {
    const row = this.map.array ? this.nearest(at) : -1;
    if (row >= 0) this.map.sender.send("clicked", { row });
  }

  hover(row) {
    if (row === this.hovered) return;
    const { map } = this;
    this.hovered = row;
    map.canvas.setAttribute("data-row", row < 0 ? "" : row);
    map.stage.classList.toggle("pm-met", row >= 0);
    clearTimeout(this.resting);
    this.show();
    if (row >= 0) this.resting = setTimeout(() => this.askText(row), REST);
    map.ask("overlay");
  }

  answers() {
    return (this.map.array.answers ??= new Map());
  }

  askText(row) {
    if (!this.answers().has(row)) shared.hovers.get(this.map.data.key)?.ask(row);
  }

  answered(answer) {
    if (!this.map.array) return;
    const answers = this.answers();
    if (answers.size > MOST_ANSWERS) answers.clear();
    answers.set(answer.row, answer);
    if (answer.row === this.hovered) this.show();
  }

  // One line about the colour of a row.
  colourOf(row) {
    const { colour } = this.map.data;
    const array = this.map.column();
    if (!array) return [];
    const value = array.values[row];
    if (colour.kind === "categories") return [["", value < 0 ? colour.none_name : (colour.names[value] ?? `category ${value}`)]];
    return [[colour.label, Number.isFinite(value) ? number(value) : "missing"]];
  }

  show() {
    const { tip, hovered, map } = this;
    const place = hovered >= 0 && map.placeOf(hovered);
    tip.hidden = !place;
    if (!place) return;
    const answer = this.answers().get(hovered);
    const facts = [...this.colourOf(hovered), ...(answer?.facts ?? [])];
    tip.replaceChildren(
      el("strong", { text: answer?.title ?? `row ${count(hovered)}` }),
      ...facts.map(([name, value]) => el("div", { class: "pm-fact" }, [name && el("span", { text: name }), el("span", { text: value })])),
      ...(answer?.text ? [el("p", { text: answer.text })] : []),
    );
    const { offsetWidth: w, offsetHeight: h } = tip;
    const left = place[0] + 14 + w > map.width ? place[0] - 14 - w : place[0] + 14;
    tip.style.left = `${clamp(left, 4, Math.max(map.width - w - 4, 4))}px`;
    tip.style.top = `${clamp(place[1] - h / 2, 4, Math.max(map.height - h - 4, 4))}px`;
  }

  end() {
    clearTimeout(this.resting);
  }
}
