import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { $, $$, answer, happen, keep, show } from "../support/page.js";
import { replenishDialog } from "../../src/replenishments/dialog.js";

replenishDialog();
let asked = 0;
document.body.addEventListener("ranges", () => (asked += 1));

/** @param {string} [day] */
const range = (
  day,
) => `<li class="range-row"><input type="datetime-local" name="from" step="1" value="${day ? `${day}T00:00` : ""}">
  <input type="datetime-local" name="to" value="${day ? `${day}T23:59` : ""}"><button type="button" data-remove-range>×</button></li>`;

beforeEach(() => {
  show(`<form class="replenish"><fieldset data-ranges data-most="3"><ul class="ranges">${range("2026-01-01")}</ul>
      <template>${range()}</template><button type="button" id="month" data-from="2026-02-01T00:00" data-to="2026-02-28T23:59">February</button>
      <button type="button" data-add-range>Add a range</button></fieldset><div id="change-plan" aria-busy="false"></div></form>`);
  answer("htmx:load", { elt: document.body });
  asked = 0;
});

const froms = () => $$("[name=from]").map((one) => one.value);
const removable = () => $$("[data-remove-range]").map((one) => !one.hidden);
const addable = () => !$("[data-add-range]").disabled;

test("one range is always there, and no more than are taken", () => {
  assert.deepEqual(removable(), [false]);
  $("[data-add-range]").click();
  assert.deepEqual(removable(), [true, true]);
  assert.ok(addable());
  $("[data-add-range]").click();
  assert.equal(removable().length, 3);
  assert.ok(!addable());
});

test("a new range has the focus, and nothing to ask for yet", () => {
  $("[data-add-range]").click();
  assert.deepEqual(froms(), ["2026-01-01T00:00", ""]);
  assert.equal(document.activeElement, $$("[name=from]")[1]);
  assert.equal(asked, 0);
});

test("a quick choice sets the last range, and asks for the plan", () => {
  $("[data-add-range]").click();
  $("#month").click();
  assert.deepEqual(froms(), ["2026-01-01T00:00", "2026-02-01T00:00"]);
  assert.equal($$("[name=to]")[1].value, "2026-02-28T23:59");
  assert.ok(!$$("[name=from]")[1].hasAttribute("step"), "it is to the minute");
  assert.equal(asked, 1);
});

test("removing a range goes to the next one, or to the one before it, and asks for the plan", () => {
  $("[data-add-range]").click();
  $("#month").click();
  asked = 0;
  $("[data-remove-range]").click();
  assert.deepEqual(froms(), ["2026-02-01T00:00"]);
  assert.equal(document.activeElement, $("[name=from]"));
  assert.deepEqual(removable(), [false]);
  assert.equal(asked, 1);
  $("[data-add-range]").click();
  $$("[data-remove-range]")[1].click();
  assert.equal(document.activeElement, $("[name=from]"));
});

test("what executes is looked at before: no form goes while its plan is asked for", () => {
  assert.ok(!happen($("form"), "submit").defaultPrevented);
  $("#change-plan").setAttribute("aria-busy", "true");
  let isSeen = false;
  $("form").addEventListener("submit", () => (isSeen = true));
  assert.ok(happen($("form"), "submit").defaultPrevented);
  assert.ok(!isSeen);
});

test("the dialog is asked for in the person's zone, unless it has one", () => {
  keep("timezone", '"Asia/Tokyo"');
  /** @param {string} path */
  const zone = (path, parameters = /** @type {Record<string, string>} */ ({})) => {
    answer("htmx:configRequest", { path, parameters });
    return parameters.zone;
  };
  assert.equal(zone("/pluginsv2/taskops/replenish/tasks"), "Asia/Tokyo");
  assert.equal(zone("/pluginsv2/taskops/replenish/tasks", { zone: "UTC" }), "UTC");
  assert.equal(zone("/pluginsv2/taskops/changes/pause"), undefined);
});
