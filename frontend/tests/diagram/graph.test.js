import assert from "node:assert/strict";
import { test } from "node:test";
import { graphOf } from "../support/diagram.js";
import { busiestOf, firstOf, neighbour, reach } from "../../src/diagram/graph.js";

test("a line covers what its path says, to both sides", () => {
  assert.deepEqual(reach("M10 20H60"), { left: 10, right: 60, top: 20, bottom: 20 });
  assert.deepEqual(reach("M10 20C30 20 30 80 50 80H70"), { left: 10, right: 70, top: 20, bottom: 80 });
  assert.deepEqual(reach("M10.5 -4C-2.5 0 3 9 4 1"), { left: -2.5, right: 10.5, top: -4, bottom: 9 });
});

test("boxes know their places, their facts and what they hang on", () => {
  const { graph, box } = graphOf();
  const { left, right, top, bottom } = box("clean");
  assert.deepEqual([left, right, top, bottom], [200, 300, 0, 40]);
  assert.deepEqual(box("clean").up.map(({ name }) => name), ["extract"]); // prettier-ignore
  assert.deepEqual(box("extract").down.map(({ name }) => name), ["clean", "check"]); // prettier-ignore
  assert.equal(box("clean").id, "orders.clean");
  assert.equal(box("check").id, "check", "without facts its name");
  assert.equal(graph.lines.length, 3);
  assert.equal(box("clean").lines.length, 2);
  assert.equal(graph.byElement.get(box("load").element), box("load"));
  assert.deepEqual([graph.width, graph.height], [500, 140]);
});

test("arrows lead along lines, and to the next box of a column", () => {
  const { graph, box } = graphOf();
  /**
   * @param {string} from
   * @param {string} key
   */
  const lead = (from, key) => neighbour(graph, box(from), key)?.name;
  assert.equal(lead("extract", "ArrowRight"), "clean", "the one that is nearest in height");
  assert.equal(lead("load", "ArrowLeft"), "clean");
  assert.equal(lead("clean", "ArrowDown"), "check");
  assert.equal(lead("check", "ArrowUp"), "clean");
  assert.equal(lead("clean", "ArrowUp"), undefined);
  assert.equal(lead("extract", "ArrowLeft"), undefined);
});

test("it begins at the first column, and where most begins", () => {
  const { graph, box } = graphOf();
  assert.equal(firstOf(graph), box("extract"));
  assert.equal(busiestOf(graph), box("extract"));
  box("extract").up.push(box("extract"));
  assert.equal(busiestOf(graph), box("apart"));
});
