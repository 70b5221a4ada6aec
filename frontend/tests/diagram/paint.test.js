import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { $ } from "../support/page.js";
import { graphOf } from "../support/diagram.js";
import { Painter } from "../../src/diagram/paint.js";

const FRAME = { width: 800, height: 400 };
/** @type {ReturnType<typeof graphOf>} */
let made;
/** @type {Painter} */
let painter;

beforeEach(() => {
  made = graphOf();
  painter = new Painter($("svg"), made.graph);
});

/** @param {number} k */
const paint = (k, x = 0, y = 0, isMoving = false) => painter.paint({ k, x, y }, FRAME, isMoving, null);
const drawing = () => $(".canvas").getAttribute("transform");
/** @param {number} number of lines, enough to take long */
const many = (number) => {
  made.graph.lines.push(...Array.from({ length: number }, () => ({ ...made.graph.lines[0] })));
  painter = new Painter($("svg"), made.graph);
};

test("the drawing reaches beyond the frame on every side", () => {
  paint(0.5, 10, 20);
  assert.equal(drawing(), "translate(250 260) scale(0.5)");
});

test("what cannot be read from afar is left out", () => {
  const classes = () => ["far", "farthest"].filter((name) => $("svg").classList.contains(name));
  paint(0.42);
  assert.deepEqual(classes(), []);
  paint(0.41);
  assert.deepEqual(classes(), ["far"]);
  paint(0.15);
  assert.deepEqual(classes(), ["far", "farthest"]);
  paint(1);
  assert.deepEqual(classes(), []);
});

test("a small drawing is drawn for every frame of a movement", () => {
  paint(1);
  paint(1, 30, 0, true);
  assert.equal(drawing(), "translate(270 240) scale(1)");
  assert.equal($("svg").style.transform, "");
});

test("of a large one the picture is moved, and drawn at the end", () => {
  many(400);
  paint(1);
  paint(1.5, -100, -50, true);
  assert.equal(drawing(), "translate(240 240) scale(1)", "not drawn");
  assert.equal($("svg").style.transform, "translate(-100px, -50px) scale(1.5)");
  paint(1.5, -100, -50, false);
  assert.equal(drawing(), "translate(140 190) scale(1.5)");
  assert.equal($("svg").style.transform, "");
});

test("the picture is drawn anew where it would be blurred, or not fill the frame", () => {
  many(400);
  paint(1);
  paint(1.7, -100, -50, true);
  assert.equal(drawing(), "translate(140 190) scale(1.7)");
  paint(1.7, 400, -50, true);
  assert.equal(drawing(), "translate(640 190) scale(1.7)");
});

test("of very many boxes those outside are taken out of the drawing, but for the one in focus", () => {
  const { graph, box } = made;
  paint(4, -4000, 0);
  assert.ok(!box("extract").element.classList.contains("away"), "there are few");
  graph.boxes.push(...Array.from({ length: 250 }, () => ({ ...graph.boxes[4], element: $("svg").cloneNode() })));
  painter = new Painter($("svg"), graph);
  painter.paint({ k: 4, x: -1600, y: 0 }, FRAME, false, box("extract"));
  assert.deepEqual(
    ["extract", "clean", "load", "apart"].map((name) => box(name).element.classList.contains("away")),
    [false, true, false, true],
  );
  paint(1);
  assert.ok(!box("clean").element.classList.contains("away"));
});
