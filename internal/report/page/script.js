// The page is whole without this script, which filters and sorts what is there. It makes no markup out of text.
"use strict";

(() => {
  document.documentElement.classList.add("scripted");
  const table = document.getElementById("table");
  if (!table) return;
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const input = document.getElementById("filter");
  const boxes = [...document.querySelectorAll('#tools input[name="level"]')];
  const matching = document.getElementById("matching");
  const number = new Intl.NumberFormat("en");

  // What a row is searched in; made once, when it is wanted.
  const texts = new Map();
  const textOf = (row) => {
    if (!texts.has(row)) texts.set(row, row.textContent.toLowerCase());
    return texts.get(row);
  };

  // Words must all be there; in quotation marks they are one.
  const wordsOf = (query) => [...query.toLowerCase().matchAll(/"([^"]*)"|\S+/g)].map((m) => m[1] ?? m[0]).filter(Boolean);

  function filter() {
    const words = wordsOf(input.value);
    const levels = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    let shown = 0;
    for (const row of rows) {
      const fits = levels.has(row.dataset.level) && words.every((word) => textOf(row).includes(word));
      row.hidden = !fits;
      if (fits) shown++;
    }
    matching.textContent = `${number.format(shown)} of ${number.format(rows.length)} listed`;
  }

  let pending = 0;
  input.addEventListener("input", () => {
    clearTimeout(pending);
    pending = setTimeout(filter, 120);
  });
  for (const box of boxes) box.addEventListener("change", filter);
  document.getElementById("tools").addEventListener("submit", (event) => event.preventDefault());

  for (const link of document.querySelectorAll("a[data-filter]")) {
    link.addEventListener("click", () => {
      input.value = link.dataset.filter.split('"').filter((part) => part.trim()).map((part) => `"${part}"`).join(" ");
      filter();
    });
  }

  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !event.ctrlKey && !event.metaKey && document.activeElement !== input) {
      event.preventDefault();
      input.focus();
    }
  });

  const order = new Intl.Collator("en", { numeric: true });
  const keyOf = (row, column) => row.cells[column].dataset.key ?? row.cells[column].textContent;

  function sort(column, header) {
    const down = header.getAttribute("aria-sort") === "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", down ? "descending" : "ascending");
    const keyed = rows.map((row) => [keyOf(row, column), row]);
    keyed.sort((a, b) => (down ? -1 : 1) * order.compare(a[0], b[0]));
    body.append(...keyed.map((pair) => pair[1]));
  }

  [...table.tHead.rows[0].cells].forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    button.addEventListener("click", () => sort(column, header));
    header.append(button);
  });

  // A browser may keep what was typed when the page is loaded again.
  filter();
})();
