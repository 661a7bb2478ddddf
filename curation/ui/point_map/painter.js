// The same drawing without a graphics card. Where WebGL is emulated in software a million points take over a second;
// one loop that mixes colours into an image takes a few hundredths. It also serves browsers without WebGL2.

const PARTS_OF_PIXEL = 4; // discs are placed to a quarter of a pixel
const FEWEST_WHILE_MOVING = 50_000; // points of a layer that are drawn even where not all are

class Painter {
  constructor(canvas) {
    this.canvas = canvas;
    this.pen = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
    this.works = true;
    this.kind = "cpu";
    this.held = "";
    this.sent = {};
    this.stamps = new Map();
    this.fit();
  }

  build() {
    this.held = "";
  }

  fit() {
    const { width, height } = this.canvas;
    this.image = this.pen.createImageData(Math.max(width, 1), Math.max(height, 1));
    this.shown = new Uint32Array(this.image.data.buffer);
    this.back = null;
    this.held = "";
  }

  resize(width, height) {
    if (this.canvas.width === width && this.canvas.height === height) return false;
    this.canvas.width = width;
    this.canvas.height = height;
    this.fit();
    return true;
  }

  send(what, array) {
    if (this.sent[what] === array) return;
    this.sent[what] = array;
    this.held = "";
  }

  sendIndex(rows, size) {
    this.rows = rows;
    this.size = rows ? size : null;
  }

  draw(frame) {
    const ground = packedColour(frame.ground);
    if (frame.context) {
      const wanted = JSON.stringify([frame.n, frame.middle, frame.scale, frame.context, frame.ground, frame.stride]);
      this.back ??= new Uint32Array(this.shown.length);
      if (wanted !== this.held) {
        this.back.fill(ground);
        this.points(this.back, frame, frame.context, null);
        this.held = wanted;
      }
      this.shown.set(this.back);
    } else this.shown.fill(ground);
    this.points(this.shown, frame, frame.front, this.rows);
    this.pen.putImageData(this.image, 0, 0);
  }

  points(target, frame, look, rows) {
    const { width, height } = this.canvas;
    const xy = this.sent.points;
    const [sx, sy] = [(frame.scale[0] * width) / 2, (frame.scale[1] * height) / 2];
    const paint = look.paint[3] ? packedColour(look.paint.slice(0, 3).map((v) => Math.round(v * 255))) : null;
    const all = rows ? this.size : frame.n;
    const stride = clamp(frame.stride, 1, Math.max(Math.floor(all / FEWEST_WHILE_MOVING), 1));
    const place = {
      xy, rows, stride, count: all, colours: paint === null ? this.sent.colours : null, paint,
      sx, sy, x0: width / 2 - frame.middle[0] * sx, y0: height / 2 + frame.middle[1] * sy, width, height,
    };
    const opacity = Math.min(look.opacity * Math.sqrt(stride), 1); // fewer points, each a little stronger
    if (look.size < SMALL) squares(target, place, look.size, opacity);
    else discs(target, place, this.stampsOf(look.size, opacity));
  }

  // Discs at every quarter of a pixel: [reach, then for each place the offsets and the cover of its pixels].
  stampsOf(size, opacity) {
    const id = `${size}|${opacity}|${this.canvas.width}`;
    const known = this.stamps.get(id);
    if (known) return known;
    const reach = Math.ceil(size / 2 + 1);
    const stamps = [];
    for (let part = 0; part < PARTS_OF_PIXEL ** 2; part++) {
      const fx = ((part % PARTS_OF_PIXEL) + 0.5) / PARTS_OF_PIXEL;
      const fy = (Math.floor(part / PARTS_OF_PIXEL) + 0.5) / PARTS_OF_PIXEL;
      const pixels = [];
      for (let dy = -reach; dy <= reach; dy++) {
        for (let dx = -reach; dx <= reach; dx++) {
          const far = Math.hypot(dx + 0.5 - fx, dy + 0.5 - fy);
          const cover = Math.round(256 * opacity * clamp(size / 2 - far + 0.5, 0, 1));
          if (cover) pixels.push([dx, dy, cover]);
        }
      }
      stamps.push({
        dx: Int32Array.from(pixels, (p) => p[0]),
        dy: Int32Array.from(pixels, (p) => p[1]),
        offset: Int32Array.from(pixels, (p) => p[0] + p[1] * this.canvas.width),
        cover: Int32Array.from(pixels, (p) => p[2]),
      });
    }
    if (this.stamps.size > 64) this.stamps.clear();
    const made = { reach, stamps };
    this.stamps.set(id, made);
    return made;
  }

  pixel(x = 0, y = 0) {
    const value = this.shown[y * this.canvas.width + x];
    return [value & 255, (value >> 8) & 255, (value >> 16) & 255, 255];
  }

  end() {
    this.back = this.shown = this.image = null;
  }
}

// Red and blue are mixed in one multiplication, green in another; 0x800080 and 0x8000 round.
function squares(target, place, size, opacity) {
  const { xy, rows, stride, count: points, colours, paint, sx, sy, width, height } = place;
  const side = size < 1.45 ? 1 : 2;
  const cover = Math.round(256 * clamp(opacity * (size / side) ** 2, 0.02, 1));
  const rest = 256 - cover;
  const x0 = place.x0 - (side - 1) / 2;
  const y0 = place.y0 - (side - 1) / 2;
  const right = width - side + 1;
  const bottom = height - side + 1;
  for (let k = 0; k < points; k += stride) {
    const i = rows === null ? k : rows[k];
    const x = xy[2 * i] * sx + x0;
    const y = y0 - xy[2 * i + 1] * sy;
    if (!(x >= 0 && x < right && y >= 0 && y < bottom)) continue;
    const colour = colours === null ? paint : colours[i];
    const redBlue = Math.imul(colour & 0xff00ff, cover) + 0x800080;
    const green = Math.imul(colour & 0xff00, cover) + 0x8000;
    let at = (y | 0) * width + (x | 0);
    for (let dy = 0; dy < side; dy++) {
      for (let dx = 0; dx < side; dx++) {
        const old = target[at + dx];
        target[at + dx] =
          0xff000000 |
          (((Math.imul(old & 0xff00ff, rest) + redBlue) >>> 8) & 0xff00ff) |
          (((Math.imul(old & 0xff00, rest) + green) >>> 8) & 0xff00);
      }
      at += width;
    }
  }
}

function discs(target, place, { reach, stamps }) {
  const { xy, rows, stride, count: points, colours, paint, sx, sy, x0, y0, width, height } = place;
  for (let k = 0; k < points; k += stride) {
    const i = rows === null ? k : rows[k];
    const x = xy[2 * i] * sx + x0;
    const y = y0 - xy[2 * i + 1] * sy;
    if (!(x > -reach && x < width + reach && y > -reach && y < height + reach)) continue;
    const left = Math.floor(x);
    const top = Math.floor(y);
    const part = (((x - left) * PARTS_OF_PIXEL) | 0) + PARTS_OF_PIXEL * (((y - top) * PARTS_OF_PIXEL) | 0);
    const { dx, dy, offset, cover } = stamps[part];
    const colour = colours === null ? paint : colours[i];
    const atRim = left < reach || top < reach || left >= width - reach || top >= height - reach;
    const at = top * width + left;
    for (let p = 0; p < offset.length; p++) {
      if (atRim) {
        const px = left + dx[p];
        const py = top + dy[p];
        if (px < 0 || py < 0 || px >= width || py >= height) continue;
      }
      const part256 = cover[p];
      const old = target[at + offset[p]];
      target[at + offset[p]] =
        0xff000000 |
        (((Math.imul(old & 0xff00ff, 256 - part256) + Math.imul(colour & 0xff00ff, part256) + 0x800080) >>> 8) & 0xff00ff) |
        (((Math.imul(old & 0xff00, 256 - part256) + Math.imul(colour & 0xff00, part256) + 0x8000) >>> 8) & 0xff00);
    }
  }
}

// Who draws: the graphics card where there is one.
function drawerFor(canvas) {
  const wanted = shared.drawing; // "gpu" or "cpu", for tests and measurements
  if (wanted !== "cpu") {
    const trial = document.createElement("canvas").getContext("webgl2");
    const facts = trial?.getExtension("WEBGL_debug_renderer_info");
    const name = trial ? String(trial.getParameter(facts ? facts.UNMASKED_RENDERER_WEBGL : trial.RENDERER)) : "";
    trial?.getExtension("WEBGL_lose_context")?.loseContext();
    const emulated = /swiftshader|llvmpipe|softpipe|software|basic render/i.test(name);
    if (trial && (wanted === "gpu" || !emulated)) return new Scene(canvas);
  }
  return new Painter(canvas);
}
