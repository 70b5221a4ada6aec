import assert from "node:assert/strict";
import { test } from "node:test";
import { $, $$, happen, press, sent, show, texts, tick } from "../support/page.js";
import { selection } from "../../src/lists/selection.js";

/** @param {number} total */
const page = (total) => {
  show(`<form id="selection" data-rows="4" data-total="${total}">
      <input type="hidden" name="matching" value="?q=a" disabled>
      <button type="button" hx-post="/pause" disabled>Pause</button>
      <p data-selected data-nothing="None selected"></p>
      <button type="button" data-select-matching hidden>Select all</button>
      <button type="button" data-select-none hidden>Clear</button></form>
    <input type="checkbox" data-select-page>
    ${["a", "b", "c", "d"].map((one) => `<input type="checkbox" form="selection" name="target" value="${one}">`).join("")}`);
  selection();
  press(document.body, "Escape"); // no Shift from before
};
const box = (/** @type {string} */ name) => $(`[value="${name}"]`);
const chosen = () => $$("[name=target]:checked").map((one) => one.value);
const said = () => texts("[data-selected]")[0];
const offered = () =>
  $$("#selection button")
    .filter((one) => !one.hidden && !one.disabled)
    .map((one) => one.textContent);

test("nothing is selected at first, and nothing can be pressed", () => {
  page(1234);
  assert.equal(said(), "None selected");
  assert.deepEqual(offered(), []);
});

test("what is selected can be pressed", () => {
  page(1234);
  tick(box("b"));
  assert.equal(said(), "1 selected");
  assert.deepEqual(offered(), ["Pause", "Select all", "Clear"]);
  assert.ok($("[data-select-page]").indeterminate);
  tick(box("b"), false);
  assert.equal(said(), "None selected");
  assert.deepEqual(offered(), []);
});

test("with Shift a range takes what its end was given, in both directions", () => {
  page(4);
  tick(box("d"));
  happen(box("b"), "pointerdown", { shiftKey: true });
  tick(box("b"));
  assert.deepEqual(chosen(), ["b", "c", "d"]);
  tick(box("c"), false);
  assert.deepEqual(chosen(), ["d"], "from b to c");
  happen(box("a"), "pointerdown", { shiftKey: false });
  tick(box("a"));
  assert.deepEqual(chosen(), ["a", "d"]);
});

test("the box of the page selects all of it", () => {
  page(1234);
  tick($("[data-select-page]"));
  assert.deepEqual(chosen(), ["a", "b", "c", "d"]);
  assert.equal(said(), "4 selected");
  assert.ok(!$("[data-select-page]").indeterminate);
  tick(box("a"), false);
  assert.ok($("[data-select-page]").indeterminate);
  assert.ok(!$("[data-select-page]").checked);
});

test("all rows that match are named by the filter, not one by one", () => {
  page(1234);
  tick(box("a"));
  $("[data-select-matching]").click();
  assert.equal(said(), "All 1,234 selected");
  assert.deepEqual(offered(), ["Pause", "Clear"]);
  assert.deepEqual(sent($("form")), [["matching", "?q=a"]]);
  assert.equal(document.activeElement, $("[data-select-none]"));
});

test("one tick less, and it is the rows of the page again", () => {
  page(1234);
  tick(box("a"));
  $("[data-select-matching]").click();
  tick(box("d"), false);
  assert.equal(said(), "3 selected");
  assert.ok($("[name=matching]").disabled);
});

test("Clear selects nothing", () => {
  page(1234);
  tick(box("a"));
  $("[data-select-matching]").click();
  $("[data-select-none]").click();
  assert.deepEqual(chosen(), []);
  assert.equal(said(), "None selected");
  assert.equal(document.activeElement, $("[data-select-page]"));
});

test("where one page has all rows, there are no others to select", () => {
  page(4);
  tick($("[data-select-page]"));
  assert.deepEqual(offered(), ["Pause", "Clear"]);
});

test("Enter in the toolbar sends nothing", () => {
  page(4);
  assert.ok(happen($("form"), "submit").defaultPrevented);
});
