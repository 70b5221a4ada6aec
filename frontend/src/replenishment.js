// The grid of a replenishment that goes on: rows are put in anew, and the keys go on where they were.

/** One cell stays in reach of Tab. */
const keepStop = (grid) => {
  if (grid.querySelector('td[tabindex="0"]')) return;
  const cell = grid.contains(document.activeElement) ? document.activeElement.closest("td") : null;
  (cell ?? document.getElementById(grid.dataset.stop) ?? grid.querySelector("td"))?.setAttribute("tabindex", "0");
};

export const liveGrid = () => {
  const place = document.querySelector(".replenishment .grid-section");
  if (!place) return;
  place.addEventListener("focusin", (event) => {
    const cell = event.target.closest("table[role=grid] td");
    if (cell) cell.closest("table").dataset.stop = cell.id;
  });
  place.addEventListener("keydown", (event) => {
    const cell = event.target.closest("table[role=grid] td");
    if (cell && event.key === "Enter") cell.querySelector("a")?.click();
  });
  document.body.addEventListener("htmx:afterSettle", () => {
    for (const grid of place.querySelectorAll("table[role=grid]")) keepStop(grid);
  });
};
