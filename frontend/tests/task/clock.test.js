import assert from "node:assert/strict";
import { test } from "node:test";
import { clock, clockOf, span, stepOf } from "../../src/task/clock.js";

const HOUR = 3600;

test("durations are written as the server writes them", () => {
  const written = {
    0: "0 s",
    0.42: "0.4 s",
    9.96: "10 s",
    12.4: "12 s",
    60: "1 min",
    185: "3 min 5 s",
    7800: "2 h 10 min",
  };
  for (const [seconds, words] of Object.entries(written)) assert.equal(span(Number(seconds)), words);
});

test("durations have two units at most, and next to each other", () => {
  assert.equal(span(24 * HOUR + 59 * 60), "1 d");
  assert.equal(span(2 * HOUR + 5), "2 h");
  assert.equal(span(26 * HOUR), "1 d 2 h");
});

test("the time of day is the zone's", () => {
  const moment = Date.parse("2026-01-01T23:30:15Z");
  assert.equal(clockOf(moment, "UTC", false), 23 * HOUR + 30 * 60 + 15);
  assert.equal(clockOf(moment, "Asia/Tokyo", false), 8 * HOUR + 30 * 60 + 15);
  assert.equal(clockOf(moment, "Asia/Kolkata", true), 15, "05:00:15 there");
  assert.equal(clockOf(Date.parse("2026-01-01T00:00:00Z"), "UTC", false), 0, "midnight is 0, not 24");
});

test("the time of day is what clocks show when they change", () => {
  assert.equal(clockOf(Date.parse("2026-03-29T01:30:00Z"), "Europe/Berlin", false), 3.5 * HOUR);
});

test("times of day go on after midnight", () => {
  assert.equal(clock(7 * HOUR + 5 * 60, false), "07:05");
  assert.equal(clock(25.5 * HOUR, false), "01:30 (+1 d)");
  assert.equal(clock(48 * HOUR, false), "00:00 (+2 d)");
});

test("in an hour they are minutes and seconds", () => {
  assert.equal(clock(12 * 60 + 30, true), "12:30");
  assert.equal(clock(65 * 60, true), "65:00");
});

test("axes have steps at which people read clocks, and eight of them at most", () => {
  assert.deepEqual([8, 9, 60, 500, HOUR, 20 * HOUR, 8 * 24 * HOUR].map(stepOf), [
    1,
    2,
    10,
    120,
    600,
    3 * HOUR,
    24 * HOUR,
  ]);
  assert.equal(stepOf(100 * 24 * HOUR), 13 * 24 * HOUR);
});
