// A small diagram: extract before clean and check, clean before load; one task apart from them.
import { $, show } from "./page.js";
import { readGraph } from "../../src/diagram/graph.js";

/**
 * @param {string} name
 * @param {number} x
 * @param {number} y
 * @param {string} [more]
 */
const box = (name, x, y, more = "") =>
  `<a class="box" href="#${name}" data-name="${name}" aria-label="${name}, scheduling" transform="translate(${x} ${y})" ${more}></a>`;

/** @param {(string | string[])[]} values */
const facts = (...values) => `data-facts='${JSON.stringify(values)}'`;

export const DIAGRAM = `<div class="diagram-view" data-diagram>
  <div class="diagram-bar"><div><input type="search" data-find><ul role="listbox" hidden></ul></div>
    <label><input type="checkbox" value="paused" data-status></label><output class="scale"></output>
    ${["out", "in", "one", "fit"].map((one) => `<button type="button" data-zoom="${one}"></button>`).join("")}</div>
  <div class="diagram-frame"><svg class="diagram-svg" viewBox="0 0 1 1" data-box="100 40" data-width="500" data-height="140"><g class="canvas">
    <path class="line" data-ends="0 1" d="M100 20H200"/><path class="line" data-ends="0 2" d="M100 20C150 20 150 120 200 120"/>
    <path class="line" data-ends="1 3" d="M300 20H400"/>
    ${box("extract", 0, 0, facts("orders.extract", "retail", "orders", ["ann", "bob"], "", "Scheduling"))}
    ${box("clean", 200, 0, facts("orders.clean", "retail", "orders", [], "SQL", "Paused"))}
    ${box("check", 200, 100)}${box("load", 400, 0)}${box("apart", 0, 100)}</g></svg>
    <div class="diagram-card" hidden><dl>${"<dt></dt><dd></dd>".repeat(6)}</dl></div></div></div>`;

/** The graph of that diagram, in the page, and its boxes by name. */
export const graphOf = () => {
  show(DIAGRAM);
  const graph = readGraph($("svg"));
  return {
    graph,
    /** @param {string} name */
    box: (name) =>
      /** @type {import("../../src/diagram/graph.js").Box} */ (graph.boxes.find((one) => one.name === name)),
  };
};
