"use strict";
const body = document.querySelector("tbody"), form = document.getElementById("choice"), shown = document.getElementById("shown");
const rows = [...body.rows].map(row => ({
  row, text: row.textContent.toLowerCase(),
  keys: [...row.cells].map(cell => cell.dataset.k ?? cell.textContent),
}));
// Laying out a thousand rows takes longer than finding them, so a page of them is shown until all are asked for.
const page = 200, more = document.getElementById("more");
let all = false;
const limits = [["params", 1, 1e6], ["macs", 2, 1e9], ["side", 4, 1]];
function choose() {
  const words = form.text.value.toLowerCase().split(/\s+/).filter(Boolean);
  const most = limits.filter(([name]) => form[name].value !== "").map(([name, column, unit]) => [column, form[name].value * unit]);
  let count = 0;
  for (const {row, text, keys} of rows) {
    const fits = words.every(word => text.includes(word)) && (!form.weights.checked || keys[6] !== "")
      && most.every(([column, limit]) => keys[column] !== "" && +keys[column] <= limit);
    const seen = fits && (all || count < page);
    if (row.hidden === seen) row.hidden = !seen;
    count += fits;
  }
  shown.textContent = count.toLocaleString("en") + " found";
  more.hidden = all || count <= page;
  more.textContent = "Show all " + count.toLocaleString("en");
}
function sort(heading, column) {
  const down = heading.getAttribute("aria-sort") === "ascending" || ([5, 8, 9].includes(column) && !heading.hasAttribute("aria-sort"));
  for (const other of heading.parentNode.cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", down ? "descending" : "ascending");
  const numeric = [1, 2, 3, 4, 5, 8, 9].includes(column), sign = down ? -1 : 1;
  rows.sort((a, b) => {
    const [x, y] = [a.keys[column], b.keys[column]];
    if (x === "" || y === "") return (x === "") - (y === "");
    return sign * (numeric ? x - y : x < y ? -1 : x > y ? 1 : 0);
  });
  body.append(...rows.map(each => each.row));
  choose();
}
form.addEventListener("input", () => { all = false; choose(); });
more.addEventListener("click", () => { all = true; choose(); });
form.addEventListener("submit", event => event.preventDefault());
[...document.querySelectorAll("th")].forEach((heading, column) => heading.firstElementChild.addEventListener("click", () => sort(heading, column)));
form.hidden = false;
choose();
