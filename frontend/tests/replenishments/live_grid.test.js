import assert from "node:assert/strict";
import { test } from "node:test";
import { $, $$, answer, happen, press, show } from "../support/page.js";
import { liveGrid } from "../../src/replenishments/live_grid.js";

const cells = (stop = "") =>
  ["a", "b", "c"].map((id) => `<td id="${id}" tabindex="${id === stop ? 0 : -1}"><a href="#">x</a></td>`).join("");

show(`<div class="replenishment-page"><section class="grid-section"><table role="grid"><tbody><tr>${cells("a")}</tr></tbody></table>
  </section></div>`);
liveGrid();

const again = (stop = "") => {
  $("tr").innerHTML = cells(stop);
  answer("htmx:afterSettle");
};
const stops = () =>
  $$("td")
    .filter((one) => one.tabIndex === 0)
    .map((one) => one.id);

test("when rows are put in anew Tab reaches the cell where the keys were", () => {
  happen($("#b"), "focusin");
  again();
  assert.deepEqual(stops(), ["b"]);
});

test("rows that bring a stop along keep it", () => {
  again("c");
  assert.deepEqual(stops(), ["c"]);
});

test("where that cell has gone it is the first one", () => {
  $("table").dataset.stop = "gone";
  again();
  assert.deepEqual(stops(), ["a"]);
});

test("the cell in focus goes before the one that was", () => {
  $("tr").innerHTML = cells();
  $("#c").focus();
  $("table").dataset.stop = "a";
  answer("htmx:afterSettle");
  assert.deepEqual(stops(), ["c"]);
});

test("Enter follows the link of a cell", () => {
  let clicks = 0;
  $("#b a").addEventListener("click", () => (clicks += 1));
  press($("#b"), "Enter");
  press($("#b"), "x");
  assert.equal(clicks, 1);
});
