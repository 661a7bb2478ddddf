// Draws what pieces.py made. Every text becomes a text node: there is no innerHTML here, and no address is followed.

const PLAIN = 0, MARKED = 1, UNSEEN = 2, LEFT_OUT = 3;
const SVG = "http://www.w3.org/2000/svg";
const ICONS = {
  system: "M4 7h9M17 7h3M4 17h3M11 17h9M15 4.5v5M9 14.5v5",
  user: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8ZM4.5 20c1-4 4-5.5 7.5-5.5s6.5 1.5 7.5 5.5",
  assistant: "M12 3c.8 5.2 3.8 8.2 9 9-5.2.8-8.2 3.8-9 9-.8-5.2-3.8-8.2-9-9 5.2-.8 8.2-3.8 9-9Z",
  tool: "M9 8 4.5 12 9 16M15 8l4.5 4L15 16",
  copy: "M9 9h10v11H9zM6 15H5V4h10v2",
  done: "M5 12.5l4.5 4.5L19 7.5",
};

function make(tag, className, ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children); // strings become text nodes
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

function textOf(runs) {
  return runs.map((run) => (run[0] === UNSEEN ? run[2] : run[1])).join("");
}

function fill(node, runs) {
  for (const [kind, text] of runs) {
    if (kind === LEFT_OUT) continue;
    if (kind === PLAIN) node.append(text);
    else if (kind === MARKED) node.append(make("mark", "", text));
    else {
      const unseen = make("span", "unseen", text);
      unseen.title = "A character that cannot be seen";
      node.append(unseen);
    }
  }
  return node;
}

function codeBox(runs, title, warning) {
  const box = make("div", "code");
  const head = make("div", "code-title");
  fill(head, title);
  if (warning) head.append(make("span", "warning", warning));
  if (head.childNodes.length) box.append(head);
  const pre = fill(make("pre", ""), runs);
  pre.tabIndex = 0; // so that the arrow keys can scroll it
  pre.dir = "ltr";
  box.append(pre);
  return box;
}

function number(value) {
  return value.toLocaleString("en-US");
}

async function copy(button, text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = make("textarea", "copied");
    area.value = text;
    button.after(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    button.focus();
  }
  button.replaceChildren(icon("done"));
  button.setAttribute("aria-label", "Copied");
  setTimeout(() => {
    button.replaceChildren(icon("copy"));
    button.setAttribute("aria-label", "Copy this message");
  }, 1500);
}

function originalOf(message) {
  if (message.original !== null) return message.original;
  const said = message.blocks.map((block) => block.head + textOf(block.runs) + block.tail).join("");
  const calls = message.calls.map((call) => `${textOf(call.name)} ${textOf(call.runs)}`);
  return [said, ...calls].filter(Boolean).join("\n\n");
}

function body(message) {
  const body = make("div", "body");
  for (const block of message.blocks) {
    if (block.code) {
      body.append(codeBox(block.runs, block.language, block.closed ? "" : "this fence is never closed"));
    } else {
      const text = fill(make("div", "text"), block.runs);
      text.dir = "auto";
      body.append(text);
    }
  }
  for (const call of message.calls) {
    const box = codeBox(call.runs, [[PLAIN, "calls "], ...call.name], "");
    box.classList.add("call");
    body.append(box);
  }
  for (const part of message.parts) {
    const line = make("div", "part");
    fill(line, part.kind);
    line.append(" · not loaded · ");
    const address = fill(make("code", ""), part.runs);
    address.dir = "ltr";
    line.append(address);
    if (part.lost) line.append(` … and ${number(part.lost)} more characters`);
    body.append(line);
  }
  if (message.empty) body.append(make("div", "empty", "(empty)"));
  if (message.lost) body.append(make("div", "note", `… and ${number(message.lost)} more characters`));
  return body;
}

function article(message, place, open) {
  const node = make("article", `message ${message.role}`);
  const head = make("header", "");
  const who = make("span", "who", icon(message.role), message.title);
  if (message.name.length) fill(who, [[PLAIN, " · "], ...message.name]);
  head.append(who);
  if (message.untrained) head.append(make("span", "badge", "not trained on"));
  if (message.marks) head.append(make("span", "badge found", `${number(message.marks)} found`));
  const button = make("button", "copy", icon("copy"));
  button.type = "button";
  button.setAttribute("aria-label", "Copy this message");
  button.title = "Copy this message";
  button.addEventListener("click", () => copy(button, originalOf(message)));
  head.append(button);
  const text = body(message);
  node.append(head, text);
  if (message.fold) {
    const more = make("button", "more");
    more.type = "button";
    const draw = () => {
      const shown = open.has(place);
      text.classList.toggle("folded", !shown);
      more.setAttribute("aria-expanded", String(shown));
      more.textContent = shown ? "Show less" : `Show all ${number(message.letters)} characters`;
    };
    more.addEventListener("click", () => {
      if (!open.delete(place)) open.add(place);
      draw();
    });
    draw();
    node.append(more);
  }
  return node;
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".conversation");
  if (root.dataset.version === data.version) return;
  root.dataset.version = data.version;
  root.setAttribute("aria-label", data.label);
  const { messages, more, tools } = JSON.parse(data.json);
  const open = new Set();
  root.replaceChildren(...messages.map((message, place) => article(message, place, open)));
  if (more > 0) root.append(make("div", "note", `… and ${number(more)} more messages`));
  if (tools) {
    const box = make("details", "tools", make("summary", "", "Tools offered"));
    box.append(codeBox(tools, [], ""));
    root.append(box);
  }
}
