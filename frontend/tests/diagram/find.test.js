import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { $, $$, happen, press, texts, type } from "../support/page.js";
import { graphOf } from "../support/diagram.js";
import { findBox, matching } from "../../src/diagram/find.js";

/** @type {string[]} */
let gone = [];
/** @type {import("../../src/diagram/graph.js").Graph} */
let graph;

beforeEach(() => {
  gone = [];
  ({ graph } = graphOf());
  findBox($(".diagram-view"), graph, (box) => gone.push(box.name));
});

const field = () => $("[data-find]");
const marked = () => texts("[aria-selected=true]");

test("tasks are found by name and id, in any case, the earlier the words stand the further in front", () => {
  const found = (/** @type {string} */ words) => matching(graph.boxes, words).map(({ name }) => name);
  assert.deepEqual(found(" C "), ["check", "clean", "extract"]);
  assert.deepEqual(found("ORDERS."), ["clean", "extract"]);
  assert.deepEqual(found("nobody"), []);
  assert.deepEqual(found("  "), []);
});

test("what is typed is offered, the first marked, and Enter goes there", () => {
  type(field(), "c");
  assert.deepEqual(texts("[role=option]"), ["check", "clean", "extract"]);
  assert.equal(field().getAttribute("aria-expanded"), "true");
  assert.deepEqual(marked(), ["check"]);
  assert.equal(field().getAttribute("aria-activedescendant"), $("[aria-selected=true]").id);
  assert.ok(press(field(), "Enter").defaultPrevented);
  assert.deepEqual(gone, ["check"]);
  assert.equal(field().value, "check");
  assert.ok($("[role=listbox]").hidden);
});

test("arrows mark another one, round the ends", () => {
  type(field(), "c");
  const seen = ["ArrowUp", "ArrowDown", "ArrowDown"].map((key) => {
    press(field(), key);
    return marked()[0];
  });
  assert.deepEqual(seen, ["extract", "check", "clean"]);
});

test("a click takes it before the field loses the focus", () => {
  type(field(), "c");
  assert.ok(happen($$("[role=option]")[1], "pointerdown").defaultPrevented);
  assert.deepEqual(gone, ["clean"]);
});

test("Escape shuts the list, and nothing else; in a shut one it is not the list's", () => {
  type(field(), "c");
  assert.ok(press(field(), "Escape").defaultPrevented);
  assert.ok($("[role=listbox]").hidden);
  assert.equal(field().getAttribute("aria-activedescendant"), null);
  assert.ok(!press(field(), "Escape").defaultPrevented);
});

test("what is not there is said; of many the first are offered", () => {
  type(field(), "nobody");
  assert.deepEqual(texts("[role=listbox] li"), ["No such task"]);
  press(field(), "Enter");
  assert.deepEqual(gone, []);
  const { graph: many } = graphOf();
  many.boxes.push(
    ...Array.from({ length: 10 }, (_, at) => ({ ...many.boxes[0], name: `step_${at}`, id: `step_${at}` })),
  );
  findBox($(".diagram-view"), many, () => {});
  type(field(), "step");
  assert.equal($$("[role=option]").length, 8);
  assert.deepEqual(texts(".rest"), ["and 2 more"]);
});
