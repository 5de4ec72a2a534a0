// Tooltip: what lies under the pointer, and the same in words for a screen reader.

/** Show lines, each of one or more parts; of two parts the second is a value. */
function showTooltip(lines, x, y) {
  const box = byId("tooltip");
  box.replaceChildren(
    ...lines.map(([label, ...values]) =>
      element("p", {}, label, ...values.flatMap((value) => [" ", element("b", {}, value)])),
    ),
  );
  box.hidden = false;
  const { width, height } = box.getBoundingClientRect();
  const left = x + 16 + width > innerWidth ? x - width - 16 : x + 16;
  const top = y + 16 + height > innerHeight ? y - height - 16 : y + 16;
  box.style.left = `${Math.max(left, 4)}px`;
  box.style.top = `${Math.max(top, 4)}px`;
}

function hideTooltip() {
  byId("tooltip").hidden = true;
}

function say(words) {
  byId("said").textContent = words;
}
