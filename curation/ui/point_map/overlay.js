// What lies over the points on a canvas of its own: names of places, outlines, the shape being drawn, marks on rows.

const NAME_AREA = 42_000; // square pixels of the frame for each name in the first view

class Overlay {
  constructor(canvas) {
    this.canvas = canvas;
    this.pen = canvas.getContext("2d");
    this.measured = new Map();
  }

  draw(map) {
    const { pen, canvas } = this;
    const { ratio, theme } = map;
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, canvas.width, canvas.height);
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    for (const shape of map.data.shapes) this.outline(map, shape.points.map(([x, y]) => map.toFrame(x, y)), shape.op, false);
    if (map.settings.names && map.array.placed) this.names(map);
    const { drawing, waiting } = map.lasso;
    if (drawing) this.outline(map, drawing.points, drawing.op, true);
    else if (waiting) this.outline(map, waiting.points.map(([x, y]) => map.toFrame(x, y)), waiting.op, false);
    const { open_row: open } = map.data;
    if (open !== null && open !== undefined) this.ring(map, open, theme.selected, 8, 2.5);
    if (map.pointing.hovered >= 0) this.ring(map, map.pointing.hovered, theme.text, 6.5, 2);
    if (map.keyboard) this.cross(map);
  }

  // ---------------------------------------------------------------- shapes and marks

  outline(map, points, op, open) {
    const { pen } = this;
    if (points.length < 2) return;
    const colour = op === "subtract" ? map.theme.muted : map.theme.selected;
    pen.beginPath();
    points.forEach(([x, y], i) => (i ? pen.lineTo(x, y) : pen.moveTo(x, y)));
    pen.closePath();
    pen.lineJoin = "round";
    if (open) {
      pen.globalAlpha = 0.08;
      pen.fillStyle = colour;
      pen.fill("evenodd");
    }
    pen.globalAlpha = 0.9;
    pen.setLineDash([]);
    pen.lineWidth = 3.5;
    pen.strokeStyle = map.theme.background;
    pen.stroke();
    pen.globalAlpha = 1;
    pen.setLineDash(op === "subtract" ? [2, 4] : [6, 4]);
    pen.lineWidth = 1.6;
    pen.strokeStyle = colour;
    pen.stroke();
    pen.setLineDash([]);
  }

  ring(map, row, colour, radius, width) {
    const { pen } = this;
    const place = map.placeOf(row);
    if (!place) return;
    pen.beginPath();
    pen.arc(place[0], place[1], radius, 0, 2 * Math.PI);
    pen.lineWidth = width + 2;
    pen.strokeStyle = map.theme.background;
    pen.stroke();
    pen.lineWidth = width;
    pen.strokeStyle = colour;
    pen.stroke();
  }

  cross(map) {
    const { pen } = this;
    const [x, y] = map.centre();
    for (const [width, colour] of [[4, map.theme.background], [1.5, map.theme.text]]) {
      pen.lineWidth = width;
      pen.strokeStyle = colour;
      pen.beginPath();
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        pen.moveTo(x + 5 * dx, y + 5 * dy);
        pen.lineTo(x + 11 * dx, y + 11 * dy);
      }
      pen.stroke();
    }
  }

  // ---------------------------------------------------------------- names of places

  names(map) {
    const { pen } = this;
    const most = clamp(((map.width * map.height) / NAME_AREA) * clamp(map.box.zoom, 1, 8) ** 0.5, 3, 48);
    const heaviest = map.data.names.length ? map.data.names[0][3] : 1;
    const taken = [];
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.lineJoin = "round";
    for (const [x, y, text, weight] of map.data.names) {
      if (taken.length >= most) break;
      const [px, py] = map.toFrame(x, y);
      const size = 11.5 + 3 * Math.sqrt(clamp(weight / heaviest, 0, 1) || 0);
      const { lines, width } = this.measure(text, size, map.font);
      const height = lines.length * size * 1.18;
      const box = [px - width / 2 - 5, py - height / 2 - 3, px + width / 2 + 5, py + height / 2 + 3];
      if (box[0] < 0 || box[1] < 0 || box[2] > map.width || box[3] > map.height) continue;
      if ([...map.covered, ...taken].some((t) => box[0] < t[2] && box[2] > t[0] && box[1] < t[3] && box[3] > t[1])) continue;
      taken.push(box);
      pen.font = `600 ${size}px ${map.font}`;
      lines.forEach((line, i) => {
        const at = py + (i - (lines.length - 1) / 2) * size * 1.18;
        pen.globalAlpha = 0.88;
        pen.lineWidth = 4;
        pen.strokeStyle = map.theme.background;
        pen.strokeText(line, px, at);
        pen.globalAlpha = 1;
        pen.fillStyle = map.theme.text;
        pen.fillText(line, px, at);
      });
    }
    map.named = taken.length;
  }

  measure(text, size, font) {
    const id = `${size}|${text}`;
    const known = this.measured.get(id);
    if (known) return known;
    this.pen.font = `600 ${size}px ${font}`;
    const lines = [];
    for (const word of text.split(" ")) {
      const longer = lines.length ? `${lines.at(-1)} ${word}` : word;
      if (lines.length && longer.length <= 20) lines[lines.length - 1] = longer;
      else lines.push(word);
    }
    lines.forEach((line, i) => (lines[i] = line.replace(/ ·$/, "")));
    if (lines.length > 2) lines.splice(1, lines.length - 1, `${lines[1]}…`);
    const made = { lines, width: Math.max(...lines.map((line) => this.pen.measureText(line).width)) };
    if (this.measured.size > 4000) this.measured.clear();
    this.measured.set(id, made);
    return made;
  }
}
