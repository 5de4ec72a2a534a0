// Neurons: those of A with the whole layer B, and with their best single match there.

const FIRST_ROWS = 12;
const listed = { by: "match", down: true, all: false, search: "" };

function neuronPair() {
  return data.neurons?.pairs.find(({ row, col }) => row === state.row && col === state.col) ?? null;
}

/** List the neurons that vary: [{ neuron, whole, match, rotated, other, … }]. */
function neuronRows(pair) {
  const columns = Object.entries(pair).filter(([, values]) => values instanceof Numbers);
  const count = pair.match.length;
  return range(count)
    .map((neuron) => ({
      neuron,
      ...Object.fromEntries(columns.map(([name, values]) => [name, values.get(neuron)])),
    }))
    .filter(({ match, other }) => !Number.isNaN(match) && other >= 0);
}

/** Name the neuron of the state, or the one that stands out most from the rotated floor. */
function chosenNeuron(rows) {
  if (rows.some(({ neuron }) => neuron === state.neuron)) return state.neuron;
  const margin = ({ match, rotated }) => match - (Number.isFinite(rotated) ? rotated : 0);
  return rows.reduce((best, row) => (margin(row) > margin(best) ? row : best)).neuron;
}

function interval(row, name) {
  const [low, high] = [row[`${name}_low`], row[`${name}_high`]];
  return Number.isFinite(low) ? `[${shown(low)}, ${shown(high)}]` : "";
}

function neuronLines(row) {
  const lines = [[`neuron ${row.neuron} of ${layers[state.row].name}`]];
  if (Number.isFinite(row.whole)) lines.push(["held-out r, whole layer", shown(row.whole), interval(row, "whole")]);
  lines.push(["best single match", shown(row.match), interval(row, "match")]);
  lines.push(["matching neuron", String(row.other)]);
  if (Number.isFinite(row.rotated)) lines.push(["floor: rotated neurons", shown(row.rotated)]);
  return lines.map((parts) => parts.filter(Boolean));
}

/** Say why a pair has no neurons here, with a way to the nearest that has. */
function withoutNeurons() {
  const words =
    layers[state.row].model === layers[state.col].model
      ? "Choose layers of two different models."
      : "The neurons of this pair are not in the page, which keeps those of the best-matching layers; " +
        "the saved comparison has all.";
  const near = [...data.neurons.pairs].sort((one, two) => {
    const distance = ({ row, col }) => Math.abs(row - state.row) + Math.abs(col - state.col);
    return distance(one) - distance(two);
  })[0];
  const go = { type: "button", onclick: () => choose({ row: near.row, col: near.col }) };
  const button = near
    ? [" ", element("button", go, `show ${layers[near.row].name} × ${layers[near.col].name}`)]
    : [];
  replace("neurons-plot", element("p", {}, words, ...button));
  for (const id of ["neurons-caption", "neuron-card", "neuron-list"]) replace(id);
}

function drawNeurons() {
  const pair = neuronPair();
  const rows = pair ? neuronRows(pair) : [];
  if (!rows.length) {
    withoutNeurons();
    return;
  }
  const neuron = chosenNeuron(rows);
  drawScatter(rows, neuron);
  drawNeuron(rows, neuron);
  drawList(rows, neuron);
}

function drawScatter(rows, neuron) {
  const width = Math.min(widthOf("neurons-plot"), 560);
  const frame = { left: 50, top: 10, right: width - 12, bottom: Math.min(width, 400) - 40 };
  const known = rows.some(({ whole }) => Number.isFinite(whole));
  const across = (row) => (known ? row.whole : row.neuron);
  const xLimits = known ? extent(rows.map(across)) : [0, Math.max(...rows.map(across))];
  const yLimits = extent(rows.flatMap(({ match, rotated, whole }) => [match, rotated, known ? match : whole]));
  const x = linear(xLimits, [frame.left, frame.right]);
  const y = linear(yLimits, [frame.bottom, frame.top]);
  const cross = (px, py) => `M${px - 3} ${py - 3}l6 6m0-6l-6 6`;
  const crosses = rows.filter(({ rotated }) => Number.isFinite(rotated));
  const marks = rows.map((row) => ({ row, x: x(across(row)), y: y(row.match), lines: () => neuronLines(row) }));
  const [low, high] = [Math.max(xLimits[0], yLimits[0]), Math.min(xLimits[1], yLimits[1])];
  const place = rows.findIndex((row) => row.neuron === neuron);
  const chosen = ring(marks)(place);
  chosen.classList.add("chosen");
  const nodes = [
    ...axes(frame, {
      x,
      y,
      xTicks: ticks(xLimits).map((value) => [value, short(value)]),
      yTicks: ticks(yLimits).map((value) => [value, short(value)]),
      xTitle: known ? "held-out r, prediction from the whole layer" : "neuron",
      yTitle: "r of the best single match",
    }),
    shape("path", { class: "crosses", d: crosses.map((row) => cross(x(across(row)), y(row.rotated))).join("") }),
    shape("path", { class: "dots", d: marks.map((mark) => `M${mark.x.toFixed(1)} ${mark.y.toFixed(1)}h0`).join("") }),
    chosen,
  ];
  if (known && low < high) nodes.push(shape("path", { class: "floor", d: `M${x(low)} ${y(low)}L${x(high)} ${y(high)}` }));
  explore("neurons-plot", {
    width,
    height: frame.bottom + 38,
    nodes,
    marks,
    find: nearest(marks),
    move: along(marks.length),
    pick: (k) => choose({ neuron: rows[k].neuron }),
    outline: ring(marks),
    start: place,
  });
  replace(
    "neurons-caption",
    `Each dot is a neuron of ${layers[state.row].name}: its prediction from all of ${layers[state.col].name} ` +
      "(across) and its best single match there (up). On the dashed line, one neuron predicts as well as the " +
      (crosses.length
        ? "whole layer; among the crosses (the other layer's neurons randomly rotated), only the space is shared."
        : "whole layer."),
  );
}

const LIST_COLUMNS = [
  ["neuron", "neuron"],
  ["whole", "whole layer"],
  ["match", "best match"],
  ["rotated", "rotated"],
  ["other", "matching neuron"],
];

/** Draw the table of neurons: sorted by a column, searched by number, its first rows at first. */
function drawList(rows, neuron) {
  const columns = LIST_COLUMNS.filter(([name]) => rows.some((row) => Number.isFinite(row[name])));
  const sign = listed.down ? -1 : 1;
  const order = (value) => (Number.isFinite(value) ? value : -Infinity);
  const sorted = rows
    .filter((row) => !listed.search || String(row.neuron) === listed.search)
    .sort((one, two) => sign * (order(one[listed.by]) - order(two[listed.by])));
  const visible = listed.all ? sorted : sorted.slice(0, FIRST_ROWS);
  const redraw = (change) => {
    const focused = document.activeElement?.dataset?.key;
    Object.assign(listed, change);
    drawList(rows, neuron);
    document.querySelector(`#neuron-list [data-key="${focused}"]`)?.focus();
  };
  const sort = (name) => () => redraw({ by: name, down: listed.by === name ? !listed.down : true });
  const heading = ([name, words]) => {
    const sorting = listed.by === name ? (listed.down ? "descending" : "ascending") : "none";
    const button = element("button", { type: "button", "data-key": `sort-${name}`, onclick: sort(name) }, words);
    return element("th", { scope: "col", "aria-sort": sorting }, button);
  };
  const value = (row, name) => (["neuron", "other"].includes(name) ? String(row[name]) : shown(row[name]));
  const line = (row) =>
    element(
      "tr",
      row.neuron === neuron ? { class: "chosen-row" } : {},
      element(
        "th",
        { scope: "row" },
        element("button", { type: "button", "data-key": `neuron-${row.neuron}`, onclick: () => choose({ neuron: row.neuron }) }, String(row.neuron)),
      ),
      ...columns.slice(1).map(([name]) => element("td", {}, value(row, name))),
    );
  const search = element("input", {
    type: "search",
    size: 8,
    value: listed.search,
    "data-key": "search",
    inputmode: "numeric",
    onchange: (event) => redraw({ search: event.target.value.trim() }),
  });
  const more = listed.all ? "fewer" : `all ${rows.length}`;
  replace(
    "neuron-list",
    element(
      "div",
      { class: "tools" },
      element("label", {}, "neuron ", search),
      element("button", { type: "button", "data-key": "all", onclick: () => redraw({ all: !listed.all }) }, `show ${more}`),
    ),
    element(
      "div",
      { class: "wide", tabindex: 0, role: "region", "aria-label": "Neurons of the chosen pair" },
      element(
        "table",
        {},
        element("thead", {}, element("tr", {}, ...columns.map(heading))),
        element("tbody", {}, ...visible.map(line)),
      ),
    ),
  );
}
