import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { Window } from "happy-dom";
import { keep } from "./support/page.js";

const outer = new Window({ url: "http://airflow.test/" });
const html = /** @type {any} */ (outer.document.documentElement);
let isDark = false;
/** What the page does when the system turns light or dark. @type {() => void} */
let turned = () => {};
globalThis.matchMedia = /** @type {any} */ (
  () => ({
    matches: isDark,
    addEventListener: (/** @type {string} */ _, /** @type {() => void} */ act) => (turned = act),
  })
);
/** The colours of Airflow's page; a DOM without layout does not work them out. @type {Record<string, string>} */
let colours = {};
globalThis.getComputedStyle = /** @type {any} */ (
  () => ({ getPropertyValue: (/** @type {string} */ name) => colours[name] ?? "" })
);

let number = 0;
/** @param {unknown} around the window around the page's */
const load = async (around) => {
  Object.defineProperty(globalThis, "parent", { value: around, configurable: true, writable: true });
  await import(`../src/theme.js?${(number += 1)}`); // a script: it runs when it is read
};
const root = document.documentElement;
/** Observers are told after what happens now. */
const settled = () => new Promise(setImmediate);

beforeEach(() => {
  isDark = false;
  colours = {};
  html.className = "";
  root.className = "";
  root.removeAttribute("style");
  keep("theme", null);
});

test("a page on its own is as the system is, and follows it", async () => {
  isDark = true;
  await load(window);
  assert.equal(root.dataset.theme, "dark");
  assert.ok(root.classList.contains("js"));
  isDark = false;
  turned();
  assert.equal(root.dataset.theme, "light");
});

test("what was chosen in Airflow goes before the system", async () => {
  isDark = true;
  keep("theme", "light");
  await load(window);
  assert.equal(root.dataset.theme, "light");
  keep("theme", "dark");
  assert.equal(root.dataset.theme, "dark");
  keep("theme", "system");
  isDark = false;
  turned();
  assert.equal(root.dataset.theme, "light");
});

test("Airflow's page goes before both, and is followed when it changes", async () => {
  html.className = "dark";
  keep("theme", "light");
  await load(outer);
  assert.equal(root.dataset.theme, "dark");
  html.className = "light";
  await settled();
  assert.equal(root.dataset.theme, "light");
});

test("Airflow's colours take the place of ours, where it has them", async () => {
  colours = { "--chakra-colors-bg": " #fefefe ", "--chakra-colors-border-emphasized": "#ccc" };
  await load(outer);
  assert.equal(root.style.getPropertyValue("--bg"), "#fefefe");
  assert.equal(root.style.getPropertyValue("--bg-panel"), "#fefefe");
  assert.equal(root.style.getPropertyValue("--border-strong"), "#ccc");
  assert.equal(root.style.getPropertyValue("--fg"), "");
});

test("a stranger's page around ours is left alone", async () => {
  keep("theme", "dark");
  await load({
    get document() {
      throw new DOMException("another origin", "SecurityError");
    },
  });
  assert.equal(root.dataset.theme, "dark");
});
