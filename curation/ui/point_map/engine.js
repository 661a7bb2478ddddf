// The map that stands in an element: the server's later messages go to it, only leaving the page ends it.
function mountMap(component) {
  const place = component.parentElement;
  const map = (place.curationMap ??= new PointMap(component));
  clearTimeout(map.leaving);
  const turn = ++map.turn;
  map.update(component);
  return () => {
    if (map.turn !== turn) return; // an earlier call is being cleared away, the map stays
    map.leaving = setTimeout(() => {
      delete place.curationMap;
      map.end();
    }, 300);
  };
}

// This script comes once, with the points. The map itself is a few lines that wait for it, so that what travels with
// every answer of the server stays small.
export default function ({ parentElement, data }) {
  hideElement(parentElement);
  shared.style = data.style;
  shared.engine = mountMap;
  for (const start of shared.waiting.splice(0)) start();
}
