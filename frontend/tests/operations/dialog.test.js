import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { $, answer, press, show, texts } from "../support/page.js";
import { changeDialogs } from "../../src/operations/dialog.js";

changeDialogs();

/** @param {number} applies */
const plan = (applies) => `<input type="hidden" data-applies="${applies}" data-progress="Pausing 3 tasks">`;

beforeEach(() =>
  show(`<form id="change"><div class="options"><input id="option"><textarea></textarea></div>
    <div id="change-plan" aria-busy="false">${plan(3)}</div><p id="change-progress"></p>
    <button type="button" id="change-apply">Pause</button></form><form id="other"><textarea></textarea></form>`),
);

/**
 * @param {string} name
 * @param {string} from
 * @param {string} target
 */
const htmx = (name, from, target, status = 200) =>
  answer(`htmx:${name}`, { target: $(target), xhr: { status } }, $(from));

test("while a plan is asked for anew it is shown to be old", () => {
  htmx("beforeRequest", "#option", "#change-plan");
  assert.equal($("#change-plan").getAttribute("aria-busy"), "true");
  assert.deepEqual(texts("#change-progress"), [""]);
  assert.ok(!$(".options").inert, "the next choice may come");
  $("#change-plan").innerHTML = plan(0);
  htmx("afterRequest", "#option", "#change-plan");
  assert.equal($("#change-plan").getAttribute("aria-busy"), "false");
});

test("only what applies to something can be applied", () => {
  for (const [applies, isOff] of /** @type {const} */ ([
    [0, true],
    [2, false],
  ])) {
    // prettier-ignore
    $("#change-plan").innerHTML = plan(applies);
    htmx("afterRequest", "#option", "#change-plan");
    assert.equal($("#change-apply").disabled, isOff, String(applies));
  }
  $("#change-plan").innerHTML = "<p>No plan</p>";
  htmx("afterRequest", "#option", "#change-plan");
  assert.ok($("#change-apply").disabled);
});

test("while it is applied it says what it does, and nothing can be chosen", () => {
  htmx("beforeRequest", "#change", "#change-plan");
  assert.deepEqual(texts("#change-progress"), ["Pausing 3 tasks…"]);
  assert.ok($(".options").inert);
  htmx("afterRequest", "#change", "#change-plan");
  assert.deepEqual(texts("#change-progress"), [""]);
  assert.ok(!$(".options").inert);
});

test("no answer is no success", () => {
  htmx("beforeRequest", "#change", "#change-plan");
  htmx("afterRequest", "#change", "#change-plan", 0);
  assert.deepEqual(texts("#change-progress"), ["Airflow did not answer; look whether it was done."]);
});

test("requests of other parts of the form are not the plan's", () => {
  htmx("beforeRequest", "#option", "#change-progress");
  assert.equal($("#change-progress").getAttribute("aria-busy"), null);
});

test("Ctrl and Enter in the reason apply, Enter alone is a new line", () => {
  let clicks = 0;
  $("#change-apply").addEventListener("click", () => (clicks += 1));
  press($("#change textarea"), "Enter");
  press($("#option"), "Enter", { ctrlKey: true });
  press($("#other textarea"), "Enter", { ctrlKey: true });
  assert.equal(clicks, 0);
  press($("#change textarea"), "Enter", { ctrlKey: true });
  press($("#change textarea"), "Enter", { metaKey: true });
  assert.equal(clicks, 2);
  $("#change-apply").disabled = true;
  press($("#change textarea"), "Enter", { ctrlKey: true });
  assert.equal(clicks, 2);
});
