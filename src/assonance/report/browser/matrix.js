// Matrix: all layers of all models with each other.

/** Return the range of colours: the cells between models, or 0 to 1 if the reader chose that. */
function colourRange({ scores }) {
  if (state.scale === "unit") return [0, 1];
  const between = [];
  const all = [];
  layers.forEach((row, i) =>
    layers.forEach((col, j) => {
      const value = scores.value.get(i, j);
      if (Number.isNaN(value)) return;
      all.push(value);
      if (row.model !== col.model) between.push(value);
    }),
  );
  const known = between.length ? between : all;
  return known.length ? [Math.min(...known), Math.max(...known)] : [0, 1];
}

/** List a cell: both layers, score, interval, floors and ceilings. */
function cellLines({ title, scores, references }, row, col) {
  const lines = [
    [`${layers[row].name} × ${layers[col].name}`],
    [title, shown(scores.value.get(row, col))],
  ];
  if (scores.low && !Number.isNaN(scores.low.get(row, col))) {
    const ends = [scores.low, scores.high].map((end) => shown(end.get(row, col)));
    lines.push(["95 % interval", `[${ends.join(", ")}]`]);
  }
  for (const { kind, words, values } of references) {
    const value = values.get(row, col);
    if (!Number.isNaN(value)) lines.push([`${kind}: ${words}`, shown(value)]);
  }
  return lines;
}

/** Collect the outlines of the cells of each colour, so that a matrix is few elements. */
function colouredCells(scores, limits, place) {
  const colour = linear(limits, [0, data.colours.length - 1]);
  const paths = new Map();
  layers.forEach((row, i) =>
    layers.forEach((col, j) => {
      const value = scores.value.get(i, j);
      const own = row.model === col.model && data.models.length > 1 ? "own" : "";
      const fill = Number.isNaN(value) ? "url(#hatch)" : data.colours[Math.round(colour(value))];
      const key = `${own}|${fill}`;
      paths.set(key, (paths.get(key) ?? "") + place(i, j));
    }),
  );
  return [...paths].map(([key, d]) => {
    const [own, fill] = key.split("|");
    return shape("path", { class: own, fill, d });
  });
}

function hatching() {
  const attributes = { id: "hatch", width: 6, height: 6, patternUnits: "userSpaceOnUse" };
  return shape("defs", {}, shape("pattern", attributes, shape("path", { class: "hatch", d: "M0 6L6 0" })));
}

/** Name the models and number the layers along both sides. */
function matrixLabels(cell, left, top, side) {
  const nodes = [];
  const step = Math.ceil(13 / cell);
  layers.forEach(({ layer }, k) => {
    if (layer % step) return;
    const at = (k + 0.5) * cell;
    nodes.push(textAt(left + at, top + side + 13, layer, { "text-anchor": "middle", class: "quiet" }));
    nodes.push(textAt(left - 5, top + side - at + 4, layer, { "text-anchor": "end", class: "quiet" }));
  });
  let start = 0;
  for (const { name, layers: labels } of data.models) {
    const width = labels.length * cell;
    const middle = start + width / 2;
    const letters = Math.floor(width / 7.5);
    nodes.push(textAt(left + middle, top + side + 29, clipped(name, letters), { "text-anchor": "middle" }));
    const [x, y] = [12, top + side - middle];
    const turned = { "text-anchor": "middle", transform: `rotate(-90 ${x} ${y})` };
    nodes.push(textAt(x, y, clipped(name, letters), turned));
    if (start) {
      const [across, up] = [left + start, top + side - start];
      nodes.push(shape("path", { class: "tile", d: `M${across} ${top}v${side}M${left} ${up}h${side}` }));
    }
    start += width;
  }
  return nodes;
}

/** Draw the scale of colours with its ends. */
function colourBar(limits, x, top, height) {
  const count = data.colours.length;
  const step = height / count;
  const bars = data.colours.map((fill, k) =>
    shape("rect", { x, y: top + height - (k + 1) * step, width: 10, height: step + 0.5, fill }),
  );
  const label = (value, y) => textAt(x - 2, y, short(value), {});
  return [...bars, label(limits[1], top - 5), label(limits[0], top + height + 13)];
}

function drawMatrix() {
  const current = measure();
  const width = widthOf("matrix-plot");
  const [left, top, foot, bar] = [34, 16, 36, 44];
  const cell = Math.min(width - left - bar, 400 + Math.max(layers.length - 30, 0) * 4) / layers.length;
  const side = cell * layers.length;
  const corner = (i, j) => [left + j * cell, top + side - (i + 1) * cell];
  const path = (i, j) => {
    const [x, y] = corner(i, j);
    return `M${x.toFixed(2)} ${y.toFixed(2)}h${cell.toFixed(2)}v${cell.toFixed(2)}h-${cell.toFixed(2)}z`;
  };
  const outline = (i, j) => {
    const [x, y] = corner(i, j);
    return shape("rect", { x, y, width: cell, height: cell });
  };
  const limits = colourRange(current);
  const count = layers.length;
  const chosen = outline(state.row, state.col);
  chosen.classList.add("chosen");
  explore("matrix-plot", {
    width: left + side + bar,
    height: top + side + foot,
    nodes: [
      hatching(),
      ...colouredCells(current.scores, limits, path),
      ...matrixLabels(cell, left, top, side),
      ...colourBar(limits, left + side + 12, top, side),
      chosen,
    ],
    marks: range(count ** 2).map((k) => {
      const [i, j] = [Math.floor(k / count), k % count];
      const [x, y] = corner(i, j);
      return { x: x + cell / 2, y: y + cell / 2, lines: () => cellLines(current, i, j) };
    }),
    find: (x, y) => {
      const [j, i] = [Math.floor((x - left) / cell), Math.floor((top + side - y) / cell)];
      return i >= 0 && j >= 0 && i < count && j < count ? i * count + j : -1;
    },
    move: (k, dx, dy) => {
      const bounded = (value) => Math.min(Math.max(value, 0), count - 1);
      return bounded(Math.floor(k / count) + dy) * count + bounded((k % count) + dx);
    },
    pick: (k) => choose({ row: Math.floor(k / count), col: k % count }),
    outline: (k) => outline(Math.floor(k / count), k % count),
    start: state.row * count + state.col,
  });
  const of = state.scale === "unit" ? "0 to 1" : "the cells between models";
  const direction = current.symmetric ? "" : " Rows are predicted or matched, columns predict or match.";
  replace(
    "matrix-caption",
    `${current.title}. ${current.text}${direction} Colours span ${of}: ${short(limits[0])} to ` +
      `${short(limits[1])}; beyond, the end colours. Cells within a model are dimmed, missing ones hatched. `,
    tableLink(`table-matrix-${state.measure}`),
  );
}
