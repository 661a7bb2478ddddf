// The map as the page mounts it; what draws it comes once, as "engine".

export default function (component) {
  if (shared.engine) return shared.engine(component);
  let gone = false;
  let end = null;
  shared.waiting.push(() => {
    if (!gone) end = shared.engine(component);
  });
  return () => {
    gone = true;
    end?.();
  };
}
