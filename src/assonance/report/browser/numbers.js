// Numbers: read what Packer in packing.py wrote.

/** An array of some shape; a missing value is NaN. */
class Numbers {
  constructor(stream, start, { at, shape, kind, unit }) {
    const Kind = { i1: Int8Array, i2: Int16Array, i4: Int32Array, f8: Float64Array }[kind];
    const length = shape.reduce((product, side) => product * side, 1);
    this.shape = shape;
    this.unit = kind === "f8" ? 1 : unit;
    this.missing = { i1: -(2 ** 7), i2: -(2 ** 15), i4: -(2 ** 31), f8: NaN }[kind];
    this.values = new Kind(stream, start + at, length);
  }

  get length() {
    return this.shape[0];
  }

  get(...index) {
    const place = index.reduce((sum, k, axis) => sum * this.shape[axis] + k, 0);
    const value = this.values[place];
    return value === this.missing ? NaN : value / this.unit;
  }
}

/** Decode base64 of a zlib stream and put arrays in place of the references to them. */
async function unpack(text) {
  const compressed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const flow = new Blob([compressed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const stream = await new Response(flow).arrayBuffer();
  const [length] = new Uint32Array(stream, 0, 1);
  const start = 8 + length;
  const record = new TextDecoder().decode(new Uint8Array(stream, 8, length));
  return JSON.parse(record, (_, value) =>
    value && typeof value === "object" && "at" in value && "shape" in value
      ? new Numbers(stream, start, value)
      : value,
  );
}

/** Format a score as tables do: three decimals, a dash if missing. */
function shown(value) {
  return Number.isNaN(value) ? "–" : value.toFixed(3);
}

/** Format a number of an axis. */
function short(value) {
  return String(Number(value.toFixed(2))).replace("-", "−");
}

function finite(values) {
  return values.filter((value) => Number.isFinite(value));
}

function range(count) {
  return Array.from({ length: count }, (_, k) => k);
}
