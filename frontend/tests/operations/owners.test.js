import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { $, $$, answer, happen, press, show, type } from "../support/page.js";
import { ownersPicker } from "../../src/operations/owners.js";

ownersPicker();
let changes = 0;
document.body.addEventListener("change", () => (changes += 1));

/** @param {string} owner */
const chip = (owner) =>
  `<li><span class="value">${owner}</span><input type="hidden" name="owner" value="${owner}"><button type="button" data-remove aria-label="Remove ${owner}">×</button></li>`;

beforeEach(() => {
  show(`<fieldset data-owners><ul class="picked">${chip("ann")}</ul><input type="text" name="q">
    <template>${chip("")}</template></fieldset><input name="q" id="elsewhere">`);
  happen(document, "pointerup");
  changes = 0;
});

const field = () => $("[data-owners] [name=q]");
const owners = () => $$("[name=owner]").map((one) => one.value);

test("Enter and the comma take what was typed, and ask for the plan anew", () => {
  for (const [key, name] of [
    ["Enter", " bob "],
    [",", "carol"],
  ]) {
    // prettier-ignore
    field().value = name;
    assert.ok(press(field(), key).defaultPrevented);
  }
  assert.deepEqual(owners(), ["ann", "bob", "carol"]);
  assert.equal(field().value, "");
  assert.equal(changes, 2);
  assert.equal($("li:last-child button").getAttribute("aria-label"), "Remove carol");
  assert.equal($("li:last-child .value").textContent, "carol");
});

test("several names may be typed at once; those that are there are not taken again", () => {
  field().value = "bob, ann,, bob,dora";
  press(field(), "Enter");
  assert.deepEqual(owners(), ["ann", "bob", "dora"]);
  field().value = "bob";
  press(field(), "Enter");
  assert.deepEqual(owners(), ["ann", "bob", "dora"]);
  assert.equal(changes, 1, "nothing has changed");
});

test("Enter in the empty field is the form's", () => {
  assert.ok(!press(field(), "Enter").defaultPrevented);
});

test("Backspace in the empty field takes the last one away", () => {
  field().value = "b";
  press(field(), "Backspace");
  assert.deepEqual(owners(), ["ann"]);
  field().value = "";
  press(field(), "Backspace");
  assert.deepEqual(owners(), []);
  assert.equal(changes, 1);
});

test("a choice of the list is taken at once, typing is not", () => {
  type(field(), "bo");
  assert.deepEqual(owners(), ["ann"]);
  type(field(), "bob", "insertReplacementText");
  assert.deepEqual(owners(), ["ann", "bob"]);
  type(field(), "carol", "");
  assert.deepEqual(owners(), ["ann", "bob", "carol"]);
});

test("leaving the field takes what was typed", () => {
  field().value = "bob";
  happen(field(), "focusout");
  assert.deepEqual(owners(), ["ann", "bob"]);
});

test("while a button is down nothing moves: it would be missed", () => {
  field().value = "bob";
  happen(document, "pointerdown", { isPrimary: true, button: 0 });
  happen(field(), "focusout");
  assert.deepEqual(owners(), ["ann"]);
  happen(document, "pointerup");
  assert.deepEqual(owners(), ["ann", "bob"]);
  happen(document, "pointerup");
  assert.equal(changes, 1);
});

test("a chip can be removed", () => {
  $("[data-remove]").click();
  assert.deepEqual(owners(), []);
  assert.equal(document.activeElement, field());
  assert.equal(changes, 1);
});

test("the form does not go without an owner", () => {
  const problem = () => field().validationMessage;
  answer("htmx:load", { elt: document.body });
  assert.equal(problem(), "");
  $("[data-remove]").click();
  assert.equal(problem(), "Name at least one owner.");
  type(field(), "b");
  assert.equal(problem(), "");
});

test("a field of the same name elsewhere is none of its", () => {
  $("#elsewhere").value = "bob";
  assert.ok(!press($("#elsewhere"), "Enter").defaultPrevented);
  assert.deepEqual(owners(), ["ann"]);
});
