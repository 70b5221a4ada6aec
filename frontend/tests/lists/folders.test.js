import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { $, press, show } from "../support/page.js";
import { folderKeys, markIncluded } from "../../src/lists/folders.js";

/** @param {string} path */
const box = (path) => `<label class="option"><input type="checkbox" name="folder" value="${path}"></label>`;
/** @param {string} path */
const of = (path) => $(`[value="${path}"]`);

beforeEach(() => {
  show(`<div id="menu"><input type="search"><ul class="tree">
    <li id="retail">${box("retail")}<details><summary></summary><ul>
      <li id="reports">${box("retail/reports")}<details><summary></summary><ul><li>${box("retail/reports/daily")}</li></ul></details></li>
    </ul></details></li>
    <li>${box("retail2")}</li></ul><input type="hidden" name="folder" value="retail/kept"></div>`);
  $("#menu").addEventListener("keydown", folderKeys);
});

const state = (/** @type {string} */ path) => {
  const { checked, disabled, indeterminate } = of(path);
  return { checked, disabled, indeterminate };
};

test("a ticked folder has those below it included, at any depth, and no others", () => {
  of("retail").checked = true;
  of("retail/reports").checked = true;
  markIncluded($("#menu"));
  const included = { checked: false, disabled: true, indeterminate: true };
  assert.deepEqual(state("retail"), { checked: true, disabled: false, indeterminate: false });
  assert.deepEqual(state("retail/reports"), included);
  assert.deepEqual(state("retail/reports/daily"), included);
  assert.deepEqual(state("retail2"), { checked: false, disabled: false, indeterminate: false });
});

test("when the tick goes they can be ticked again", () => {
  of("retail").checked = true;
  markIncluded($("#menu"));
  of("retail").checked = false;
  markIncluded($("#menu"));
  assert.deepEqual(state("retail/reports"), { checked: false, disabled: false, indeterminate: false });
});

test("menus without folders are left alone", () => {
  show('<div id="menu"><input type="checkbox" name="folder" value="a/b" disabled></div>');
  markIncluded($("#menu"));
  assert.ok($("input").disabled);
});

test("right opens a folder, left closes it and then goes to the one that it is in", () => {
  const below = () => $("#retail > details").open;
  assert.ok(press(of("retail"), "ArrowRight").defaultPrevented);
  assert.ok(below());
  assert.ok(!press(of("retail"), "ArrowRight").defaultPrevented, "nothing left to open");
  press(of("retail/reports"), "ArrowRight");
  press(of("retail/reports"), "ArrowLeft");
  assert.ok(!$("#reports > details").open);
  press(of("retail/reports"), "ArrowLeft");
  assert.equal(document.activeElement, of("retail"));
  press(of("retail"), "ArrowLeft");
  assert.ok(!below());
});

test("a folder with nothing below it does not open", () => {
  assert.ok(!press(of("retail2"), "ArrowRight").defaultPrevented);
});

test("other keys, and keys elsewhere, are not the tree's", () => {
  assert.ok(!press(of("retail"), "a").defaultPrevented);
  assert.ok(!press($("[type=search]"), "ArrowRight").defaultPrevented);
});
