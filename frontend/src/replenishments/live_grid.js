// The grid of a replenishment that goes on: rows are put in anew, and the keys go on where they were.
import { around, find, findAll } from "../shared/dom.js";
import { onAnswer } from "../shared/events.js";

/**
 * One cell stays in reach of Tab.
 *
 * @param {HTMLElement} grid
 */
const keepStop = (grid) => {
  if (grid.querySelector('td[tabindex="0"]')) return;
  const focused = grid.contains(document.activeElement) ? around(document.activeElement, "td") : null;
  const cell = focused ?? document.getElementById(grid.dataset.stop ?? "") ?? find(grid, "td");
  cell?.setAttribute("tabindex", "0");
};

export const liveGrid = () => {
  const place = find(document, ".replenishment-page .grid-section");
  if (!place) return;
  place.addEventListener("focusin", (event) => {
    const cell = around(event.target, "table[role=grid] td");
    const grid = around(cell, "table");
    if (cell && grid) grid.dataset.stop = cell.id;
  });
  place.addEventListener("keydown", (event) => {
    const cell = around(event.target, "table[role=grid] td");
    if (cell && event.key === "Enter") find(cell, "a")?.click();
  });
  onAnswer("htmx:afterSettle", () => {
    for (const grid of findAll(place, "table[role=grid]")) keepStop(grid);
  });
};
