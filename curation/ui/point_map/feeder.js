// Takes one array out of a message and lays it where the maps find it.

const KINDS = { points: Float32Array, numbers: Float32Array, codes: Int32Array, ranks: Int32Array };

function unpack(message) {
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  if (message.byteLength < 8 || view.getUint32(0, false) !== 0x43504d31) throw Error("this is no array for the map");
  const start = 8 + view.getUint32(4, true);
  const head = JSON.parse(new TextDecoder().decode(message.subarray(8, start)));
  const bytes = message.slice(start).buffer; // a copy of its own begins at a place that typed arrays may begin at
  const values = head.kind === "mask" ? bits(new Uint8Array(bytes), head.n) : new KINDS[head.kind](bytes);
  return { ...head, values, bytes: values.byteLength };
}

function bits(packed, n) {
  const values = new Uint8Array(n);
  for (let i = 0; i < n; i++) values[i] = (packed[i >> 3] >> (i & 7)) & 1;
  return values;
}

export default function ({ data, parentElement }) {
  hideElement(parentElement);
  if (!(data instanceof Uint8Array) || parentElement.curationFed === data) return;
  parentElement.curationFed = data;
  putArray(unpack(data));
}
