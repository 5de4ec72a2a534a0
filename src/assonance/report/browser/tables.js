// Tables: they stand in noscript elements, one text each, until a reader opens them.

/** Parse the table of a closed element and put it in place of its text. */
function fillTable(details) {
  const source = details.querySelector("noscript");
  if (!source) return;
  const parsed = new DOMParser().parseFromString(source.textContent, "text/html");
  source.replaceWith(...parsed.body.childNodes);
}

function setUpTables() {
  for (const details of document.querySelectorAll("details.table")) {
    details.addEventListener("toggle", () => {
      if (details.open) fillTable(details);
    });
  }
  byId("print-tables")?.addEventListener("change", (event) => {
    for (const details of document.querySelectorAll("details.table")) {
      if (event.target.checked) fillTable(details);
      details.open = event.target.checked;
    }
  });
}

/** Return a button that opens the table of a figure; nothing if there is none. */
function tableLink(id) {
  const details = byId(id);
  if (!details?.classList.contains("table")) return "";
  const open = () => {
    fillTable(details);
    details.open = true;
    details.scrollIntoView({ block: "start" });
    details.querySelector("summary").focus();
  };
  return element("button", { type: "button", onclick: open }, "table");
}
