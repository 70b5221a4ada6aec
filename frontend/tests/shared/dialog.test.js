import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { $, answer, happen, texts } from "../support/page.js";
import { dialogs } from "../../src/shared/dialog.js";

mock.timers.enable({ apis: ["setTimeout"] });
let reloads = 0;
location.reload = () => void (reloads += 1);

/** A request of htmx's; `status` is 0 where no answer came. */
const request = (status = 200) => ({ status, aborted: false, abort() { this.aborted = true; } }); // prettier-ignore

const ask = (xhr = request()) => {
  answer("htmx:beforeRequest", { target: $("#dialog-body"), xhr });
  return xhr;
};

/** @param {ReturnType<typeof request>} xhr */
const arrive = (xhr, html = '<button data-close id="close"><i>Close</i></button>') => {
  answer("htmx:afterRequest", { target: $("#dialog-body"), xhr, failed: !xhr.status });
  if (!xhr.status) return;
  $("#dialog-body").innerHTML = html;
  answer("htmx:afterSwap", { target: $("#dialog-body") });
};

beforeEach(() => {
  reloads = 0;
  const fresh = document.createElement("body"); // with none of the listeners of the test before
  fresh.innerHTML = `<button id="opener">Pause</button><div id="part"></div>
    <dialog id="dialog"><div id="dialog-body"></div></dialog>`;
  document.body.replaceWith(fresh);
  dialogs();
  $("#opener").focus();
});

test("an answer opens it, and closing it goes back to what opened it", () => {
  arrive(ask());
  assert.ok($("#dialog").open);
  mock.timers.tick(1000);
  assert.deepEqual(texts("#dialog-body"), ["Close"], "it says nothing of waiting any more");
  $("#close").focus();
  $("#close i").click();
  assert.ok(!$("#dialog").open);
  assert.equal($("#dialog-body").childElementCount, 0);
  assert.equal(document.activeElement, $("#opener"));
  assert.equal(reloads, 0);
});

test("what takes long says that it works", () => {
  ask();
  mock.timers.tick(299);
  assert.ok(!$("#dialog").open);
  mock.timers.tick(1);
  assert.ok($("#dialog").open);
  assert.deepEqual(texts("#dialog-body [role=status]"), ["Working out what this would do…"]);
});

test("where no answer comes it closes again", () => {
  const xhr = ask(request(0));
  mock.timers.tick(300);
  arrive(xhr);
  assert.ok(!$("#dialog").open);
});

test("closing it while it waits ends the request", () => {
  const xhr = ask();
  mock.timers.tick(300);
  $("#dialog").close();
  assert.ok(xhr.aborted);
});

test("a press between closing it and hearing of that is not lost", () => {
  arrive(ask());
  const dialog = $("#dialog");
  dialog.open = false; // as Escape does: the focus is back, the event comes later
  const next = ask();
  happen(dialog, "close");
  assert.ok(!next.aborted);
  arrive(next, "<p>Next</p>");
  assert.deepEqual(texts("#dialog-body"), ["Next"]);

  dialog.open = false;
  arrive(ask(), "<p>Quick</p>"); // the answer is there before the event is
  happen(dialog, "close");
  assert.deepEqual(texts("#dialog-body"), ["Quick"]);
  assert.ok(dialog.open);
});

test("a press after one that was given up for its slowness is not given up with it", () => {
  const slow = ask();
  mock.timers.tick(300);
  $("#dialog").open = false;
  const next = ask();
  happen($("#dialog"), "close");
  assert.deepEqual([slow.aborted, next.aborted], [true, false]);
  arrive(next);
  assert.ok($("#dialog").open);
});

test("requests of other parts of the page are none of its", () => {
  answer("htmx:beforeRequest", { target: $("#part"), xhr: request() });
  mock.timers.tick(300);
  answer("htmx:afterSwap", { target: $("#part") });
  assert.ok(!$("#dialog").open);
});

test("a next answer in the open dialog takes the focus where it wants it", () => {
  arrive(ask());
  arrive(ask(), '<h2 tabindex="-1" autofocus id="done">Done</h2>');
  assert.equal(document.activeElement, $("#done"));
});

test("after a change the page is shown anew, and takes nothing meanwhile", () => {
  arrive(ask());
  answer("taskops:changed");
  assert.equal(reloads, 0);
  $("#close").click();
  assert.equal(reloads, 1);
  assert.ok(document.body.inert);
});

test("Escape does not close it while something is applied", () => {
  arrive(ask(), '<form class="htmx-request"></form>');
  assert.ok(happen($("#dialog"), "cancel").defaultPrevented);
  $("form").classList.remove("htmx-request");
  assert.ok(!happen($("#dialog"), "cancel").defaultPrevented);
});
