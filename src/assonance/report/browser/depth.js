// Depth: which layers of B match the layers of A, and how well.

/** List the layers of A's model with the best layers of B's: [{ row, best, among }]. */
function matchesByDepth() {
  const [from, to] = [layers[state.row].model, layers[state.col].model];
  const places = (model) => range(layers.length).filter((k) => layers[k].model === model);
  const { among } = measure();
  return places(from).map((row) => {
    const marked = places(to).filter((col) => among.get(row, col) >= 1);
    return { row, among: marked, best: marked.find((col) => among.get(row, col) === 2) ?? null };
  });
}

/** Return [layer of A, value at its best match] in pixels, for an array of the measure. */
function followed(matches, values, x, y) {
  return matches.map(({ row, best }) => [
    x(layers[row].layer),
    best === null || !values ? NaN : y(values.get(row, best)),
  ]);
}

function drawDepth() {
  const matches = matchesByDepth();
  const same = layers[state.row].model === layers[state.col].model;
  if (same || matches.every(({ best }) => best === null)) {
    const words = same
      ? "Choose layers of two different models."
      : "This measure has no best match between these models.";
    for (const id of ["curve-plot", "sets-plot", "curve-caption", "sets-caption"]) replace(id);
    replace("curve-plot", element("p", {}, words));
    return;
  }
  drawCurve(matches);
  drawSets(matches);
}

/** Choose the references to draw: those known for these layers, and of several ceilings the first. */
function drawnReferences(matches) {
  const known = measure().references.filter(
    ({ drawn, values }) => drawn && matches.some(({ row, best }) => best !== null && Number.isFinite(values.get(row, best))),
  );
  const first = known.find(({ kind }) => kind === "ceiling");
  return known.filter((each) => each.kind !== "ceiling" || each === first);
}

function drawCurve(matches) {
  const { title, scores } = measure();
  const names = [state.row, state.col].map((place) => data.models[layers[place].model].name);
  const width = widthOf("curve-plot");
  const frame = { left: 50, top: 8, right: width - 10, bottom: 178 };
  const drawn = drawnReferences(matches);
  const values = [scores.value, scores.low, scores.high, ...drawn.map((each) => each.values)]
    .filter(Boolean)
    .flatMap((array) => matches.map(({ row, best }) => (best === null ? NaN : array.get(row, best))));
  const limits = extent(values);
  const y = linear(limits, [frame.bottom, frame.top]);
  const x = linear([0, matches.length - 1], [frame.left + 10, frame.right - 10]);
  const path = (array) => line(followed(matches, array, x, y));
  const nodes = axes(frame, {
    x,
    y,
    xTicks: layerTicks(layers[state.row].model, width),
    yTicks: ticks(limits).map((value) => [value, short(value)]),
    xTitle: `layer of ${clipped(names[0], 40)}`,
    yTitle: clipped(title, 26),
  });
  if (scores.low) {
    const area = band(followed(matches, scores.low, x, y), followed(matches, scores.high, x, y));
    nodes.push(shape("path", { class: "band", d: area }));
  }
  for (const { kind, values: array } of drawn) nodes.push(shape("path", { class: kind, d: path(array) }));
  nodes.push(shape("path", { class: "curve", d: path(scores.value) }));
  const marks = matches
    .filter(({ best }) => best !== null)
    .map(({ row, best }) => ({
      row,
      best,
      x: x(layers[row].layer),
      y: y(scores.value.get(row, best)),
      lines: () => cellLines(measure(), row, best),
    }));
  nodes.push(...marks.map((mark) => shape("circle", { class: "best", cx: mark.x, cy: mark.y, r: 3 })));
  explore("curve-plot", {
    width,
    height: frame.bottom + 36,
    nodes,
    marks,
    find: nearest(marks, 40),
    move: along(marks.length),
    pick: (k) => choose({ row: marks[k].row, col: marks[k].best }),
    outline: ring(marks),
    start: marks.findIndex(({ row }) => row === state.row),
  });
  replace(
    "curve-caption",
    legend([
      ["curve", `best match in ${names[1]}${scores.low ? ", band: 95 % interval" : ""}`],
      ...drawn.map(({ kind, words }) => [kind, `${kind}: ${words}`]),
    ]),
    tableLink(`table-depth-${state.measure}`),
  );
}

function drawSets(matches) {
  const [from, to] = [state.row, state.col].map((place) => layers[place].model);
  const count = data.models[to].layers.length;
  const width = widthOf("sets-plot");
  const step = Math.min(18, 150 / count);
  const frame = { left: 50, top: 6, right: width - 10, bottom: 6 + step * count };
  const x = linear([0, matches.length - 1], [frame.left + 16, frame.right - 16]);
  const y = (layer) => frame.bottom - (layer + 0.5) * step;
  const wide = Math.min(18, (frame.right - frame.left) / matches.length - 2);
  const nodes = axes(frame, {
    x,
    y,
    xTicks: layerTicks(from, width),
    yTicks: layerTicks(to, step * count * 1.6),
    xTitle: `layer of ${clipped(data.models[from].name, 40)}`,
    yTitle: clipped(`layer of ${data.models[to].name}`, Math.floor((step * count) / 5)),
  });
  let bars = "";
  for (const { row, among } of matches) {
    const left = x(layers[row].layer) - wide / 2;
    for (const col of among) {
      bars += `M${left} ${y(layers[col].layer) - step / 2}h${wide}v${step}h${-wide}z`;
    }
  }
  const tested = Boolean(measure().scores.low);
  if (tested) nodes.push(shape("path", { class: "set", d: bars }));
  const marks = matches
    .filter(({ best }) => best !== null)
    .map(({ row, best, among }) => ({
      row,
      best,
      x: x(layers[row].layer),
      y: y(layers[best].layer),
      lines: () => [
        [layers[row].name],
        ["best match", layers[best].name],
        ...(among.length > 1
          ? [["not significantly behind", among.filter((col) => col !== best).map((col) => layers[col].label).join(", ")]]
          : []),
        [measure().title, shown(measure().scores.value.get(row, best))],
      ],
    }));
  nodes.push(...marks.map((mark) => shape("circle", { class: "best", cx: mark.x, cy: mark.y, r: 3.5 })));
  explore("sets-plot", {
    width,
    height: frame.bottom + 36,
    nodes,
    marks,
    find: nearest(marks, 30),
    move: along(marks.length),
    pick: (k) => choose({ row: marks[k].row, col: marks[k].best }),
    outline: ring(marks),
    start: marks.findIndex(({ row }) => row === state.row),
  });
  replace(
    "sets-caption",
    tested
      ? "Dot: layer with the highest score. Bar: all layers whose score is not significantly lower; the " +
          "truly best is among them with a probability of 95 %."
      : "Dot: layer with the highest score. This measure has no interval, so layers as good cannot be told.",
  );
}
