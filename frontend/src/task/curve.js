// The execution curve: charts of the rows of the table below them. Chart.js comes only where there is one.
import { find, findAll, need } from "../shared/dom.js";

/**
 * One instance of the task.
 *
 * @typedef {object} Point
 * @property {string} label of its run
 * @property {HTMLTimeElement | null} data where its data time is written, in the person's time zone
 * @property {string} state
 * @property {number | null} seconds that it took
 * @property {number} start in ms
 * @property {number} end in ms
 */

/**
 * @param {HTMLTableRowElement} row
 * @returns {Point}
 */
const read = (row) => {
  /** @param {string} name */
  const moment = (name) => Date.parse(need(row, `td.${name} time`, HTMLTimeElement).dateTime);
  return {
    label: row.cells[0].textContent.trim(),
    data: find(row.cells[1], "time", HTMLTimeElement),
    state: row.dataset.state ?? "",
    seconds: row.dataset.seconds ? Number(row.dataset.seconds) : null,
    start: moment("start"),
    end: moment("end"),
  };
};

/**
 * What the table beside the charts says.
 *
 * @param {HTMLElement} area where the charts are
 */
export const readAll = (area) =>
  findAll(area.parentElement ?? document, ".curve-table tbody tr", HTMLTableRowElement).map(read);

export const curves = async () => {
  const area = find(document, "[data-curve]");
  if (!area) return;
  try {
    const { draw } = await import("./charts.js");
    draw(area, readAll(area));
  } catch (error) {
    need(area, "[data-curve-problem]").hidden = false;
    if (area.nextElementSibling instanceof HTMLDetailsElement) area.nextElementSibling.open = true;
    throw error;
  }
};
