// State: what is chosen. It lives in the address, so that a link restores the view.

const state = { measure: 0, row: 0, col: 0, neuron: null, head: null, scale: "data" };
let data = null; // the record of unpack
let layers = []; // of all models: { model, layer, label, name }
const views = []; // functions that draw

function readLayers() {
  layers = data.models.flatMap(({ name, layers: labels }, model) =>
    labels.map((label, layer) => ({ model, layer, label, name: `${name} ${label}` })),
  );
}

function measure() {
  return data.measures[state.measure];
}

/** Return the place of a layer that an address names, such as `hubert-mini.3`; −1 if none. */
function placeOf(address) {
  const dot = address.lastIndexOf(".");
  const model = data.models.findIndex(({ name }) => name === address.slice(0, dot));
  return layers.findIndex((each) => each.model === model && String(each.layer) === address.slice(dot + 1));
}

function addressOf(place) {
  const { model, layer } = layers[place];
  return `${data.models[model].name}.${layer}`;
}

/** Take from the address what it names and is known here. */
function readAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  const named = data.measures.findIndex(({ id }) => id === given.get("m"));
  if (named >= 0) state.measure = named;
  for (const [key, side] of [["a", "row"], ["b", "col"]]) {
    const place = given.has(key) ? placeOf(given.get(key)) : -1;
    if (place >= 0) state[side] = place;
  }
  for (const [key, name] of [["n", "neuron"], ["h", "head"]]) {
    state[name] = /^\d+$/.test(given.get(key) ?? "") ? Number(given.get(key)) : null;
  }
  state.scale = given.get("s") === "unit" ? "unit" : "data";
}

function writeAddress() {
  const address = new URLSearchParams();
  if (data.measures.length) {
    address.set("m", measure().id);
    address.set("a", addressOf(state.row));
    address.set("b", addressOf(state.col));
  }
  if (state.neuron !== null) address.set("n", state.neuron);
  if (state.head !== null) address.set("h", state.head);
  if (state.scale !== "data") address.set("s", state.scale);
  history.replaceState(null, "", `#${address}`);
}

/** Change the state, then the address and all views. */
function choose(change) {
  const pair = [state.row, state.col].join();
  Object.assign(state, change);
  if (pair !== [state.row, state.col].join() && !("neuron" in change)) state.neuron = null;
  writeAddress();
  drawAll();
}

function drawAll() {
  for (const draw of views) draw();
}
