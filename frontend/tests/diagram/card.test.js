import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { $, happen, texts } from "../support/page.js";
import { graphOf } from "../support/diagram.js";
import { factsCard, placeBeside } from "../../src/diagram/card.js";

mock.timers.enable({ apis: ["setTimeout"] });
/** @type {ReturnType<typeof graphOf>["box"]} */
let box;
/** @type {ReturnType<typeof factsCard>} */
let card;

beforeEach(() => {
  ({ box } = graphOf());
  card = factsCard($(".diagram-view"), (one) => one);
});

const isShown = () => !$(".diagram-card").hidden;

test("it has the facts of the task, a list of owners, and a button that copies the id", () => {
  card.show(box("extract"));
  assert.ok(isShown());
  assert.equal(card.of(), box("extract"));
  assert.deepEqual(texts("dd").slice(1), ["retail", "orders", "annbob", "–", "Scheduling"]);
  assert.deepEqual(texts("dd li"), ["ann", "bob"]);
  assert.equal($("dd .copy").dataset.copy, "orders.extract");
  card.show(box("clean"));
  assert.deepEqual(texts("dd").slice(3, 5), ["–", "SQL"]);
});

test("a task without facts has no card", () => {
  card.show(box("clean"));
  card.show(box("load"));
  assert.ok(!isShown());
  assert.equal(card.of(), null);
});

test("it waits before it comes and before it goes", () => {
  card.later(box("clean"));
  mock.timers.tick(199);
  assert.ok(!isShown());
  mock.timers.tick(1);
  assert.ok(isShown());
  card.later(null);
  mock.timers.tick(249);
  assert.ok(isShown());
  mock.timers.tick(1);
  assert.ok(!isShown());
});

test("it stays while the pointer is on it", () => {
  card.show(box("clean"));
  card.later(null);
  happen($(".diagram-card"), "pointerenter");
  mock.timers.tick(1000);
  assert.ok(isShown());
  assert.ok(card.holds($("dd")));
  assert.ok(!card.holds($("svg")));
  assert.ok(!card.holds(null));
  happen($(".diagram-card"), "pointerleave");
  mock.timers.tick(250);
  assert.ok(!isShown());
});

test("what happens on it does not move the diagram", () => {
  let moved = 0;
  $(".diagram-frame").addEventListener("pointerdown", () => (moved += 1));
  happen($("dd"), "pointerdown");
  assert.equal(moved, 0);
});

test("it stands below a box, else above it, else beside it, always inside", () => {
  const size = { width: 200, height: 100 };
  const frame = { width: 800, height: 400 };
  /** @param {number} left @param {number} top */
  const at = (left, top, height = 40) =>
    placeBeside({ left, top, right: left + 100, bottom: top + height }, size, frame);
  assert.deepEqual(at(50, 50), { left: 50, top: 98 });
  assert.deepEqual(at(700, 50), { left: 592, top: 98 }, "not beyond the right edge");
  assert.deepEqual(at(-50, 50), { left: 8, top: 98 });
  assert.deepEqual(at(50, 320), { left: 50, top: 212 }, "above");
  assert.deepEqual(at(50, 60, 300), { left: 158, top: 60 }, "to the right");
  assert.deepEqual(at(600, 60, 300), { left: 392, top: 60 }, "to the left");
});
