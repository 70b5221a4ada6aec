import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { Window } from "happy-dom";
import { $, happen, show } from "../support/page.js";
import { afterLoad, followAirflow, signIn } from "../../src/shared/airflow.js";

/** Airflow's page around ours. */
const outer = new Window({ url: "http://airflow.test/sub/plugin/taskops-tasks?x=1" });
outer.document.head.innerHTML = '<base href="/sub/">';
/** Where links in Airflow's document led: address and window. @type {[string, string][]} */
let led = [];
/** What Airflow's router was told. @type {string[]} */
let routed = [];
outer.document.addEventListener("click", (event) => {
  event.preventDefault();
  const link = /** @type {any} */ (event.target);
  led.push([link.href, link.target]);
});
outer.addEventListener("popstate", () => routed.push(outer.location.href));

/** @param {unknown} window_ */
const frameIn = (window_) =>
  Object.defineProperty(globalThis, "parent", { value: window_, configurable: true, writable: true });

/** @param {DocumentReadyState} readyState */
const becomes = (readyState) =>
  Object.defineProperty(document, "readyState", { value: readyState, configurable: true });

followAirflow();

beforeEach(() => {
  becomes("complete");
  led = [];
  routed = [];
  frameIn(outer);
  show(`<a id="airflow" data-airflow href="/sub/dags/orders?tab=code#top"><b>Dag</b></a>
    <a id="ours" href="/sub/pluginsv2/taskops/task?task_id=a">Task</a>
    <a id="outside" data-outside href="https://git.test/repo">Repository</a>
    <a id="elsewhere" href="https://other.test/">Elsewhere</a>
    <svg><a id="drawn" href="/sub/pluginsv2/taskops/task?task_id=b"><g></g></a></svg>`);
});

/**
 * @param {string} selector
 * @param {object} [more]
 */
const click = (selector, more = {}) => happen($(selector), "click", { button: 0, ...more });

test("a link to Airflow goes through Airflow's router, in its page", () => {
  assert.ok(click("#airflow b").defaultPrevented);
  assert.deepEqual(routed, ["http://airflow.test/sub/dags/orders?tab=code#top"]);
  assert.deepEqual(led, []);
});

test("with Ctrl, Shift or the middle button it opens another window", () => {
  for (const more of [{ ctrlKey: true }, { metaKey: true }, { shiftKey: true }]) click("#airflow", more);
  happen($("#airflow"), "auxclick", { button: 1 });
  assert.deepEqual(led, Array(4).fill(["http://airflow.test/sub/dags/orders?tab=code#top", "_blank"]));
  assert.deepEqual(routed, []);
});

test("a page of ours opens in another window as a page inside Airflow", () => {
  assert.ok(click("#ours", { ctrlKey: true }).defaultPrevented);
  assert.ok(click("#drawn g", { ctrlKey: true }).defaultPrevented);
  const framed = "http://airflow.test/sub/plugin/taskops/sub/pluginsv2/taskops/task?task_id=";
  assert.deepEqual(led, [
    [`${framed}a`, "_blank"],
    [`${framed}b`, "_blank"],
  ]);
});

test("a plain click on a page of ours is the frame's own", () => {
  assert.ok(!click("#ours").defaultPrevented);
  assert.deepEqual(led, []);
});

test("another site opens in a window of its own, and only if it is meant to", () => {
  assert.ok(click("#outside").defaultPrevented);
  assert.deepEqual(led, [["https://git.test/repo", "_blank"]]);
  assert.ok(!click("#elsewhere", { ctrlKey: true }).defaultPrevented);
});

test("a click that something else took is left alone", () => {
  $("#airflow b").addEventListener("click", (/** @type {Event} */ event) => event.preventDefault());
  click("#airflow b");
  assert.deepEqual(routed, []);
});

test("without Airflow around it all links are plain", () => {
  frameIn(window);
  for (const one of ["#airflow", "#ours", "#outside"]) assert.ok(!click(one, { ctrlKey: true }).defaultPrevented, one);
});

test("in a frame that may not look out all links are plain", () => {
  frameIn({
    get document() {
      throw new DOMException("another origin", "SecurityError");
    },
  });
  assert.ok(!click("#airflow").defaultPrevented);
});

test("somebody signed out is led to the login, and back to where the window was", () => {
  outer.history.pushState(null, "", "/sub/dags/orders?tab=code");
  show('<a data-login href="/sub/auth/login?next=here">Sign in</a>');
  signIn();
  const next = encodeURIComponent("/sub/dags/orders?tab=code");
  assert.deepEqual(led, [[`http://airflow.test/sub/auth/login?next=${next}`, ""]]);
});

test("what Airflow may undo waits for the page to be there", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  /** @type {string[]} */
  const done = [];
  becomes("interactive");
  afterLoad(() => done.push("later"));
  context.mock.timers.tick(10);
  assert.equal(done.length, 0);
  dispatchEvent(new Event("load"));
  assert.equal(done.length, 0);
  context.mock.timers.tick(0);
  assert.deepEqual(done, ["later"]);
  becomes("complete");
  afterLoad(() => done.push("now"));
  assert.deepEqual(done, ["later", "now"]);
});
