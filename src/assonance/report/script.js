"use strict";
// The page is complete without this script, which adds buttons to save files and opens all details
// for printing.
(() => {
  const save = (name, type, text) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  };
  const quoted = (text) => (/[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const csv = (table) =>
    [...table.rows]
      .map((row) =>
        [...row.cells]
          .flatMap((cell) => {
            const text = cell.textContent === "–" ? "" : cell.textContent;
            return Array(cell.colSpan).fill(quoted(text));
          })
          .join(","),
      )
      .join("\n") + "\n";
  const button = (label, action) => {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = label;
    made.addEventListener("click", action);
    return made;
  };
  for (const figure of document.querySelectorAll("figure")) {
    const svg = figure.querySelector("svg");
    const table = figure.querySelector("table");
    const tools = document.createElement("p");
    tools.className = "tools";
    tools.append(
      button("Save figure as SVG", () =>
        save(`${figure.id}.svg`, "image/svg+xml", new XMLSerializer().serializeToString(svg)),
      ),
      button("Save table as CSV", () => save(`${figure.id}.csv`, "text/csv", csv(table))),
    );
    figure.querySelector("figcaption").after(tools);
  }
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")];
    for (const each of opened) each.open = true;
  });
  addEventListener("afterprint", () => {
    for (const each of opened) each.open = false;
  });
})();
