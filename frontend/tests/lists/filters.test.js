import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { $, $$, answer, happen, press, sent, show, texts, tick, type } from "../support/page.js";
import { filterForm } from "../../src/lists/filters.js";

/**
 * @param {string} name
 * @param {string} value
 */
const option = (name, value) =>
  `<label class="option"><input type="checkbox" name="${name}" value="${value}"><span class="label">${value}</span></label>`;

const PAGE = `<form class="filters"><input type="text" name="q">
  <details class="menu status"><summary>Status</summary><fieldset><input type="search">
    <div class="options"><div class="chosen"></div><div class="given">${["Paused", "Offline", "Off duty"].map((one) => option("status", one)).join("")}</div>
    <p class="nothing" hidden>Nothing</p></div><button type="button" data-clear>Clear</button></fieldset></details>
  <details class="menu owner"><summary>Owners</summary><fieldset><input type="search" data-typed="owner">
    <div class="options"><div class="chosen"></div><div class="given">${option("owner", "ann")}</div><div class="found" hidden></div></div>
  </fieldset></details></form><p id="outside"></p>`;

// its listeners on the window are as many as there are pages: one
show(PAGE);
const form = $("form");
let submits = 0;
form.requestSubmit = () => (submits += 1);
filterForm();

const status = $(".status");
const owner = $(".owner");

beforeEach(() => {
  submits = 0;
  for (const menu of [status, owner]) menu.open = false;
  for (const box of $$("input[type=checkbox]")) box.checked = false;
  for (const field of $$("input[type=search], input[type=text]")) type(field, "");
  for (const place of $$(".chosen, .found")) place.replaceChildren();
});

const ticked = (/** @type {Element} */ menu) =>
  [...menu.querySelectorAll("input:checked")].map((box) => /** @type {HTMLInputElement} */ (box).value);

test("an opened menu has the focus in its search, and stays inside the window", () => {
  status.querySelector("fieldset").getBoundingClientRect = () => ({ left: 1000, right: 1300, top: 100 });
  Object.defineProperty(document.documentElement, "clientWidth", { value: 1280, configurable: true });
  status.open = true;
  assert.equal(document.activeElement, status.querySelector("[type=search]"));
  const { left, maxHeight } = status.querySelector("fieldset").style;
  assert.deepEqual([left, maxHeight], ["-28px", "692px"]);
});

test("Escape shuts it and goes back to its button; a click outside, or on Airflow's page, shuts it too", () => {
  status.open = true;
  press(status.querySelector("[type=search]"), "Escape");
  assert.ok(!status.open);
  assert.equal(document.activeElement, status.querySelector("summary"));
  status.open = true;
  happen(status.querySelector("fieldset"), "pointerdown");
  assert.ok(status.open);
  happen($("#outside"), "pointerdown");
  assert.ok(!status.open);
  status.open = true;
  dispatchEvent(new Event("blur"));
  assert.ok(!status.open);
});

test("searching leaves the choices that have the words, in any case", () => {
  const field = status.querySelector("[type=search]");
  const shown = () =>
    $$(".status .given label")
      .filter((one) => !one.hidden)
      .map((one) => one.textContent);
  type(field, " OFF ");
  assert.deepEqual(shown(), ["Offline", "Off duty"]);
  assert.ok($(".nothing").hidden);
  type(field, "nobody");
  assert.deepEqual(shown(), []);
  assert.ok(!$(".nothing").hidden);
  type(field, "");
  assert.equal(shown().length, 3);
});

test("where the server searches, what it found takes the place of what was there", () => {
  const field = owner.querySelector("[type=search]");
  type(field, "b");
  assert.ok($(".owner .given").hidden);
  assert.ok(!$(".owner .found").hidden);
  type(field, "");
  assert.ok(!$(".owner .given").hidden);
  assert.ok($(".owner .found").hidden);
});

test("a choice that was found is kept, and says the same wherever it stands", () => {
  const found = $(".owner .found");
  found.innerHTML = option("owner", "bob") + option("owner", "ann");
  tick(found.querySelector('[value="bob"]'));
  assert.deepEqual(texts(".owner .chosen .label"), ["bob"]);
  tick(found.querySelector('[value="ann"]'));
  assert.ok($('.owner .given [value="ann"]').checked);
  assert.deepEqual(texts(".owner .chosen .label"), ["bob"], "it is there already");
  tick($('.owner .chosen [value="bob"]'), false);
  assert.ok(!found.querySelector('[value="bob"]').checked);
});

test("what is found later is ticked if it was chosen before", () => {
  tick($('.owner .given [value="ann"]'));
  $(".owner .found").innerHTML = option("owner", "ann") + option("owner", "bob");
  answer("htmx:afterSwap", {}, $(".owner .found"));
  assert.deepEqual(
    $$(".owner .found input").map((box) => box.checked),
    [true, false],
  );
});

test("up and down go from choice to choice", () => {
  const field = status.querySelector("[type=search]");
  field.focus();
  assert.ok(press(field, "ArrowDown").defaultPrevented);
  assert.equal(document.activeElement, $('[value="Paused"]'));
  press($('[value="Paused"]'), "ArrowUp");
  assert.equal(document.activeElement, field);
  assert.ok(!press(field, "ArrowUp").defaultPrevented, "there is nothing above");
});

test("Enter takes the choice that is meant, and empties the search", () => {
  const field = status.querySelector("[type=search]");
  type(field, "paused");
  assert.ok(press(field, "Enter").defaultPrevented);
  assert.deepEqual(ticked(status), ["Paused"]);
  assert.equal(field.value, "");
  type(field, "off");
  press(field, "Enter");
  assert.deepEqual(ticked(status), ["Paused"], "neither of two");
  assert.equal(field.value, "off");
  assert.equal(submits, 0);
});

test("Enter in an empty search sends the form", () => {
  press(status.querySelector("[type=search]"), "Enter");
  assert.equal(submits, 1);
});

test("a name that nobody found can be typed where names are free", () => {
  const field = owner.querySelector("[type=search]");
  type(field, " carol ");
  press(field, "Enter");
  assert.deepEqual(texts(".owner .chosen .option"), ["carol"]);
  assert.deepEqual(sent(form), [["owner", "carol"]]);
});

test("a name that is typed is ticked where it stands, whether the server has found it yet or not", () => {
  const field = owner.querySelector("[type=search]");
  type(field, "Ann");
  press(field, "Enter");
  assert.deepEqual(sent(form), [["owner", "ann"]]);
  assert.deepEqual(texts(".owner .chosen .option"), []);
  type(field, "carol");
  press(field, "Enter");
  type(field, "carol");
  press(field, "Enter");
  assert.deepEqual(texts(".owner .chosen .option"), ["carol"]);
});

test("Clear takes every tick", () => {
  tick($('[value="Paused"]'));
  tick($('[value="Offline"]'));
  status.querySelector("[data-clear]").click();
  assert.deepEqual(ticked(status), []);
});

test("the address has no field without a value, and none twice", () => {
  tick($('.owner .given [value="ann"]'));
  $(".owner .found").innerHTML = option("owner", "ann");
  answer("htmx:afterSwap", {}, $(".owner .found"));
  tick($('[value="Paused"]'));
  tick($('[value="Offline"]'));
  assert.deepEqual(sent(form), [
    ["status", "Paused"],
    ["status", "Offline"],
    ["owner", "ann"],
  ]);
});
