// Grids of cells (table[role=grid]): one stop for Tab, arrow keys within, and a line that says what a cell is.
import { around, find, findAll } from "../shared/dom.js";
import { onAnswer } from "../shared/events.js";

/** @param {HTMLElement} row */
const cellsOf = (row) => findAll(row, "td");

/**
 * The rows that have cells.
 *
 * @param {HTMLTableElement} grid
 */
const rowsOf = (grid) => [...grid.rows].filter((row) => row.querySelector("td"));

/** @param {HTMLTableElement} grid */
const enter = (grid) => {
  const executing = findAll(grid, "td.executes");
  const first = executing[0] ?? find(grid, "td");
  if (!first) return;
  for (const cell of cellsOf(grid)) cell.tabIndex = cell === first ? 0 : -1;
  // the first that matters is in sight, with what is before it
  const scroller = around(grid, ".cells-scroll");
  if (!scroller || !executing.length) return;
  const beyond = Math.min(...executing.map((cell) => cell.offsetLeft)) - scroller.clientWidth * 0.7;
  if (beyond > 0) scroller.scrollLeft = beyond;
};

/**
 * @param {HTMLElement} from
 * @param {HTMLElement} to
 */
const go = (from, to) => {
  if (to === from) return;
  from.tabIndex = -1;
  to.tabIndex = 0;
  to.focus({ preventScroll: true });
  to.scrollIntoView({ block: "nearest", inline: "nearest" });
};

const PAGE = 10;

/**
 * Where a key leads from a row and column; `isFar`: with Ctrl.
 *
 * @type {Record<string, (row: number, column: number, isFar: boolean) => [number, number]>}
 */
const KEYS = {
  ArrowRight: (row, column) => [row, column + 1],
  ArrowLeft: (row, column) => [row, column - 1],
  ArrowDown: (row, column) => [row + 1, column],
  ArrowUp: (row, column) => [row - 1, column],
  Home: (row, _, isFar) => [isFar ? 0 : row, 0],
  End: (row, _, isFar) => [isFar ? Infinity : row, Infinity],
  PageDown: (row, column) => [row + PAGE, column],
  PageUp: (row, column) => [row - PAGE, column],
};

/**
 * The one at a place in a list, or the nearest to it that there is.
 *
 * @template Item
 * @param {Item[]} list
 * @param {number} at
 */
const nearest = (list, at) => list[Math.max(0, Math.min(at, list.length - 1))];

/**
 * The cell that a key leads to.
 *
 * @param {KeyboardEvent} event
 * @param {HTMLTableElement} grid
 * @param {HTMLTableCellElement} cell
 */
const target = (event, grid, cell) => {
  const lead = KEYS[event.key];
  if (!lead) return null;
  const rows = rowsOf(grid);
  const row = rows.findIndex((one) => one === cell.parentElement);
  const [toRow, toColumn] = lead(row, cellsOf(rows[row]).indexOf(cell), event.ctrlKey || event.metaKey);
  return nearest(cellsOf(nearest(rows, toRow)), toColumn);
};

/** @param {Event} event */
const cellAt = (event) => around(event.target, "table[role=grid] td", HTMLTableCellElement);

/** @param {Event} event */
const say = (event) => {
  const cell = cellAt(event);
  const room = around(cell, ".cells-scroll")?.parentElement;
  const line = room && find(room, ".cell-said");
  if (cell && line) line.textContent = cell.title;
};

export const grids = () => {
  /** @param {ParentNode} root */
  const prepare = (root) => {
    for (const grid of findAll(root, "table[role=grid]", HTMLTableElement)) enter(grid);
  };
  prepare(document);
  onAnswer("htmx:load", (event) => prepare(event.detail.elt.parentElement ?? document));
  document.addEventListener("keydown", (event) => {
    const cell = cellAt(event);
    const grid = around(cell, "table", HTMLTableElement);
    const to = cell && grid && target(event, grid, cell);
    if (!to) return;
    event.preventDefault();
    go(cell, to);
  });
  document.addEventListener("focusin", say);
  document.addEventListener("pointerover", say);
};
