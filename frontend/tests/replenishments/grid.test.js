import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { $, $$, answer, happen, press, show, texts } from "../support/page.js";
import { grids } from "../../src/replenishments/grid.js";

grids();

/** @param {number} rows */
const grid = (rows, columns = 3, executes = "") => `<div class="room"><div class="cells-scroll"><table role="grid">
  <thead><tr><th>Task</th>${"<th>cycle</th>".repeat(columns)}</tr></thead><tbody><tr><th>workflow</th></tr>
  ${Array.from({ length: rows }, (_, row) => `<tr><th>task</th>${Array.from({ length: columns }, (__, at) => `<td id="c${row}-${at}" class="cell${executes === `${row}-${at}` ? " executes" : ""}" title="cell ${row} ${at}"><span></span></td>`).join("")}</tr>`).join("")}
  </tbody></table></div><p class="cell-said"></p></div>`;

const stops = () =>
  $$("td")
    .filter((one) => one.tabIndex === 0)
    .map((one) => one.id);

/** @param {string} html */
const put = (html) => {
  show(html);
  answer("htmx:load", { elt: $(".room") });
};

beforeEach(() => put(grid(15)));

test("Tab stops once in a grid: at the first cell that executes, else at the first", () => {
  assert.deepEqual(stops(), ["c0-0"]);
  put(grid(3, 3, "1-2"));
  assert.deepEqual(stops(), ["c1-2"]);
});

test("arrows go from cell to cell, the stop with them", () => {
  const way = [
    ["ArrowRight", "c0-1"],
    ["ArrowDown", "c1-1"],
    ["ArrowLeft", "c1-0"],
    ["ArrowUp", "c0-0"],
    ["End", "c0-2"],
    ["PageDown", "c10-2"],
    ["Home", "c10-0"],
    ["PageUp", "c0-0"],
  ];
  let at = $("#c0-0");
  for (const [key, id] of way) {
    assert.ok(press(at, key).defaultPrevented, key);
    at = document.activeElement;
    assert.equal(at.id, id, key);
    assert.deepEqual(stops(), [id]);
  }
});

test("nothing leads out of the grid", () => {
  for (const key of ["ArrowLeft", "ArrowUp", "Home", "PageUp"]) {
    $("#c0-0").focus();
    assert.ok(press($("#c0-0"), key).defaultPrevented);
    assert.equal(document.activeElement, $("#c0-0"), key);
  }
  press($("#c12-2"), "PageDown");
  assert.equal(document.activeElement, $("#c14-2"));
  press($("#c14-2"), "ArrowRight");
  assert.deepEqual(document.activeElement, $("#c14-2"));
});

test("Ctrl with Home and End goes to the corners", () => {
  press($("#c3-1"), "End", { ctrlKey: true });
  assert.equal(document.activeElement, $("#c14-2"));
  press($("#c14-2"), "Home", { metaKey: true });
  assert.equal(document.activeElement, $("#c0-0"));
});

test("other keys are not the grid's", () => {
  assert.ok(!press($("#c0-0"), "a").defaultPrevented);
  assert.ok(!press($("th"), "ArrowDown").defaultPrevented);
});

test("the cell in focus or under the pointer is said below", () => {
  happen($("#c2-1 span"), "pointerover");
  assert.deepEqual(texts(".cell-said"), ["cell 2 1"]);
  happen($("#c3-0"), "focusin");
  assert.deepEqual(texts(".cell-said"), ["cell 3 0"]);
  happen($("th"), "pointerover");
  assert.deepEqual(texts(".cell-said"), ["cell 3 0"]);
});

test("the first cell that executes is in sight, with what is before it", () => {
  show(grid(2, 3, "0-2"));
  Object.defineProperty($(".cells-scroll"), "clientWidth", { value: 500 });
  Object.defineProperty($("#c0-2"), "offsetLeft", { value: 900 });
  answer("htmx:load", { elt: $(".room") });
  assert.equal($(".cells-scroll").scrollLeft, 550);
});
