// What the map says in words: counts beside the drawing, and a summary for screen readers.

function tellCounts(map) {
  const { kept, lit } = map.limits.numbers;
  const { n } = map.data;
  let text = `${count(n)} rows`;
  if (kept < lit || map.limits.cutting) text = `${count(kept)} kept · ${share(kept, lit)} of the view`;
  else if (lit < n) text = `${count(lit)} in view · ${share(lit, n)}`;
  write(map.counter, text);
  const notes = [];
  if (map.array.outside && !map.showsAll) notes.push(`${count(map.array.outside)} far points outside the first view`);
  if (map.array.placed < n) notes.push(`${count(n - map.array.placed)} rows have no place`);
  write(map.note, n ? notes.join(" · ") : "There are no rows to draw.");
  const about = { "data-points": n, "data-placed": map.array.placed, "data-lit": lit, "data-kept": kept };
  for (const [name, value] of Object.entries(about)) map.canvas.setAttribute(name, value);
}

function tellReader(map) {
  const { colour, alt, n } = map.data;
  const by = colour ? `, coloured by ${colour.kind === "numbers" ? colour.label : "category"}` : "";
  const { kept, lit } = map.limits.numbers;
  const words = `${alt}: ${count(n)} rows${by}; ${count(lit)} in the view, ${count(kept)} kept.`;
  map.stage.setAttribute("aria-label", `${words} Arrow keys move, plus and minus zoom, 0 shows the first view, L lasso, B box, V move, Enter opens the row in the middle.`);
  write(map.live, words);
}
