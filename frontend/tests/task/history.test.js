import assert from "node:assert/strict";
import { test } from "node:test";
import { $, keep, sent, show } from "../support/page.js";
import { zonedFilter } from "../../src/task/history.js";

keep("timezone", '"Asia/Tokyo"');
show(`<form data-zoned><input type="hidden" name="zone" value="UTC"><input type="hidden" name="task_id" value="a">
  <input type="datetime-local" name="from" value="2026-01-01T20:00" data-moment="2026-01-01T20:00:30Z">
  <input type="datetime-local" name="to"></form>`);
zonedFilter();

test("times that were asked for are shown in the person's zone", () => {
  assert.equal($("[name=from]").value, "2026-01-02T05:00");
  assert.equal($("[name=zone]").value, "Asia/Tokyo");
});

test("they follow when another zone is chosen", () => {
  keep("timezone", '"Europe/Berlin"');
  assert.equal($("[name=from]").value, "2026-01-01T21:00");
  assert.equal($("[name=zone]").value, "Europe/Berlin");
});

test("fields without a time have no place in the address, nor has a zone without times", () => {
  assert.deepEqual(
    sent($("form")).map(([name]) => name),
    ["zone", "task_id", "from"],
  );
  $("[name=from]").value = "";
  assert.deepEqual(sent($("form")), [["task_id", "a"]]);
});
