import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { $, answer, keep, show, texts } from "../support/page.js";
import { localTimes, onZoneChange, wallClock, wallClockMinute, zoneName } from "../../src/shared/times.js";

const NEW_YEAR = new Date("2026-01-01T00:30:00Z");

beforeEach(() => keep("timezone", '"Asia/Tokyo"'));

test("the zone is the one that was chosen in Airflow", () => {
  assert.equal(zoneName(), "Asia/Tokyo");
});

test("the zone is the browser's own where none was chosen", () => {
  for (const kept of [null, "null", '""', "{no JSON"]) {
    keep("timezone", kept);
    assert.equal(zoneName(), Intl.DateTimeFormat().resolvedOptions().timeZone, String(kept));
  }
});

test("the zone is UTC where the browser does not know the one that was chosen", () => {
  keep("timezone", '"Middle-earth/Shire"');
  assert.equal(zoneName(), "UTC");
});

test("wall clocks are of the zone that is asked for", () => {
  assert.equal(wallClock(NEW_YEAR, "Asia/Tokyo"), "2026-01-01T09:30:00");
  assert.equal(wallClock(NEW_YEAR, "America/New_York"), "2025-12-31T19:30:00");
  assert.equal(wallClockMinute(NEW_YEAR, "America/New_York"), "2025-12-31T19:30");
});

test("wall clocks know summer time", () => {
  assert.equal(wallClockMinute(new Date("2026-03-29T00:59:00Z"), "Europe/Berlin"), "2026-03-29T01:59");
  assert.equal(wallClockMinute(new Date("2026-03-29T01:00:00Z"), "Europe/Berlin"), "2026-03-29T03:00");
});

test("times of the page are written in the zone, those too that come later or when another is chosen", () => {
  show(`<time datetime="2026-01-01T00:30:00Z">2026-01-01 00:30:00</time><b data-zone>UTC</b>
    <input data-in-zone><input data-in-zone value="UTC">`);
  localTimes();
  assert.deepEqual(texts("time"), ["2026-01-01 09:30:00"]);
  assert.deepEqual(texts("[data-zone]"), ["Asia/Tokyo"]);
  assert.equal($("input").value, "Asia/Tokyo");
  assert.equal($("input:last-child").value, "UTC", "what is filled in stays");

  $("b").insertAdjacentHTML("afterend", '<time datetime="2026-07-01T00:00:00Z">UTC</time>');
  answer("htmx:load");
  assert.deepEqual(texts("time"), ["2026-01-01 09:30:00", "2026-07-01 09:00:00"]);

  keep("timezone", '"UTC"');
  assert.deepEqual(texts("time"), ["2026-01-01 00:30:00", "2026-07-01 00:00:00"]);
});

test("other things that Airflow keeps are no change of the zone", () => {
  let changes = 0;
  onZoneChange(() => (changes += 1));
  keep("theme", "dark");
  assert.equal(changes, 0);
  keep("timezone", '"UTC"');
  assert.equal(changes, 1);
});
