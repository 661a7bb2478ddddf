// The drawing: two layers on one WebGL2 canvas. The context (all points, grey) is kept as an image as long as the view
// stays; what stands out is drawn over it. A step of a slider therefore draws only the points that are kept.

const VERTEX = `#version 300 es
layout(location = 0) in vec2 place;
layout(location = 1) in vec4 colour;
uniform vec2 middle, scale;
uniform float size;
uniform vec4 paint; // its alpha says how much of it covers the point's own colour
uniform float opacity;
out vec4 shade;
void main() {
  gl_Position = vec4((place - middle) * scale, 0.0, 1.0);
  gl_PointSize = size;
  shade = vec4(mix(colour.rgb, paint.rgb, paint.a), opacity);
}`;

const FRAGMENT = `#version 300 es
precision highp float;
in vec4 shade;
uniform float size;
out vec4 result;
void main() {
  float reach = length(gl_PointCoord - 0.5) * size; // pixels from the middle
  float alpha = shade.a * clamp(0.5 * size - reach, 0.0, 1.0);
  result = vec4(shade.rgb * alpha, alpha);
}`;

const SQUARE = `#version 300 es
precision mediump float;
in vec4 shade;
out vec4 result;
void main() { result = vec4(shade.rgb * shade.a, shade.a); }`;

const SMALL = 2.4; // device pixels: below, a disc and a square look alike

class Scene {
  constructor(canvas) {
    this.canvas = canvas;
    this.gl = canvas.getContext("webgl2", { antialias: false, depth: false, alpha: true, powerPreference: "high-performance" });
    this.works = Boolean(this.gl);
    this.kind = "gpu";
    this.sent = {};
    if (this.gl) this.build();
  }

  build() {
    const gl = this.gl;
    this.programs = [FRAGMENT, SQUARE].map((fragment) => this.program(VERTEX, fragment));
    this.vertices = gl.createVertexArray();
    this.buffers = { points: gl.createBuffer(), colours: gl.createBuffer(), index: gl.createBuffer() };
    this.sent = {};
    gl.bindVertexArray(this.vertices);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.buffers.points);
    gl.enableVertexAttribArray(0);
    gl.vertexAttribPointer(0, 2, gl.FLOAT, false, 0, 0);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.buffers.colours);
    gl.enableVertexAttribArray(1);
    gl.vertexAttribPointer(1, 4, gl.UNSIGNED_BYTE, true, 0, 0);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this.buffers.index);
    gl.disable(gl.DITHER);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    this.layer = gl.createFramebuffer();
    this.image = gl.createRenderbuffer();
    this.held = ""; // what the image shows
    this.layerSize = "";
  }

  program(vertex, fragment) {
    const gl = this.gl;
    const made = gl.createProgram();
    for (const [kind, text] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, text);
      gl.compileShader(shader);
      gl.attachShader(made, shader);
    }
    gl.linkProgram(made);
    if (!gl.getProgramParameter(made, gl.LINK_STATUS) && !gl.isContextLost()) throw Error(gl.getProgramInfoLog(made));
    const at = Object.fromEntries(
      ["middle", "scale", "size", "paint", "opacity"].map((name) => [name, gl.getUniformLocation(made, name)]),
    );
    return { made, at };
  }

  // Send an array where it is not there yet.
  send(what, array, target = this.gl.ARRAY_BUFFER, usage = this.gl.STATIC_DRAW) {
    if (this.sent[what] === array) return;
    const gl = this.gl;
    gl.bindBuffer(target, this.buffers[what]);
    gl.bufferData(target, array, usage);
    this.sent[what] = array;
    if (what !== "index") this.held = "";
  }

  // The rows that stand out: the first `size` of `rows`, or null for all.
  sendIndex(rows, size) {
    const gl = this.gl;
    this.indexed = rows ? size : null;
    if (!rows) return;
    gl.bindVertexArray(this.vertices);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this.buffers.index);
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, rows.subarray(0, size), gl.DYNAMIC_DRAW);
  }

  resize(width, height) {
    if (this.canvas.width === width && this.canvas.height === height) return false;
    this.canvas.width = width;
    this.canvas.height = height;
    this.held = "";
    return true;
  }

  // frame: {n, middle, scale, context: {size, opacity, paint} | null, front: {size, opacity, paint}}
  draw(frame) {
    const gl = this.gl;
    if (!gl || gl.isContextLost()) return;
    const { width, height } = this.canvas;
    gl.bindVertexArray(this.vertices);
    gl.viewport(0, 0, width, height);
    gl.clearColor(0, 0, 0, 0);
    if (frame.context) {
      const wanted = JSON.stringify([frame.n, frame.middle, frame.scale, frame.context, width, height]);
      if (wanted !== this.held) {
        this.ready(width, height);
        gl.bindFramebuffer(gl.FRAMEBUFFER, this.layer);
        gl.clear(gl.COLOR_BUFFER_BIT);
        this.points(frame, frame.context, null);
        this.held = wanted;
      }
      gl.bindFramebuffer(gl.DRAW_FRAMEBUFFER, null);
      gl.bindFramebuffer(gl.READ_FRAMEBUFFER, this.layer);
      gl.blitFramebuffer(0, 0, width, height, 0, 0, width, height, gl.COLOR_BUFFER_BIT, gl.NEAREST);
      gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    } else {
      gl.bindFramebuffer(gl.FRAMEBUFFER, null);
      gl.clear(gl.COLOR_BUFFER_BIT);
    }
    if (frame.front) this.points(frame, frame.front, this.indexed);
  }

  ready(width, height) {
    const gl = this.gl;
    if (this.layerSize === `${width}x${height}`) return;
    gl.bindRenderbuffer(gl.RENDERBUFFER, this.image);
    gl.renderbufferStorage(gl.RENDERBUFFER, gl.RGBA8, width, height);
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.layer);
    gl.framebufferRenderbuffer(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.RENDERBUFFER, this.image);
    this.layerSize = `${width}x${height}`;
  }

  points(frame, look, indexed) {
    const gl = this.gl;
    if (!frame.n || indexed === 0) return;
    const { made, at } = this.programs[look.size < SMALL ? 1 : 0];
    gl.useProgram(made);
    gl.uniform2f(at.middle, frame.middle[0], frame.middle[1]);
    gl.uniform2f(at.scale, frame.scale[0], frame.scale[1]);
    gl.uniform1f(at.size, look.size < SMALL ? look.size : look.size + 1); // a pixel more for the soft edge
    gl.uniform4f(at.paint, ...look.paint);
    gl.uniform1f(at.opacity, look.opacity);
    if (indexed === null) gl.drawArrays(gl.POINTS, 0, frame.n);
    else gl.drawElements(gl.POINTS, indexed, gl.UNSIGNED_INT, 0);
  }

  // Wait until everything is drawn; RGBA of one pixel, counted from the upper left.
  pixel(x = 0, y = 0) {
    const gl = this.gl;
    const found = new Uint8Array(4);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    gl.readPixels(x, this.canvas.height - 1 - y, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, found);
    return [...found];
  }

  end() {
    this.gl?.getExtension("WEBGL_lose_context")?.loseContext();
  }
}
