// Drawing: elements, axes, and plots that pointer and keyboard can explore.

const SVG = "http://www.w3.org/2000/svg";

/** Make an element; text becomes text nodes, so that no name is ever read as markup. */
function element(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

function shape(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value !== false && value !== null) node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
}

function byId(id) {
  return document.getElementById(id);
}

function replace(id, ...children) {
  byId(id)?.replaceChildren(...children);
}

/** Shorten a text to a number of letters. */
function clipped(text, letters) {
  return text.length > letters ? `${text.slice(0, Math.max(letters - 1, 1))}…` : text;
}

/** Map a range of values to a range of pixels; values beyond lie on its ends. */
function linear([low, high], [start, end]) {
  const width = high - low || 1;
  return (value) => start + (end - start) * Math.min(Math.max((value - low) / width, 0), 1);
}

/** Widen the range of some values by a margin, or return 0 to 1 if the reader chose that. */
function extent(values, margin = 0.05) {
  if (state.scale === "unit") return [0, 1];
  const known = finite(values);
  if (!known.length) return [0, 1];
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const more = (high - low || 0.1) * margin;
  return [low - more, high + more];
}

/** Return round numbers within a range. */
function ticks([low, high], most = 5) {
  const rough = (high - low) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((k) => k * power).find((each) => each >= rough);
  const first = Math.ceil(low / step - 1e-9);
  return range(Math.floor(high / step + 1e-9) - first + 1).map((k) => (first + k) * step);
}

function textAt(x, y, content, attributes = {}) {
  return shape("text", { x, y, ...attributes }, content);
}

/** Draw the frame of a plot with ticks; returns its nodes. */
function axes({ left, top, right, bottom }, { x, y, xTicks, yTicks, xTitle, yTitle }) {
  const nodes = [shape("path", { class: "axis", d: `M${left} ${top}V${bottom}H${right}` })];
  for (const [at, label] of xTicks) {
    nodes.push(textAt(x(at), bottom + 14, label, { "text-anchor": "middle", class: "quiet" }));
  }
  for (const [at, label] of yTicks) {
    nodes.push(shape("path", { class: "axis", d: `M${left} ${y(at)}h-4` }));
    nodes.push(textAt(left - 7, y(at) + 4, label, { "text-anchor": "end", class: "quiet" }));
  }
  nodes.push(textAt((left + right) / 2, bottom + 30, xTitle, { "text-anchor": "middle" }));
  const middle = (top + bottom) / 2;
  const turned = `rotate(-90 12 ${middle})`;
  nodes.push(textAt(12, middle, yTitle, { "text-anchor": "middle", transform: turned }));
  return nodes;
}

/** Label every layer, or every few where there is no room. */
function layerTicks(model, width) {
  const labels = data.models[model].layers;
  const step = Math.ceil((labels.length * 22) / width);
  return labels.map((_, k) => [k, String(k)]).filter(([k]) => k % step === 0);
}

/** Draw a line through points; it breaks where a value is missing. */
function line(points) {
  let pen = "M";
  return points
    .map(([x, y]) => {
      if (!Number.isFinite(x) || !Number.isFinite(y)) {
        pen = "M";
        return "";
      }
      const step = `${pen}${x.toFixed(1)} ${y.toFixed(1)}`;
      pen = "L";
      return step;
    })
    .join("");
}

/** Draw the area between two lines. */
function band(low, high) {
  const known = range(low.length).filter((k) => Number.isFinite(low[k][1] + high[k][1]));
  if (!known.length) return "";
  return `${line([...known.map((k) => low[k]), ...known.reverse().map((k) => high[k])])}Z`;
}

function legend(entries) {
  return element(
    "ul",
    { class: "legend" },
    ...entries.map(([style, words]) =>
      element(
        "li",
        {},
        shape("svg", { viewBox: "0 0 26 10", "aria-hidden": "true" }, shape("path", { class: style, d: "M0 5H26" })),
        words,
      ),
    ),
  );
}

/**
 * Put a drawing on the page and let pointer and keyboard explore its marks.
 *
 * `marks` are [{ x, y, lines }] in pixels, `find(x, y)` returns the place of the mark under a
 * pointer or −1, `move(place, dx, dy)` the next mark for an arrow key, `pick(place)` chooses one,
 * `outline(place)` returns the shape that shows where the reader is.
 */
function explore(id, { width, height, nodes, marks, find, move, pick, outline, start = 0 }) {
  const box = byId(id);
  const focused = box.contains(document.activeElement);
  const drawn = shape(
    "svg",
    {
      viewBox: `0 0 ${width} ${height}`,
      width,
      height,
      tabindex: 0,
      role: "application",
      "aria-label": box.dataset.label,
    },
    ...nodes,
  );
  let at = Math.min(Math.max(start, 0), marks.length - 1);
  let cursor = null;
  const clear = () => {
    cursor?.remove();
    cursor = null;
    hideTooltip();
  };
  const go = (place) => {
    clear();
    if (place < 0 || place >= marks.length) return false;
    at = place;
    cursor = outline(place);
    cursor.classList.add("cursor");
    drawn.append(cursor);
    return true;
  };
  const inside = (event) => {
    const { left, top, width: across } = drawn.getBoundingClientRect();
    const scale = width / across;
    return [(event.clientX - left) * scale, (event.clientY - top) * scale];
  };
  const onScreen = (place) => {
    const { left, top, width: across } = drawn.getBoundingClientRect();
    const scale = across / width;
    return [left + marks[place].x * scale, top + marks[place].y * scale];
  };
  drawn.addEventListener("pointermove", (event) => {
    const place = find(...inside(event));
    if (go(place)) showTooltip(marks[place].lines(), event.clientX, event.clientY);
  });
  drawn.addEventListener("pointerleave", clear);
  drawn.addEventListener("blur", clear);
  drawn.addEventListener("click", (event) => {
    const place = find(...inside(event));
    if (place >= 0 && pick) pick(place);
  });
  drawn.addEventListener("focus", () => {
    if (drawn.matches(":focus-visible") && go(at)) tell(at);
  });
  const tell = (place) => {
    const lines = marks[place].lines();
    showTooltip(lines, ...onScreen(place));
    say(lines.map((parts) => parts.join(" ")).join("; "));
  };
  drawn.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    if (event.key in steps && marks.length) {
      event.preventDefault();
      if (go(move(at, ...steps[event.key]))) tell(at);
    } else if ((event.key === "Enter" || event.key === " ") && pick && marks.length) {
      event.preventDefault();
      pick(at);
    } else if (event.key === "Escape") clear();
  });
  box.replaceChildren(drawn);
  if (focused) drawn.focus();
}

/** Find the mark nearest to a pointer, within a reach in pixels. */
function nearest(marks, reach = 14) {
  return (x, y) => {
    let [best, least] = [-1, reach ** 2];
    marks.forEach((mark, k) => {
      const distance = (mark.x - x) ** 2 + (mark.y - y) ** 2;
      if (distance < least) [best, least] = [k, distance];
    });
    return best;
  };
}

/** Move along a list of marks: any arrow goes one on or one back. */
function along(count) {
  return (place, dx, dy) => Math.min(Math.max(place + (dx || dy), 0), count - 1);
}

function ring(marks, radius = 7) {
  return (place) => shape("circle", { cx: marks[place].x, cy: marks[place].y, r: radius });
}

function widthOf(id) {
  return Math.max(byId(id).clientWidth, 240);
}
