// Maps: where a head looks on average and in one utterance, beside its best matches.

const MAP = { left: 42, top: 6, right: 12, foot: 36 };
const GAP = 14; // between two maps

/** Return the head and its best match in each other model, by the chosen measure or the leading one. */
function headAndMatches(place) {
  const { matches, lead } = data.heads;
  const named = (name) => matches.find((each) => each.measure === name);
  const by = named(measure()?.id) ?? named(lead) ?? matches[0];
  const others = by?.head ? range(data.models.length).map((model) => by.head.get(place, model)) : [];
  return { by, heads: [place, ...others.filter((other) => !Number.isNaN(other))] };
}

/** Return the words for each kind of map: of a cell, of the axes, of the whole. */
function mapWords({ of, seconds, values }) {
  const cells = values.shape[1];
  if (of === null) {
    return {
      title: "Its mean map",
      unit: "relative time",
      end: 1,
      cell: (k) => `part ${k + 1} of ${cells}`,
      text: `Mean over utterances, each divided into ${cells} equal parts: attention of the queries in a part (up) to the keys in each part (across). Even attention is ${shown(1 / cells)} everywhere. Colours span 0 to the highest cell of each map.`,
    };
  }
  const step = seconds / cells;
  return {
    title: `The same heads in one utterance: ${of}`,
    unit: "seconds",
    end: seconds,
    cell: (k) => `${(k * step).toFixed(2)} to ${((k + 1) * step).toFixed(2)} s`,
    text: `Attention of the queries in each ${Math.round(step * 1000)} ms (up) to the keys in each (across); even attention is ${shown(1 / cells)}. Of all utterances, its length is nearest to the median.`,
  };
}

function highestCell(values, place) {
  const [, rows, columns] = values.shape;
  let best = 0;
  for (const k of range(rows * columns)) {
    if (values.get(place, Math.floor(k / columns), k % columns) > values.get(place, Math.floor(best / columns), best % columns)) best = k;
  }
  return [Math.floor(best / columns), best % columns];
}

/** Paint a map as a picture, one dot a cell, queries from the bottom up. */
function mapPicture(values, place) {
  const [, rows, columns] = values.shape;
  const canvas = element("canvas", { width: columns, height: rows });
  const pen = canvas.getContext("2d");
  for (const query of range(rows)) {
    for (const key of range(columns)) {
      pen.fillStyle = data.colours[Math.round(values.get(place, query, key) * (data.colours.length - 1))];
      pen.fillRect(key, rows - 1 - query, 1, 1);
    }
  }
  return canvas.toDataURL();
}

function drawMap(id, map, place, side) {
  const { values, peak } = map;
  const { unit, end, cell } = mapWords(map);
  const [, rows, columns] = values.shape;
  const { left, top, right, foot } = MAP;
  const [across, up] = [side / columns, side / rows];
  const frame = { left, top, right: left + side, bottom: top + side };
  const marked = ticks([0, end], 3).map((at) => [at, short(at)]);
  const outline = (k) =>
    shape("rect", {
      x: left + (k % columns) * across,
      y: top + side - (Math.floor(k / columns) + 1) * up,
      width: across,
      height: up,
    });
  explore(id, {
    width: left + side + right,
    height: top + side + foot,
    nodes: [
      shape("image", {
        href: mapPicture(values, place),
        x: left,
        y: top,
        width: side,
        height: side,
        preserveAspectRatio: "none",
      }),
      ...axes(frame, {
        x: linear([0, end], [left, left + side]),
        y: linear([0, end], [top + side, top]),
        xTicks: marked,
        yTicks: marked,
        xTitle: `key, ${unit}`,
        yTitle: `query, ${unit}`,
      }),
    ],
    marks: range(rows * columns).map((k) => {
      const [query, key] = [Math.floor(k / columns), k % columns];
      return {
        x: left + (key + 0.5) * across,
        y: top + side - (query + 0.5) * up,
        lines: () => [
          [headName(place)],
          ["query", cell(query)],
          ["key", cell(key)],
          ["attention", shown(values.get(place, query, key) * peak.get(place))],
        ],
      };
    }),
    find: (x, y) => {
      const [key, query] = [Math.floor((x - left) / across), Math.floor((top + side - y) / up)];
      return key >= 0 && query >= 0 && key < columns && query < rows ? query * columns + key : -1;
    },
    move: (k, dx, dy) => {
      const bounded = (value, count) => Math.min(Math.max(value, 0), count - 1);
      return bounded(Math.floor(k / columns) + dy, rows) * columns + bounded((k % columns) + dx, columns);
    },
    outline,
  });
}

/** Draw the maps of a head and of its best matches, all at the same scale of time. */
function drawMaps(place) {
  const { maps, kinds, kind } = data.heads;
  if (!maps) {
    const words = "The maps of so many heads would make this page too large; results.nc has them.";
    replace("head-maps", element("p", { class: "caption" }, words));
    return;
  }
  const { by, heads } = headAndMatches(place);
  const side = Math.min(160, (widthOf("head-maps") - GAP) / 2 - MAP.left - MAP.right);
  const drawn = [];
  const figure = (map, n) => (head, k) => {
    const id = `map-${n}-${k}`;
    const { cell } = mapWords(map);
    const [query, key] = highestCell(map.values, head);
    const highest = shown(map.peak.get(head));
    const label = `${n ? "Map" : "Mean map"} of ${headName(head)}: highest, ${highest}, from ${cell(query)} to ${cell(key)}; arrow keys move between cells`;
    drawn.push(() => drawMap(id, map, head, side));
    return element(
      "figure",
      {},
      element("div", { class: "plot", id, "data-label": label }),
      element("figcaption", {}, element("b", {}, headName(head)), `, ${kinds[kind[head]]}; highest ${highest}`),
    );
  };
  const nodes = maps.flatMap((map, n) => {
    const { title, text } = mapWords(map);
    const figures = heads.filter((head) => !Number.isNaN(map.peak.get(head))).map(figure(map, n));
    if (!figures.length) return [];
    const beside = heads.length > 1 && !n ? `, beside those of its best matches by ${by.title}` : "";
    return [
      element("h3", {}, `${title}${beside}`),
      element("div", { class: "maps" }, ...figures),
      element("p", { class: "caption" }, text),
    ];
  });
  replace("head-maps", ...nodes);
  for (const each of drawn) each();
}
