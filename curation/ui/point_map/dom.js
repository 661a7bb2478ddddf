// Building blocks of the page. Text enters through textContent only.

const SVG = "http://www.w3.org/2000/svg";

const ICONS = {
  pan: "M12 3v18M3 12h18M9.5 5.500 12 3l2.500 2.500M9.500 18.500 12 21l2.500-2.500M5.500 9.500 3 12l2.500 2.500M18.500 9.500 21 12l-2.500 2.500",
  lasso: "M6.500 15.300C4.400 14.200 3 12.500 3 10.500 3 7 7 4.200 12 4.200s9 2.800 9 6.300-4 6.300-9 6.300c-.8 0-1.500-.1-2.200-.2M9.800 16.600a1.900 1.900 0 1 1-3.300-1.900M8 18.500c.1 1.300-.7 2.200-2 2.600",
  box: "M4.500 8V4.500H8M10.500 4.500h3M16 4.500h3.500V8M19.500 10.500v3M19.500 16v3.500H16M13.500 19.500h-3M8 19.500H4.500V16M4.500 13.500v-3",
  replace: "M12 4.500a7.500 7.500 0 1 0 0 15a7.500 7.500 0 1 0 0-15",
  add: "M12 4.500a7.500 7.500 0 1 0 0 15a7.500 7.500 0 1 0 0-15M12 8.500v7M8.500 12h7",
  subtract: "M12 4.500a7.500 7.500 0 1 0 0 15a7.500 7.500 0 1 0 0-15M8.500 12h7",
  in: "M12 5.500v13M5.500 12h13",
  out: "M5.500 12h13",
  fit: "M4.500 9V4.500H9M19.500 9V4.500H15M4.500 15v4.500H9M19.500 15v4.500H15",
  all: "M9.500 4.500h-5v5M4.500 4.500l5 5M14.500 4.500h5v5M19.500 4.500l-5 5M9.500 19.500h-5v-5M4.500 19.500l5-5M14.500 19.500h5v-5M19.500 19.500l-5-5",
  style: "M4 8h8M16 8h4M14 6v4M4 16h3M11 16h9M9 14v4",
  down: "M7 10l5 5 5-5",
  reset: "M6 6l12 12M18 6 6 18",
};

function el(tag, attributes = {}, children = []) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") node.textContent = value;
    else if (name === "hidden") node.hidden = value;
    else if (value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...[children].flat().filter(Boolean));
  return node;
}

function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

function iconButton(act, title, onClick) {
  const button = el("button", { type: "button", class: "pm-button", "data-act": act, title, "aria-label": title }, icon(act));
  button.addEventListener("click", onClick);
  return button;
}

function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
