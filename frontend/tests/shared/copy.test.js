import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { $, show, texts } from "../support/page.js";
import { copyButtons } from "../../src/shared/copy.js";

mock.timers.enable({ apis: ["setTimeout"] });
copyButtons();
/** @type {string[]} */
let copied = [];

/** @param {(text: string) => Promise<void>} writeText */
const clipboard = (writeText) =>
  Object.defineProperty(navigator, "clipboard", { value: { writeText }, configurable: true });

const settled = () => new Promise(setImmediate);

beforeEach(() => {
  copied = [];
  clipboard(async (text) => void copied.push(text));
  show('<button data-copy="orders"><i>icon</i></button><button id="other">Other</button><p id="status"></p>');
});

test("a button copies its text, says so and shows it for a while", async () => {
  $("i").click();
  await settled();
  assert.deepEqual(copied, ["orders"]);
  assert.deepEqual(texts("#status"), ["Copied orders"]);
  assert.equal(document.activeElement, $("[data-copy]"));
  assert.ok($("[data-copy]").classList.contains("done"));
  mock.timers.tick(1499);
  assert.ok($("[data-copy]").classList.contains("done"));
  mock.timers.tick(1);
  assert.ok(!$("[data-copy]").classList.contains("done"));
});

test("what could not be copied is not said to be", async () => {
  clipboard(() => Promise.reject(new Error("denied")));
  $("[data-copy]").click();
  await settled();
  assert.deepEqual(texts("#status"), ["Could not copy orders"]);
  assert.ok(!$("[data-copy]").classList.contains("done"));
});

test("a page over plain http has no clipboard, and copies out of a field that goes again", async () => {
  Object.defineProperty(navigator, "clipboard", { value: undefined, configurable: true });
  for (const [done, words] of /** @type {const} */ ([
    [true, "Copied orders"],
    [false, "Could not copy orders"],
  ])) {
    let field = "";
    document.execCommand = () => {
      field = $("textarea").value;
      return done;
    };
    $("[data-copy]").click();
    await settled();
    assert.equal(field, "orders");
    assert.equal($("textarea"), null);
    assert.deepEqual(texts("#status"), [words]);
  }
});

test("other buttons copy nothing", async () => {
  $("#other").click();
  await settled();
  assert.deepEqual(copied, []);
});
