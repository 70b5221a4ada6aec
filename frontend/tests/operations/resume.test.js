import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { $, answer, keep, show, texts } from "../support/page.js";
import { resumeFields } from "../../src/operations/resume.js";

resumeFields();
let changes = 0;
document.body.addEventListener("change", () => (changes += 1));

beforeEach(() => {
  show(`<fieldset data-resume><input type="datetime-local" name="resume_at"><input type="hidden" name="zone" value="UTC">
    <span data-zone>UTC</span>${["hour", "tomorrow", "monday", ""].map((one) => `<button type="button" data-in="${one}"></button>`).join("")}</fieldset>`);
  changes = 0;
});

/**
 * @param {string} now
 * @param {string} zone
 */
const at = (now, zone) => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["Date"], now: new Date(now) });
  keep("timezone", JSON.stringify(zone));
  answer("htmx:load", { elt: document.body });
};

/** @param {string} choice */
const choose = (choice) => {
  $(`[data-in="${choice}"]`).click();
  return $("[name=resume_at]").value;
};

test("it is in the person's zone, and not in the past", () => {
  at("2026-01-01T20:30:00Z", "Asia/Tokyo");
  assert.equal($("[name=zone]").value, "Asia/Tokyo");
  assert.deepEqual(texts("[data-zone]"), ["Asia/Tokyo"]);
  assert.equal($("[name=resume_at]").min, "2026-01-02T05:30");
});

test("quick choices are of the day that it is there", () => {
  at("2026-01-01T20:30:00Z", "Asia/Tokyo"); // Friday the 2nd there
  assert.equal(choose("hour"), "2026-01-02T06:30");
  assert.equal(choose("tomorrow"), "2026-01-03T08:00");
  assert.equal(choose("monday"), "2026-01-05T08:00");
  assert.equal(choose(""), "");
  assert.equal(changes, 4, "each asks for the plan anew");
});

test("Monday is the next one, on a Sunday and on a Monday too", () => {
  at("2026-01-04T12:00:00Z", "UTC");
  assert.equal(choose("monday"), "2026-01-05T08:00");
  at("2026-01-05T00:00:00Z", "UTC");
  assert.equal(choose("monday"), "2026-01-12T08:00");
});

test("tomorrow goes over the end of a month, an hour over a change of the clocks", () => {
  at("2026-02-28T23:10:00Z", "UTC");
  assert.equal(choose("tomorrow"), "2026-03-01T08:00");
  at("2026-03-29T00:30:00Z", "Europe/Berlin");
  assert.equal(choose("hour"), "2026-03-29T03:30");
});
