import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { $, $$, happen, press, show, tick, type } from "../support/page.js";
import { DIAGRAM } from "../support/diagram.js";

// no animation, and a layout: 600 x 300
globalThis.matchMedia = /** @type {any} */ (() => ({ matches: true }));
mock.timers.enable({ apis: ["setTimeout"] });
/** What is told when a frame has another size. @type {() => void} */
let resized = () => {};
globalThis.ResizeObserver = /** @type {any} */ (
  class {
    /** @param {() => void} act */
    constructor(act) {
      resized = act;
    }

    observe() {}
  }
);
globalThis.requestAnimationFrame = (act) => {
  act(0);
  return 0;
};
const { liven } = await import("../../src/diagram/view.js");

/**
 * @param {number} width
 * @param {number} height
 */
const resize = (width, height) => {
  Object.defineProperty($(".diagram-frame"), "clientWidth", { value: width, configurable: true });
  Object.defineProperty($(".diagram-frame"), "clientHeight", { value: height, configurable: true });
  resized();
};

/** @param {string} html */
const put = (html) => {
  show(html);
  liven($(".diagram-view"));
  resize(600, 300);
};

beforeEach(() => put(DIAGRAM));

const scale = () => $(".scale").textContent;
const drawn = () => $(".canvas").getAttribute("transform");
/** @param {string} name */
const box = (name) => $(`[data-name=${name}]`);
const reachable = () =>
  $$(".box")
    .filter((one) => one.getAttribute("tabindex") === "0")
    .map((one) => one.dataset.name);

test("a diagram that is legible as a whole is shown whole, in the middle", () => {
  assert.equal(scale(), "100%");
  assert.equal(drawn(), "translate(290 320) scale(1)");
  assert.ok($(".diagram-view").classList.contains("live"));
});

test("a large one begins where most begins, with room to read on", () => {
  resize(200, 300);
  assert.equal(scale(), "80%");
  assert.equal(drawn(), "translate(264 334) scale(0.8)");
});

test("a high one begins at the height of that task, not above the drawing", () => {
  put(DIAGRAM.replace('data-height="140"', 'data-height="1400"'));
  assert.equal(drawn(), "translate(264 264) scale(0.8)", "the first task is at the top");
  put(DIAGRAM.replace('data-height="140"', 'data-height="1400"').replaceAll("translate(0 0)", "translate(0 900)"));
  assert.equal(drawn(), "translate(264 -346) scale(0.8)");
});

test("a large one begins at the task that it is about", () => {
  put(DIAGRAM.replace('class="box" href="#load"', 'class="box focus" href="#load"'));
  resize(200, 300);
  assert.equal(drawn(), "translate(-20 374) scale(0.8)");
  assert.deepEqual(reachable(), ["load"]);
});

test("buttons and keys zoom, and say how far", () => {
  $("[data-zoom=out]").click();
  assert.equal(scale(), "71%");
  assert.ok(press($(".diagram-view"), "+").defaultPrevented);
  assert.equal(scale(), "100%");
  press($(".diagram-view"), "-");
  press($(".diagram-view"), "1");
  assert.equal(scale(), "100%");
  press($(".diagram-view"), "+");
  $("[data-zoom=fit]").click();
  assert.equal(scale(), "100%");
});

test("it is neither enlarged nor reduced without end", () => {
  for (let times = 0; times < 10; times += 1) $("[data-zoom=in]").click();
  assert.equal(scale(), "250%");
  for (let times = 0; times < 20; times += 1) $("[data-zoom=out]").click();
  assert.equal(scale(), "25%");
});

test("until somebody moves it, it makes the best of the frame; then it stays where it is", () => {
  resize(400, 300);
  assert.equal(scale(), "70%");
  press($(".diagram-view"), "1");
  resize(800, 300);
  assert.equal(scale(), "100%");
  press($(".diagram-view"), "f");
  resize(400, 300);
  assert.equal(scale(), "70%", "showing all goes on when the frame changes");
});

test("one box can be reached with Tab, arrows lead to the others", () => {
  assert.deepEqual(reachable(), ["extract"]);
  assert.ok(press(box("extract"), "ArrowRight").defaultPrevented);
  assert.equal(document.activeElement, box("clean"));
  assert.deepEqual(reachable(), ["clean"]);
});

test("keys in the search box, and keys with Ctrl, are not the diagram's", () => {
  press($("[data-find]"), "+");
  press($(".diagram-view"), "-", { ctrlKey: true });
  assert.equal(scale(), "100%");
});

test("a task that was looked for is marked, in focus and in the middle", () => {
  type($("[data-find]"), "load");
  press($("[data-find]"), "Enter");
  assert.ok(box("load").classList.contains("found"));
  assert.equal(document.activeElement, box("load"));
  assert.equal(drawn(), "translate(90 370) scale(1)");
  type($("[data-find]"), "clean");
  press($("[data-find]"), "Enter");
  assert.deepEqual($$(".found"), [box("clean")]);
});

test("statuses can be left out", () => {
  assert.ok($("[data-status]").checked);
  tick($("[data-status]"), false);
  assert.ok($("svg").classList.contains("without-paused"));
  tick($("[data-status]"));
  assert.ok(!$("svg").classList.contains("without-paused"));
});

test("the box under the pointer has its lines marked, and its card", () => {
  happen(box("clean"), "pointerover", { pointerType: "mouse" });
  mock.timers.tick(200);
  assert.equal($$(".line.near").length, 2);
  assert.ok(!$(".diagram-card").hidden);
  assert.ok(press($(".diagram-view"), "Escape"));
  assert.ok($(".diagram-card").hidden);
  happen(box("clean"), "pointerout", { relatedTarget: $("svg") });
  assert.equal($$(".line.near").length, 0);
});

test("a finger that goes over a box is not pointing at it", () => {
  happen(box("clean"), "pointerover", { pointerType: "touch" });
  mock.timers.tick(200);
  assert.ok($(".diagram-card").hidden);
});
