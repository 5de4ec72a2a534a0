// Changes: each layer before fine-tuning with the same layer after.

function drawChanges() {
  const box = byId("change-plots");
  if (!box.childElementCount) {
    box.append(
      ...data.changes.map((_, k) =>
        element(
          "div",
          {},
          element("div", { class: "plot", id: `change-plot-${k}`, "data-label": "Similarity of each layer before and after fine-tuning; arrow keys move between layers" }),
          element("div", { class: "caption", id: `change-caption-${k}` }),
        ),
      ),
    );
  }
  data.changes.forEach((change, k) => drawChange(change, k));
}

/** Choose the curve of the measure that the reader chose, or else the leading one. */
function curveOf({ curves, leading }) {
  const named = curves.find(({ id }) => id === measure()?.id);
  return named ?? curves.find(({ id }) => id === leading[0]) ?? curves[0];
}

function drawChange(change, number) {
  const curve = curveOf(change);
  const id = `change-plot-${number}`;
  if (!curve) {
    replace(id, element("p", {}, "Nothing was computed for these layers."));
    return;
  }
  const width = Math.min(widthOf(id), 760);
  const frame = { left: 50, top: 8, right: width - 10, bottom: 220 };
  const drawn = ["floor", "ceiling"].filter((name) => curve[name]);
  const at = range(curve.layers.length);
  const columns = ["value", "low", "high", ...drawn].filter((name) => curve[name]);
  const limits = extent(columns.flatMap((name) => at.map((k) => curve[name].get(k))));
  const x = linear([0, Math.max(at.length - 1, 1)], [frame.left + 10, frame.right - 10]);
  const y = linear(limits, [frame.bottom, frame.top]);
  const points = (array) => at.map((k) => [x(k), y(array.get(k))]);
  const step = Math.ceil((at.length * 22) / width);
  const nodes = axes(frame, {
    x,
    y,
    xTicks: at.filter((k) => k % step === 0).map((k) => [k, String(k)]),
    yTicks: ticks(limits).map((value) => [value, short(value)]),
    xTitle: `layer, from ${clipped(curve.layers[0], 16)} to ${clipped(curve.layers.at(-1), 16)}`,
    yTitle: clipped(curve.title, 34),
  });
  if (curve.low) nodes.push(shape("path", { class: "band", d: band(points(curve.low), points(curve.high)) }));
  for (const name of drawn) nodes.push(shape("path", { class: name, d: line(points(curve[name])) }));
  nodes.push(shape("path", { class: "curve", d: line(points(curve.value)) }));
  const marks = at.map((k) => ({
    x: x(k),
    y: y(curve.value.get(k)),
    lines: () => [
      [`${curve.layers[k]}, before with after`],
      [curve.title, shown(curve.value.get(k))],
      ...(curve.low && !Number.isNaN(curve.low.get(k)) ? [["95 % interval", `[${shown(curve.low.get(k))}, ${shown(curve.high.get(k))}]`]] : []),
      ...drawn.map((name) => [name, shown(curve[name].get(k))]),
    ],
  }));
  nodes.push(...marks.map((mark) => shape("circle", { class: "best", cx: mark.x, cy: mark.y, r: 3 })));
  const onset = curve.layers.indexOf(curve.onset);
  if (onset >= 0) nodes.push(shape("circle", { class: "chosen", cx: marks[onset].x, cy: marks[onset].y, r: 8 }));
  explore(id, {
    width,
    height: frame.bottom + 36,
    nodes,
    marks,
    find: nearest(marks, 40),
    move: along(marks.length),
    outline: ring(marks),
  });
  const words = { floor: "floor", ceiling: `ceiling: second seed ${change.seed ?? ""}` };
  const rule = curve.ceiling
    ? "all layers lie below the ceiling: they changed by more than another seed changes them"
    : "all layers lie below the middle between the most and the least similar layer";
  replace(
    `change-caption-${number}`,
    legend([
      ["curve", `each layer of ${change.before} with the same layer of ${change.after}`],
      ...drawn.map((name) => [name, words[name]]),
    ]),
    onset >= 0 ? `Ring: from ${curve.onset} on, ${rule}. ` : "",
    tableLink(`table-change-${number}`),
  );
}
