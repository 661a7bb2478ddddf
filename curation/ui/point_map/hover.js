// Asks the server for the text of a row and hands the answer to the map.

export default function ({ data, parentElement, setTriggerValue }) {
  hideElement(parentElement);
  const { key, answer } = data;
  const asker = { ask: (row) => setTriggerValue("row", row) };
  shared.hovers.set(key, asker);
  if (answer) shared.maps.get(key)?.pointing.answered(answer);
  return () => {
    if (shared.hovers.get(key) === asker) shared.hovers.delete(key);
  };
}
