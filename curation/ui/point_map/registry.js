// What feeders, maps and hover answers share in one browser tab. It outlives them: a feeder that goes takes no array away.

const shared = (globalThis.curationPointMap = globalThis.curationPointMap?.arrays ? globalThis.curationPointMap : {
  arrays: new Map(), // kind:name -> {name, kind, n, values, bytes, ...}, least recently used first
  bytes: 0,
  maps: new Map(), // key -> PointMap
  hovers: new Map(), // key of a map -> what asks the server for a row's text
  views: new Map(), // name -> {cx, cy, zoom, members}
  settings: new Map(), // key of a map -> what the user set on it
  engine: null, // what makes a map of an element
  waiting: [], // maps that came before the engine
  style: "",
  probe: false, // true: a frame's time waits for the graphics card
  drawing: "", // "gpu" or "cpu": who draws, for tests
  ...globalThis.curationPointMap,
});

const MOST_BYTES = 512 * 2 ** 20;

function putArray(array) {
  const id = `${array.kind}:${array.name}`;
  const old = shared.arrays.get(id);
  if (old) {
    useArray(array.kind, array.name);
    return old;
  }
  shared.arrays.set(id, array);
  shared.bytes += array.bytes;
  const held = new Set();
  for (const map of shared.maps.values()) for (const name of map.uses()) held.add(name);
  for (const [other, kept] of shared.arrays) {
    if (shared.bytes <= MOST_BYTES) break;
    if (other === id || held.has(other)) continue;
    shared.arrays.delete(other);
    shared.bytes -= kept.bytes;
  }
  for (const map of [...shared.maps.values()]) map.arrived(id);
  return array;
}

function useArray(kind, name) {
  const id = `${kind}:${name}`;
  const found = shared.arrays.get(id);
  if (found) {
    shared.arrays.delete(id);
    shared.arrays.set(id, found);
  }
  return found;
}

// An element without a look takes no room either: the gap around it goes with it.
function hideElement(parentElement) {
  const host = parentElement.host ?? parentElement;
  const box = host.closest?.('[data-testid="stElementContainer"]');
  if (box) box.style.display = "none";
}
