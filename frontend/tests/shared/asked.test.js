import assert from "node:assert/strict";
import { test } from "node:test";
import { $, answer, show } from "../support/page.js";
import { keepAsked } from "../../src/shared/asked.js";

show('<div id="buttons"><button id="pressed">Pause</button></div>');
keepAsked();

const isSwapped = () => {
  const detail = { target: $("#buttons"), shouldSwap: true };
  answer("htmx:oobBeforeSwap", detail);
  return detail.shouldSwap;
};

test("buttons are put in anew", () => {
  assert.equal(isSwapped(), true);
});

test("but not while one of them waits for its answer", () => {
  $("#pressed").classList.add("htmx-request");
  assert.equal(isSwapped(), false);
});
