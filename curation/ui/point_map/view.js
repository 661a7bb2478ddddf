// The part of the map that is seen: a middle and a zoom, shared by the maps of a group.

const MOST_STRETCH = 1.5; // of one axis against the other, to fill a wide frame: directions mean nothing
const LEAST_ZOOM = 0.05;
const MOST_ZOOM = 5000;

function viewBox(name, map) {
  let box = shared.views.get(name);
  if (!box) shared.views.set(name, (box = { name, cx: undefined, cy: undefined, zoom: 1, members: new Set() }));
  if (map.box && map.box !== box) map.box.members.delete(map);
  box.members.add(map);
  return box;
}

// Pixels of one unit at zoom 1.
function unitsOf([[left, bottom], [right, top]], width, height) {
  let sx = width / Math.max(right - left, 1e-30);
  let sy = height / Math.max(top - bottom, 1e-30);
  sx = Math.min(sx, MOST_STRETCH * sy);
  sy = Math.min(sy, MOST_STRETCH * sx);
  return [sx, sy];
}

// Zoom and middle that show a whole box.
function fitted(box, units, width, height) {
  const [[left, bottom], [right, top]] = box;
  const across = (width * 0.94) / Math.max((right - left) * units[0], 1e-9);
  const up = (height * 0.94) / Math.max((top - bottom) * units[1], 1e-9);
  return { cx: (left + right) / 2, cy: (bottom + top) / 2, zoom: clamp(Math.min(across, up), LEAST_ZOOM * 1e-6, MOST_ZOOM) };
}

// Share of the placed points that a view shows, from at most 4,096 of them.
function shareInView(points, middle, halfWidth, halfHeight) {
  const { values: xy, n } = points;
  const stride = Math.max(1, Math.floor(n / 4096));
  let seen = 0;
  let looked = 0;
  for (let i = 0; i < n; i += stride) {
    looked++;
    if (Math.abs(xy[2 * i] - middle[0]) <= halfWidth && Math.abs(xy[2 * i + 1] - middle[1]) <= halfHeight) seen++;
  }
  return looked ? seen / looked : 0;
}

// Few points are large and nearly opaque, many small and light, so that dense places stay readable.
const sizeFor = (seen) => clamp(13.5 - 2.3 * Math.log10(Math.max(seen, 1)), 2, 8);

function opacityFor(seen, size, area) {
  const covered = (seen * size * size * 0.785) / (0.35 * area);
  return clamp(0.86 * Math.max(covered, 1e-6) ** -0.4, 0.14, 0.92);
}
