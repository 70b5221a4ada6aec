// Rows that open: what is below one is fetched when it is opened first.
import htmx from "htmx.org";
import { around } from "../shared/dom.js";

/**
 * What is below a row that was opened before.
 *
 * @param {HTMLTableRowElement} row
 */
const below = (row) => {
  const next = row.nextElementSibling;
  return next instanceof HTMLElement && next.classList.contains("opened") ? next : null;
};

/**
 * @param {HTMLTableRowElement} row
 * @param {string} url of what goes below it
 */
const open = (row, url) => {
  const place = document.createElement("tr");
  place.className = "opened";
  const cell = place.insertCell();
  cell.colSpan = row.cells.length;
  const content = document.createElement("div");
  content.className = "opened-content";
  cell.append(content);
  row.after(place);
  htmx.ajax("get", url, { target: content, swap: "innerHTML" });
};

export const openingRows = () => {
  document.addEventListener("click", (event) => {
    const button = around(event.target, "button[data-expand]");
    const row = around(button, "tr", HTMLTableRowElement);
    if (!button || !row) return;
    const place = below(row);
    if (!place) open(row, button.dataset.expand ?? "");
    else place.hidden = !place.hidden;
    button.ariaExpanded = String(!place || !place.hidden);
  });
};
