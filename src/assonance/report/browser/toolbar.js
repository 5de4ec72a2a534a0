// Toolbar: measure, models, scale, search, downloads.

function setUpToolbar() {
  byId("measure").append(...data.measures.map(({ title }, k) => element("option", { value: k }, title)));
  byId("measure").addEventListener("change", (event) => choose({ measure: Number(event.target.value) }));
  for (const side of ["row", "col"]) {
    byId(side).append(...data.models.map(({ name }, k) => element("option", { value: k }, name)));
    byId(side).addEventListener("change", (event) => chooseModel(side, Number(event.target.value)));
  }
  for (const input of document.querySelectorAll("#scale input")) {
    input.addEventListener("change", () => choose({ scale: input.value }));
  }
  byId("layer-names").append(...layers.map(({ name }) => element("option", { value: name })));
  byId("find").addEventListener("change", (event) => findLayer(event.target));
  byId("csv").addEventListener("click", () => download(`${fileName()}.csv`, "text/csv", matrixText()));
  byId("svg").addEventListener("click", () => download(`${fileName()}.svg`, "image/svg+xml", matrixPicture()));
  byId("link").addEventListener("click", copyLink);
  byId("controls").hidden = false;
}

function drawToolbar() {
  byId("measure").value = state.measure;
  for (const side of ["row", "col"]) byId(side).value = layers[state[side]].model;
  for (const input of document.querySelectorAll("#scale input")) input.checked = input.value === state.scale;
}

/** Choose the model of one side; if the other side has it, the two change places. */
function chooseModel(side, model) {
  const other = side === "row" ? "col" : "row";
  if (layers[state[other]].model === model) choose({ row: state.col, col: state.row });
  else choose({ [side]: sameDepth(model, state[side]) });
}

/** Return the layer of a model at the same place as another layer, or its last. */
function sameDepth(model, place) {
  const depth = Math.min(layers[place].layer, data.models[model].layers.length - 1);
  return layers.findIndex((each) => each.model === model && each.layer === depth);
}

/** Choose the layer that a text names, as A; the other layer stays, or becomes the old A. */
function findLayer(input) {
  const wanted = input.value.trim().toLowerCase();
  const place = layers.findIndex(({ name }) => name.toLowerCase() === wanted);
  const near = place >= 0 ? place : layers.findIndex(({ name }) => wanted && name.toLowerCase().includes(wanted));
  if (near < 0) {
    say(`no layer is named ${input.value}`);
    input.setCustomValidity("no such layer");
    input.reportValidity();
    return;
  }
  input.setCustomValidity("");
  const other = layers[near].model === layers[state.col].model ? state.row : state.col;
  choose({ row: near, col: other });
}

function fileName() {
  return `matrix-${measure().id.replace(/[^\w-]/g, "_")}`;
}

/** Write the current measure as rows: both layers, score, interval, references. */
function matrixText() {
  const { scores, references } = measure();
  const quoted = (text) => `"${text.replaceAll('"', '""')}"`;
  const columns = [...Object.entries(scores), ...references.map(({ kind, words, values }) => [`${kind}: ${words}`, values])];
  const head = ["row", "column", ...columns.map(([name]) => name)].map(quoted).join(",");
  const lines = layers.flatMap((row, i) =>
    layers.map((col, j) => {
      const numbers = columns.map(([, values]) => values.get(i, j)).map((value) => (Number.isNaN(value) ? "" : value));
      return [quoted(row.name), quoted(col.name), ...numbers].join(",");
    }),
  );
  return [head, ...lines].join("\n");
}

/** Copy the matrix with its colours written out, so that it looks the same elsewhere. */
function matrixPicture() {
  const source = document.querySelector("#matrix-plot svg");
  const copy = source.cloneNode(true);
  const originals = source.querySelectorAll("*");
  copy.querySelectorAll("*").forEach((node, k) => {
    const style = getComputedStyle(originals[k]);
    for (const name of ["fill", "stroke", "stroke-width", "opacity", "font-size"]) {
      if (!(name === "fill" && node.hasAttribute("fill"))) node.setAttribute(name, style.getPropertyValue(name));
    }
  });
  copy.setAttribute("xmlns", SVG);
  copy.setAttribute("font-family", "sans-serif");
  return new XMLSerializer().serializeToString(copy);
}

function download(name, type, content) {
  const address = URL.createObjectURL(new Blob([content], { type }));
  element("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

async function copyLink() {
  try {
    await navigator.clipboard.writeText(location.href);
    say("The link to this view was copied.");
    byId("link").textContent = "copied";
  } catch {
    say("The address of this page is the link to this view.");
    byId("link").textContent = "in the address bar";
  }
  setTimeout(() => (byId("link").textContent = "link"), 2000);
}
