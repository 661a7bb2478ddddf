// Laid into every page before its own scripts: notes when input comes, when the map has drawn, and when a page has
// come to rest. All times are milliseconds since the navigation began.

(() => {
  const probe = (globalThis.benchmark = { frames: [], input: null, up: null, ready: null, canvas: null, plotly: null });

  // the map's own registry is told to wait for the graphics card, as soon as it is made
  let registry;
  Object.defineProperty(globalThis, "curationPointMap", {
    configurable: true,
    get: () => registry,
    set: (made) => {
      registry = made;
      registry.probe = true;
    },
  });

  for (const type of ["pointermove", "wheel", "keydown"])
    addEventListener(type, (event) => (probe.input ??= event.timeStamp), { capture: true, passive: true });
  for (const type of ["pointerup", "keyup"])
    addEventListener(type, (event) => (probe.up = event.timeStamp), { capture: true, passive: true });

  addEventListener("curation-map-drawn", (event) => {
    const [canvas] = event.composedPath();
    probe.canvas = canvas;
    probe.frames.push({ time: performance.now(), input: probe.input, cause: event.detail.cause, ms: event.detail.ms });
    if (probe.frames.length > 2000) probe.frames.splice(0, 1000);
  });

  // ------------------------------------------------------------------ first picture

  const looking = () => {
    const chart = document.querySelector(".js-plotly-plot");
    if (probe.canvas?.dataset.ready === "1" || (chart?.calcdata?.length && chart.querySelector("canvas")))
      probe.ready = performance.now();
    else requestAnimationFrame(looking);
  };
  requestAnimationFrame(looking);

  // ------------------------------------------------------------------ one step of a drag

  // Call before the input is sent; `stepped` is then the time of the first frame drawn for it.
  probe.step = (cause) => {
    probe.input = null;
    const from = probe.frames.length;
    probe.stepped = new Promise((resolve) => {
      const look = () => {
        const frame = probe.frames.slice(from).find((f) => f.input !== null && (!cause || f.cause.split(" ").includes(cause)));
        if (frame) resolve(frame.time - frame.input);
        else setTimeout(look, 1);
      };
      look();
    });
  };

  // ------------------------------------------------------------------ from release to rest

  const idle = () => document.querySelector('[data-testid="stApp"]')?.dataset.testScriptState === "notRunning";
  const shown = (selector) => document.querySelector(selector)?.textContent ?? "";
  const grouped = (number) => Number(number).toLocaleString("en-US");

  const resting = (done) => {
    probe.up = null;
    probe.rested = new Promise((resolve) => {
      const look = () => {
        const found = done();
        if (found && probe.up !== null) resolve({ ms: performance.now() - probe.up, ...found });
        else requestAnimationFrame(look);
      };
      look();
    });
  };

  // Our map: the gesture was taken, the page shows the very count that the map shows, and no script runs.
  probe.release = (selector) => {
    const before = Number(probe.canvas.dataset.sent);
    resting(() => {
      const { sent, seen, kept } = probe.canvas.dataset;
      const taken = Number(sent) > before && Number(seen) >= Number(sent);
      return taken && idle() && shown(selector).includes(grouped(kept)) && { kept: Number(kept) };
    });
  };

  // From the pointer's rest on a point to its text.
  probe.hover = () => {
    probe.input = null;
    const tip = probe.canvas.getRootNode().querySelector(".pm-tooltip");
    probe.hovered = new Promise((resolve) => {
      const look = () => {
        if (probe.input !== null && !tip.hidden && tip.querySelector("p")?.textContent) resolve(performance.now() - probe.input);
        else requestAnimationFrame(look);
      };
      look();
    });
  };

  // The baseline: another count stands there (and the chart was drawn anew), and no script runs.
  probe.releaseOther = (selector, redrawn) => {
    const before = shown(selector);
    const chart = () => document.querySelector(".js-plotly-plot")?.calcdata;
    const drawn = chart();
    resting(() => {
      const text = shown(selector);
      const done = idle() && text !== "" && text !== before && (!redrawn || (chart()?.length && chart() !== drawn));
      return done && { kept: Number(text.replace(/\D/g, "")) };
    });
  };

  // Where a place of the baseline's map is in the window.
  probe.plotlyScreen = (x, y) => {
    const chart = document.querySelector(".js-plotly-plot");
    const { xaxis, yaxis } = chart._fullLayout;
    const box = chart.getBoundingClientRect();
    return [box.left + xaxis._offset + xaxis.d2p(x), box.top + yaxis._offset + yaxis.d2p(y)];
  };
})();
