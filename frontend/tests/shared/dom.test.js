import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { $, show, texts } from "../support/page.js";
import { around, copyOfTemplate, find, findAll, need, tell } from "../../src/shared/dom.js";

beforeEach(() =>
  show(`<div id="all"><input name="a"><p><b>one</b></p><svg><g class="box"></g></svg>
    <template><li><i>row</i></li></template></div><p id="status"></p>`),
);

test("what is found is of the kind that is asked for", () => {
  assert.equal(find(document, "[name=a]", HTMLInputElement)?.name, "a");
  assert.equal(find(document, "[name=a]", HTMLButtonElement), null);
  assert.equal(find(document, ".box"), null, "an HTMLElement, if nothing is said");
  assert.equal(find(document, ".box", SVGElement), $(".box"));
  assert.deepEqual(findAll(document, "input, b, .box"), [$("input"), $("b")]);
});

test("what a page always has is an error where it is missing, by its selector", () => {
  assert.equal(need(document, "b").textContent, "one");
  assert.throws(() => need($("#all"), ".nowhere"), /no \.nowhere/);
  assert.throws(() => need(document, "b", HTMLInputElement), /no b/);
});

test("what an event is about is looked for outwards", () => {
  assert.equal(around($("b"), "p"), $("p"));
  assert.equal(around($("b"), "b"), $("b"));
  assert.equal(around($("b"), "form"), null);
  assert.equal(around(document, "p"), null);
  assert.equal(around(null, "p"), null);
});

test("a template is copied, not used up", () => {
  const first = copyOfTemplate($("#all"));
  first.textContent = "other";
  assert.equal(copyOfTemplate($("#all")).outerHTML, "<li><i>row</i></li>");
});

test("words for those who do not see the page go into its status", () => {
  tell("Copied a");
  assert.deepEqual(texts("#status"), ["Copied a"]);
  show("");
  assert.doesNotThrow(() => tell("nobody listens"));
});
