import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { $, $$, show, texts } from "../support/page.js";
import { columnMenu } from "../../src/lists/columns.js";

/**
 * @param {string} name
 * @param {string} [hidden]
 */
const line = (name, hidden = "") => `<li id="${name}" ${hidden}>
  <label class="option"><input type="checkbox"><span>${name} <span class="aside">in wide windows</span></span></label>
  <button data-move="up">↑</button><button data-move="down">↓</button></li>`;

beforeEach(() => {
  show(`<form id="columns"><ul>${line("Owners")}${line("Gone", "hidden")}${line("Status")}${line("Type")}</ul>
    </form><p id="status"></p>`);
  columnMenu();
});

const order = () => $$("li").map((one) => one.id);

test("a column moves by one that is shown, keeps the focus and says where it is", () => {
  $("#Type [data-move=up]").click();
  assert.deepEqual(order(), ["Owners", "Gone", "Type", "Status"]);
  assert.equal(document.activeElement, $("#Type [data-move=up]"));
  assert.deepEqual(texts("#status"), ["Type: 2 of 3"]);
  $("#Type [data-move=up]").click();
  assert.deepEqual(order(), ["Type", "Owners", "Gone", "Status"]);
  $("#Type [data-move=down]").click();
  assert.deepEqual(texts("#status"), ["Type: 2 of 3"]);
});

test("the first stays the first, the last the last", () => {
  $("#Owners [data-move=up]").click();
  $("#Type [data-move=down]").click();
  assert.deepEqual(order(), ["Owners", "Gone", "Status", "Type"]);
  assert.deepEqual(texts("#status"), ["Type: 3 of 3"]);
});

test("other clicks in the menu move nothing", () => {
  $("#Status label span").click();
  assert.deepEqual(order(), ["Owners", "Gone", "Status", "Type"]);
});
