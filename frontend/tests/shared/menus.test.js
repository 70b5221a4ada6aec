// The keys of menus. Where they open, and that they close, is looked at in a browser: there are no popovers here.
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { $, happen, press, show } from "../support/page.js";
import { menus } from "../../src/shared/menus.js";

menus();
let hidden = 0;

beforeEach(() => {
  hidden = 0;
  show(`<button id="opener" popovertarget="row-1" aria-haspopup="menu">More</button>
    <div id="row-1" class="panel" popover role="menu">
      <button role="menuitem" id="start">Start</button><button role="menuitem" id="pause">Pause</button>
      <button role="menuitem" id="off" aria-disabled="true">Take offline</button><a role="menuitem" id="page" href="#">Page</a>
    </div><input id="field">`);
  $("#row-1").hidePopover = () => (hidden += 1);
  $("#start").focus();
});

const at = () => document.activeElement?.id;

test("arrows, Home and End walk through the items, round the ends", () => {
  const seen = ["ArrowDown", "ArrowDown", "End", "ArrowDown", "ArrowUp", "Home"].map((key) => {
    assert.ok(press(/** @type {Element} */ (document.activeElement), key).defaultPrevented);
    return at();
  });
  assert.deepEqual(seen, ["pause", "off", "page", "start", "page", "start"]);
});

test("a letter goes to the next item that begins with it", () => {
  const seen = ["p", "P", "p", "t", "x"].map((key) => {
    press(/** @type {Element} */ (document.activeElement), key);
    return at();
  });
  assert.deepEqual(seen, ["pause", "page", "pause", "off", "off"]);
});

test("letters with Ctrl are the browser's", () => {
  press($("#start"), "p", { ctrlKey: true });
  assert.equal(at(), "start");
});

test("Tab leaves the menu", () => {
  assert.ok(!press($("#start"), "Tab").defaultPrevented);
  assert.equal(hidden, 1);
});

test("an item closes the menu and gives the focus back before it acts; one that is off does nothing", () => {
  let focused = "";
  $("#pause").addEventListener("click", () => (focused = at() ?? ""));
  $("#pause").click();
  assert.equal(hidden, 1);
  assert.equal(focused, "opener");
  $("#start").focus();
  $("#off").ariaDisabled = "true"; // which browsers reflect
  $("#off").click();
  assert.equal(hidden, 1);
  assert.equal(at(), "start");
});

test("the down arrow opens the menu of its button, and of no other thing", () => {
  let clicks = 0;
  $("#opener").addEventListener("click", () => (clicks += 1));
  assert.ok(press($("#opener"), "ArrowDown").defaultPrevented);
  assert.equal(clicks, 1);
  assert.ok(!press($("#opener"), "ArrowUp").defaultPrevented);
  assert.ok(!press($("#field"), "ArrowDown").defaultPrevented);
  assert.equal(clicks, 1);
});

test("an open menu stands below its opener, inside the window; a closed one has no place", () => {
  const box = (/** @type {object} */ sides) => () => ({
    width: 0,
    height: 0,
    left: 0,
    right: 0,
    top: 0,
    bottom: 0,
    ...sides,
  });
  const opened = (/** @type {object} */ opener) => {
    $("#opener").getBoundingClientRect = box(opener);
    $("#row-1").getBoundingClientRect = box({ width: 200, height: 300 });
    happen($("#row-1"), "toggle", { newState: "open" });
    return [$("#row-1").style.left, $("#row-1").style.top];
  };
  assert.deepEqual(opened({ right: 1200, top: 100, bottom: 130 }), ["1000px", "134px"]);
  assert.deepEqual(opened({ right: 100, top: 100, bottom: 130 }), ["4px", "134px"], "not beyond the left edge");
  assert.deepEqual(opened({ right: 1400, top: 100, bottom: 130 }), ["1076px", "134px"], "nor the right one");
  assert.deepEqual(opened({ right: 1200, top: 700, bottom: 730 }), ["1000px", "396px"], "above, where is more room");
  assert.equal(at(), "start", "the first that can be pressed has the focus");
  assert.ok($("#row-1").classList.contains("placed"));
  happen($("#row-1"), "toggle", { newState: "closed" });
  assert.ok(!$("#row-1").classList.contains("placed"));
});
