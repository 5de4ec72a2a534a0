// Headline: the numbers of the two models that are chosen.

function drawHeadline() {
  const numbers = data.headline[`${layers[state.row].model},${layers[state.col].model}`];
  if (!numbers) return;
  const against = ([words, value]) => element("span", {}, `${words} `, element("b", {}, value));
  replace(
    "headline",
    ...numbers.map(({ title, value, interval: ends, text, references }) =>
      element(
        "div",
        { class: "number" },
        element("h2", {}, title),
        element("p", { class: "value" }, element("strong", {}, value), ...(ends ? [" ", element("span", {}, `[${ends}]`)] : [])),
        element("p", { class: "what" }, text),
        ...(references.length ? [element("p", { class: "against" }, ...references.map(against))] : []),
      ),
    ),
  );
}
