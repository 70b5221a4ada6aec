import assert from "node:assert/strict";
import { test } from "node:test";
import { $, show } from "../support/page.js";
import { readAll } from "../../src/task/curve.js";

/** @param {string} moment */
const time = (moment) => `<time datetime="${moment}">as it is written</time>`;

show(`<section><div data-curve></div><table class="curve-table"><thead><tr><th>Run</th></tr></thead><tbody>
  <tr data-state="success" data-seconds="90.5"><th> scheduled__1 </th><td class="time">${time("2026-01-01T00:00:00Z")}</td>
    <td class="start time">${time("2026-01-01T01:00:00Z")}</td><td class="end time">${time("2026-01-01T01:01:30.5Z")}</td></tr>
  <tr data-state="failed" data-seconds=""><th>manual__2</th><td class="time">–</td>
    <td class="start time">${time("2026-01-02T01:00:00Z")}</td><td class="end time">${time("2026-01-02T02:00:00Z")}</td></tr>
  </tbody></table></section>`);

test("the charts show what the table beside them says", () => {
  const [first, second] = readAll($("[data-curve]"));
  assert.deepEqual(
    { ...first, data: null },
    {
      label: "scheduled__1",
      data: null,
      state: "success",
      seconds: 90.5,
      start: Date.parse("2026-01-01T01:00:00Z"),
      end: Date.parse("2026-01-01T01:01:30.500Z"),
    },
  );
  assert.equal(first.data, $("time"), "which is written anew when the zone changes");
  assert.equal(second.state, "failed");
  assert.equal(second.seconds, null);
  assert.equal(second.data, null, "a run that has none");
});
