// Heads: where each looks, of which kind it is, and which heads of other models are like it.

/** List the models of A and B, without repeats and without those that have no heads. */
function modelsWithHeads() {
  const present = new Set(data.heads.layer.map((place) => layers[place].model));
  const wanted = [state.row, state.col].map((place) => layers[place]?.model);
  const chosen = [...new Set(wanted)].filter((model) => present.has(model));
  return chosen.length ? chosen : [...present].slice(0, 2);
}

function headName(place) {
  return `${layers[data.heads.layer[place]].name} head ${data.heads.head[place]}`;
}

function headLines(place) {
  const { kinds, kind, descriptors } = data.heads;
  return [
    [headName(place), kinds[kind[place]]],
    ...descriptors.map(({ title, values }) => [title, shown(values.get(place))]),
  ];
}

/** Draw a profile within a box; it is scaled to its own peak. */
function profilePath(place, x, y, width, height) {
  const { profile } = data.heads;
  const values = range(profile.shape[1]).map((k) => profile.get(place, k));
  const step = width / (values.length - 1);
  return line(values.map((value, k) => [x + k * step, y + height * (1 - value)]));
}

function drawHeads() {
  const { layer, head, kind, kinds } = data.heads;
  const width = widthOf("heads-plot");
  const paths = kinds.map(() => "");
  const [nodes, marks] = [[], []];
  let top = 18;
  for (const model of modelsWithHeads()) {
    const here = range(layer.length).filter((k) => layers[layer[k]].model === model);
    const columns = [...new Set(here.map((k) => layer[k]))];
    const most = 1 + Math.max(...here.map((k) => head[k]));
    const cell = (width - 30) / columns.length;
    const tall = Math.min(30, 240 / most + 8);
    nodes.push(textAt(26, top - 6, `${data.models[model].name}: heads (up) by layer (across)`));
    for (const k of here) {
      const [column, x] = [columns.indexOf(layer[k]), 26 + columns.indexOf(layer[k]) * cell];
      const y = top + (most - 1 - head[k]) * tall;
      paths[kind[k]] += profilePath(k, x + 2, y + 3, cell - 6, tall - 6);
      marks.push({ place: k, model, column, x: x + cell / 2, y: y + tall / 2, wide: cell, tall, lines: () => headLines(k) });
    }
    columns.forEach((place, k) => {
      const label = { "text-anchor": "middle", class: "quiet" };
      nodes.push(textAt(26 + (k + 0.5) * cell, top + most * tall + 13, layers[place].layer, label));
    });
    range(most).forEach((k) => {
      const label = { "text-anchor": "end", class: "quiet" };
      nodes.push(textAt(20, top + (most - 0.5 - k) * tall + 4, k, label));
    });
    top += most * tall + 40;
  }
  paths.forEach((d, k) => nodes.push(shape("path", { class: `profile kind-${k}`, d })));
  const outline = (k) => {
    const { x, y, wide, tall } = marks[k];
    return shape("rect", { x: x - wide / 2, y: y - tall / 2, width: wide - 2, height: tall });
  };
  const at = Math.max(marks.findIndex(({ place }) => place === state.head), 0);
  const chosen = outline(at);
  chosen.classList.add("chosen");
  explore("heads-plot", {
    width,
    height: top - 14,
    nodes: [...nodes, chosen],
    marks,
    find: (x, y) => marks.findIndex((m) => Math.abs(m.x - x) <= m.wide / 2 && Math.abs(m.y - y) <= m.tall / 2),
    move: (k, dx, dy) => nextHead(marks, k, dx, dy),
    pick: (k) => choose({ head: marks[k].place }),
    outline,
    start: at,
  });
  drawHead(marks[at].place);
}

/** Move to the next head of the row, or to the nearest one of the next row. */
function nextHead(marks, k, dx, dy) {
  const from = marks[k];
  let [best, least] = [k, Infinity];
  marks.forEach((mark, place) => {
    const [across, up] = [mark.x - from.x, from.y - mark.y];
    const [on, aside] = dx ? [across * dx, Math.abs(up)] : [up * dy, Math.abs(across)];
    const distance = dx ? on : 1000 * on + aside;
    if (on > 0.5 && !(dx && aside > 1) && distance < least) [best, least] = [place, distance];
  });
  return best;
}

function drawHead(place) {
  const { kinds, kind, matches, reach } = data.heads;
  const [width, height] = [240, 90];
  const zero = width / 2;
  const picture = shape(
    "svg",
    { viewBox: `0 0 ${width} ${height + 20}`, width, height: height + 20, role: "img", "aria-label": `Mean attention of ${headName(place)} by offset` },
    shape("path", { class: "axis", d: `M0 ${height}H${width}M${zero} 0V${height}` }),
    shape("path", { class: `profile kind-${kind[place]}`, d: profilePath(place, 0, 4, width, height - 4) }),
    textAt(0, height + 14, `−${reach}`, { class: "quiet" }),
    textAt(width, height + 14, `+${reach} frames`, { class: "quiet", "text-anchor": "end" }),
  );
  const floor = matches.some((each) => each.position);
  const rows = matches.flatMap((each) =>
    data.models.flatMap(({ name }, model) => {
      const value = each.score.get(place, model);
      if (Number.isNaN(value)) return [];
      const other = each.head.get(place, model);
      const cells = [each.title, Number.isNaN(other) ? name : headName(other), shown(value)];
      if (floor) cells.push(each.position ? shown(each.position.get(place, model)) : "–");
      cells.push(each.mutual.get(place, model) ? "yes" : "no");
      return [element("tr", {}, ...cells.map((words, k) => element(k ? "td" : "th", k ? {} : { scope: "row" }, words)))];
    }),
  );
  const headings = ["measure", "best match", "score", ...(floor ? ["average offsets alone"] : []), "mutual"];
  const table = element(
    "div",
    { class: "wide", tabindex: 0, role: "region", "aria-label": "Best matches of the chosen head" },
    element(
      "table",
      {},
      element("thead", {}, element("tr", {}, ...headings.map((words) => element("th", { scope: "col" }, words)))),
      element("tbody", {}, ...rows),
    ),
  );
  replace(
    "head-card",
    element("p", {}, element("strong", {}, headName(place)), `, ${kinds[kind[place]]}`),
    element("div", { class: "plot" }, picture),
    ...(rows.length ? [table] : []),
    legend(kinds.map((words, k) => [`profile kind-${k}`, words])),
    tableLink("table-heads"),
  );
  drawMaps(place);
}
