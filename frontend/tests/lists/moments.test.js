import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { $, $$, keep, sent, show } from "../support/page.js";
import { momentFields } from "../../src/lists/moments.js";

keep("timezone", '"Asia/Tokyo"');

/** @param {string} [more] */
const page = (more = "") => {
  show(
    `<form class="filters"><input type="datetime-local" name="from"><input type="datetime-local" name="to">${more}</form>`,
  );
  momentFields();
};

/**
 * @param {string} name
 * @param {string} value
 */
const fill = (name, value) => {
  $(`[name=${name}]`).value = value;
  $(`[name=${name}]`).dispatchEvent(new Event("change", { bubbles: true }));
};

beforeEach(() => page());

test("a time that is filled in comes with the zone that it is in", () => {
  fill("from", "2026-01-01T08:00");
  fill("to", "2026-01-02T08:00");
  assert.equal($$("[name=zone]").length, 1);
  assert.deepEqual(sent($("form")), [
    ["from", "2026-01-01T08:00"],
    ["to", "2026-01-02T08:00"],
    ["zone", "Asia/Tokyo"],
  ]);
});

test("times that the address brought stay in the zone that it named, until one is changed", () => {
  page('<input type="hidden" name="zone" value="Europe/Berlin">');
  $("[name=from]").value = "2026-01-01T08:00";
  assert.deepEqual(sent($("form")).at(-1), ["zone", "Europe/Berlin"]);
  fill("to", "2026-01-02T08:00");
  assert.deepEqual(sent($("form")).at(-1), ["zone", "Asia/Tokyo"]);
});

test("without a time there is no zone to name", () => {
  fill("from", "2026-01-01T08:00");
  fill("from", "");
  assert.ok(!sent($("form")).some(([name]) => name === "zone"));
});
