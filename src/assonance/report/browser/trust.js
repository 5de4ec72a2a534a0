// Trust: one strip a measure, with everything its scores are read against.

const MARKS = {
  "between models": ["mark-models", "between models"],
  "circular shifts": ["mark-null", "circular shifts"],
  "random weights": ["mark-floor", "random weights"],
  "log-mel": ["mark-baseline", "log-mel"],
  "second seed": ["mark-ceiling", "second seed"],
};

/** Draw a mark; each reference has a form of its own, so that colour is not needed. */
function trustMark(words, x, y) {
  const style = (MARKS[words] ?? ["mark-floor"])[0];
  const forms = {
    "between models": `M${x - 5} ${y}a5 5 0 1 0 10 0a5 5 0 1 0 -10 0z`,
    "circular shifts": `M${x - 1} ${y - 7}h2v14h-2z`,
    "log-mel": `M${x} ${y - 6}l6 6l-6 6l-6 -6z`,
    "second seed": `M${x} ${y - 6}l6 11h-12z`,
  };
  return shape("path", { class: style, d: forms[words] ?? `M${x - 4} ${y - 4}h8v8h-8z` });
}

function drawTrust() {
  const width = Math.min(widthOf("trust-plot"), 900);
  const left = Math.min(210, width * 0.42);
  const [top, tall] = [8, 24];
  const values = data.trust.flatMap(({ marks }) => marks.map(({ value }) => value));
  const limits = [Math.min(0, ...values), Math.max(1, ...values)];
  const x = linear(limits, [left, width - 12]);
  const [nodes, marks] = [[], []];
  data.trust.forEach(({ title, marks: strip }, k) => {
    const y = top + (k + 0.5) * tall;
    nodes.push(shape("path", { class: "axis", d: `M${left} ${y}H${width - 12}` }));
    nodes.push(textAt(left - 8, y + 4, clipped(title, Math.floor(left / 6.4)), { "text-anchor": "end" }));
    for (const { words, value } of strip) {
      nodes.push(trustMark(words, x(value), y));
      marks.push({ x: x(value), y, lines: () => [[title], [words, shown(value)]] });
    }
  });
  const bottom = top + data.trust.length * tall;
  for (const value of ticks(limits)) {
    nodes.push(textAt(x(value), bottom + 14, short(value), { "text-anchor": "middle", class: "quiet" }));
  }
  const known = [...new Set(data.trust.flatMap(({ marks: strip }) => strip.map(({ words }) => words)))];
  let across = 0;
  let down = bottom + 36;
  for (const words of known) {
    const room = 26 + words.length * 6.6;
    if (across + room > width) [across, down] = [0, down + 18];
    nodes.push(trustMark(words, across + 8, down - 4), textAt(across + 19, down, words));
    across += room;
  }
  explore("trust-plot", {
    width,
    height: down + 8,
    nodes,
    marks,
    find: nearest(marks, 12),
    move: along(marks.length),
    outline: ring(marks, 8),
  });
}
