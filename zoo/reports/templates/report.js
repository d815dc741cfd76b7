"use strict";
// Headings sort their table; without script the rows stay as they were written.
for (const table of document.querySelectorAll("table[data-sortable]")) {
  const body = table.tBodies[0];
  const key = (row, place) => {
    const text = row.cells[place].dataset.value ?? row.cells[place].textContent.trim();
    return text !== "" && !Number.isNaN(Number(text)) ? Number(text) : text;
  };
  table.querySelectorAll("th").forEach((heading, place) => {
    if (heading.dataset.plain !== undefined) return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    let direction = 1;
    button.addEventListener("click", () => {
      const rows = [...body.rows].sort((one, two) => {
        const [a, b] = [key(one, place), key(two, place)];
        const order = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
        return direction * order;
      });
      body.append(...rows);
      table.querySelectorAll("th").forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
      direction = -direction;
    });
  });
}
