// How the styles are ordered: a layer each, and a page's rules below that page's class.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

const SRC = new URL("../src/", import.meta.url);
const PAGE = String.raw`\.[a-z-]+-page`;
const OF_PAGES = new RegExp(`^(${PAGE}|:is\\(${PAGE}(, ${PAGE})*\\))$`);

/** @param {string} path */
const read = (path) => readFileSync(new URL(path, SRC), "utf8").replace(/\/\*.*?\*\//gs, "");

/**
 * The selectors and at-rules of a sheet, without what is inside of them.
 *
 * @param {string} css
 */
const outermost = (css) => {
  let left = css;
  while (/\{[^{}]*\}/.test(left)) left = left.replace(/\{[^{}]*\}/g, ";");
  return left
    .split(";")
    .map((one) => one.trim().replace(/\s+/g, " "))
    .filter(Boolean);
};

/** @type {[string, string][]} */
const imports = [...read("taskops.css").matchAll(/@import "\.\/(\S+)" layer\((\w+)\)/g)].map(([, path, layer]) => [
  path,
  layer,
]);

/** Sheets that are bundles by themselves: all pages', and that of the API's viewer, which shares no page with it. */
const BUNDLES = ["taskops.css", "docs.css"];

test("every sheet is in one layer, and layers come in their order", () => {
  const all = readdirSync(SRC, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".css"));
  assert.deepEqual([...imports.map(([path]) => path), ...BUNDLES].sort(), all.sort());
  const order = ["reset", "tokens", "base", "components", "pages"];
  assert.match(read("taskops.css"), new RegExp(`@layer ${order.join(", ")};`));
  const places = imports.map(([, layer]) => order.indexOf(layer));
  assert.deepEqual(places, [...places].sort());
  assert.ok(!places.includes(-1));
});

test("a page's rules are below the page's class, and no others are", () => {
  for (const [path, layer] of imports) {
    for (const selector of outermost(read(path))) {
      assert.equal(OF_PAGES.test(selector), layer === "pages", `${path}: ${selector}`);
    }
    if (layer !== "pages") assert.doesNotMatch(read(path), new RegExp(PAGE), path);
  }
});

test("nothing is important but what hides", () => {
  for (const [path] of imports) {
    for (const [rule] of read(path).matchAll(/[\w-]+:[^;{}]*!important/g)) {
      assert.match(rule, /^(display: none|--tone)/, path);
    }
  }
});
