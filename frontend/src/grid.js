// Grids of cells (table[role=grid]): one stop for Tab, arrow keys within, and a line that says what a cell is.

const cellsOf = (row) => [...row.querySelectorAll("td")];

/** The rows that have cells. */
const rowsOf = (grid) => [...grid.tBodies].flatMap((body) => [...body.rows]).filter((row) => row.querySelector("td"));

const enter = (grid) => {
  const first = grid.querySelector("td.executes") ?? grid.querySelector("td");
  if (!first) return;
  for (const cell of grid.querySelectorAll("td")) cell.tabIndex = cell === first ? 0 : -1;
  // the first that matters is in sight, with what is before it
  const scroller = grid.closest(".cells-scroll");
  const columns = [...grid.querySelectorAll("td.executes")].map((cell) => cell.offsetLeft);
  const beyond = columns.length ? Math.min(...columns) - scroller.clientWidth * 0.7 : 0;
  if (beyond > 0) scroller.scrollLeft = beyond;
};

const go = (grid, from, to) => {
  if (!to || to === from) return;
  from.tabIndex = -1;
  to.tabIndex = 0;
  to.focus({ preventScroll: true });
  to.scrollIntoView({ block: "nearest", inline: "nearest" });
};

const PAGE = 10;

const target = (event, grid, cell) => {
  const rows = rowsOf(grid);
  const row = rows.indexOf(cell.parentElement);
  const column = cellsOf(rows[row]).indexOf(cell);
  const at = (r, c) => {
    const cells = cellsOf(rows[Math.max(0, Math.min(r, rows.length - 1))]);
    return cells[Math.max(0, Math.min(c, cells.length - 1))];
  };
  const isFar = event.ctrlKey || event.metaKey;
  switch (event.key) {
    case "ArrowRight":
      return at(row, column + 1);
    case "ArrowLeft":
      return at(row, column - 1);
    case "ArrowDown":
      return at(row + 1, column);
    case "ArrowUp":
      return at(row - 1, column);
    case "Home":
      return at(isFar ? 0 : row, 0);
    case "End":
      return at(isFar ? Infinity : row, Infinity);
    case "PageDown":
      return at(row + PAGE, column);
    case "PageUp":
      return at(row - PAGE, column);
    default:
      return null;
  }
};

const say = (event) => {
  const cell = event.target.closest?.("table[role=grid] td");
  const line = cell?.closest(".cells-scroll")?.parentElement.querySelector(".cell-said");
  if (line) line.textContent = cell.title;
};

export const grids = () => {
  const prepare = (root) => {
    for (const grid of root.querySelectorAll?.("table[role=grid]") ?? []) enter(grid);
  };
  prepare(document);
  document.body.addEventListener("htmx:load", (event) => prepare(event.target.parentElement ?? document));
  document.addEventListener("keydown", (event) => {
    const cell = event.target.closest?.("table[role=grid] td");
    const grid = cell?.closest("table");
    const to = grid && target(event, grid, cell);
    if (!to) return;
    event.preventDefault();
    go(grid, cell, to);
  });
  document.addEventListener("focusin", say);
  document.addEventListener("pointerover", say);
};
