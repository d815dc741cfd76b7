"use strict";
const body = document.querySelector("tbody"), form = document.getElementById("choice"), shown = document.getElementById("shown");
const rows = [...body.rows].map(row => ({
  row, text: row.textContent.toLowerCase(),
  keys: [...row.cells].map(cell => cell.dataset.k ?? cell.textContent),
}));
const limits = [["params", 1, 1e6], ["macs", 2, 1e9], ["side", 4, 1]];
function choose() {
  const words = form.text.value.toLowerCase().split(/\s+/).filter(Boolean);
  const most = limits.filter(([name]) => form[name].value !== "").map(([name, column, unit]) => [column, form[name].value * unit]);
  let count = 0;
  for (const {row, text, keys} of rows) {
    const fits = words.every(word => text.includes(word)) && (!form.weights.checked || keys[6] !== "")
      && most.every(([column, limit]) => keys[column] !== "" && +keys[column] <= limit);
    if (row.hidden === fits) row.hidden = !fits;
    count += fits;
  }
  shown.textContent = count.toLocaleString("en") + " shown";
}
function sort(heading, column) {
  const down = heading.getAttribute("aria-sort") === "ascending" || (column === 5 && !heading.hasAttribute("aria-sort"));
  for (const other of heading.parentNode.cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", down ? "descending" : "ascending");
  const numeric = [1, 2, 3, 4, 5].includes(column), sign = down ? -1 : 1;
  rows.sort((a, b) => {
    const [x, y] = [a.keys[column], b.keys[column]];
    if (x === "" || y === "") return (x === "") - (y === "");
    return sign * (numeric ? x - y : x < y ? -1 : x > y ? 1 : 0);
  });
  body.append(...rows.map(each => each.row));
}
form.addEventListener("input", choose);
form.addEventListener("submit", event => event.preventDefault());
[...document.querySelectorAll("th")].forEach((heading, column) => heading.firstElementChild.addEventListener("click", () => sort(heading, column)));
form.hidden = false;
choose();
