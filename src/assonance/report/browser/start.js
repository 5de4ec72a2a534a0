// Start: read the numbers, restore the view of the address, draw.

/** Show what readers without a script see, if the numbers cannot be read. */
function showStatic() {
  for (const source of document.querySelectorAll("noscript")) {
    const parsed = new DOMParser().parseFromString(source.textContent, "text/html");
    source.replaceWith(...parsed.body.childNodes);
  }
}

/** Register the views that have a place on the page. */
function setUpViews() {
  const places = [
    ["controls", drawToolbar, data.measures.length],
    ["headline", drawHeadline, data.models.length > 1],
    ["matrix-plot", drawMatrix, data.measures.length],
    ["curve-plot", drawDepth, data.measures.length],
    ["neurons-plot", drawNeurons, data.neurons],
    ["heads-plot", drawHeads, data.heads],
    ["change-plots", drawChanges, data.changes.length],
    ["trust-plot", drawTrust, data.trust.length],
  ];
  for (const [id, draw, known] of places) if (known && byId(id)) views.push(draw);
}

/** Draw again where the width of the page changes. */
function watchWidth() {
  let width = document.documentElement.clientWidth;
  addEventListener("resize", () => {
    if (document.documentElement.clientWidth === width) return;
    width = document.documentElement.clientWidth;
    requestAnimationFrame(drawAll);
  });
}

async function start() {
  try {
    data = await unpack(byId("packed").textContent);
  } catch {
    showStatic();
    return;
  }
  readLayers();
  [state.row, state.col] = data.start;
  readAddress();
  if (data.measures.length) setUpToolbar();
  setUpTables();
  setUpViews();
  drawAll();
  addEventListener("hashchange", () => {
    if (!location.hash.includes("=")) return;
    readAddress();
    drawAll();
  });
  watchWidth();
  document.documentElement.dataset.ready = "";
}

start();
