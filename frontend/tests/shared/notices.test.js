import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { $, answer, show, texts } from "../support/page.js";
import { notices } from "../../src/shared/notices.js";

mock.timers.enable({ apis: ["setTimeout"] });
notices();
beforeEach(() => show('<div id="notices"></div>'));

test("a notice is shown for a while", () => {
  answer("taskops:notice", { text: "Columns kept." });
  assert.deepEqual(texts(".notice"), ["Columns kept."]);
  assert.equal($(".notice a"), null);
  mock.timers.tick(11_999);
  assert.equal(texts(".notice").length, 1);
  mock.timers.tick(1);
  assert.equal(texts(".notice").length, 0);
});

test("it leads to where more is", () => {
  answer("taskops:notice", { text: "Being made:", url: "/taskops/operations", label: "downloads" });
  assert.deepEqual(texts(".notice"), ["Being made: downloads"]);
  assert.equal($(".notice a").getAttribute("href"), "/taskops/operations");
});

test("its words are no markup", () => {
  answer("taskops:notice", { text: "<img src=x>", url: "/", label: "<b>" });
  assert.deepEqual(texts(".notice"), ["<img src=x> <b>"]);
  assert.equal($(".notice :is(img, b)"), null);
});
