// Neuron: one neuron of A, its rank, its best match in every other model, and its moments.

function drawNeuron(rows, neuron) {
  const row = rows.find((each) => each.neuron === neuron);
  const rank = 1 + rows.filter(({ match }) => match > row.match).length;
  const facts = [
    ["best match here", `neuron ${row.other} of ${layers[state.col].name}, r ${shown(row.match)} ${interval(row, "match")}`],
    ["rank", `${rank} of ${rows.length} by best match`],
  ];
  if (Number.isFinite(row.whole)) {
    facts.push(["whole layer", `held-out r ${shown(row.whole)} ${interval(row, "whole")}`]);
  }
  if (Number.isFinite(row.rotated)) facts.push(["rotated neurons", shown(row.rotated)]);
  const { score, layer, neuron: other } = data.neurons.best[state.row];
  data.models.forEach(({ name, layers: labels }, model) => {
    const value = score.get(model, neuron);
    if (Number.isNaN(value)) return;
    const where = `neuron ${other.get(model, neuron)} of ${labels[layer.get(model, neuron)]}, r ${shown(value)}`;
    facts.push([`best in ${name}`, where]);
  });
  const step = (by) => () => {
    const place = rows.findIndex((each) => each.neuron === neuron);
    choose({ neuron: rows[(place + by + rows.length) % rows.length].neuron });
  };
  replace(
    "neuron-card",
    element("p", { id: "neuron-name" }, element("strong", {}, `Neuron ${neuron} of ${layers[state.row].name}`)),
    element("dl", {}, ...facts.flatMap(([term, words]) => [element("dt", {}, term), element("dd", {}, words.trim())])),
    element(
      "div",
      { class: "tools" },
      element("button", { type: "button", onclick: step(-1) }, "previous"),
      element("button", { type: "button", onclick: step(1) }, "next"),
    ),
    ...momentsOf(neuron),
  );
}
