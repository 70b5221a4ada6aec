import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { $, $$, show } from "../support/page.js";

// htmx looks for attributes with it as soon as it is there
globalThis.XPathEvaluator = /** @type {any} */ (
  class {
    createExpression() {
      return { evaluate: () => ({ iterateNext: () => null }) };
    }
  }
);
const { default: htmx } = await import("htmx.org");
const { openingRows } = await import("../../src/lists/rows.js");
const ajax = mock.method(htmx, "ajax", () => Promise.resolve()); // there is no server
openingRows();

beforeEach(() => {
  ajax.mock.resetCalls();
  show(`<table><tbody><tr id="orders"><td><button data-expand="/summary?dag_id=orders"><i>v</i></button></td><td></td></tr>
    <tr id="sales"><td><button data-expand="/summary?dag_id=sales"></button></td><td></td></tr></tbody></table>`);
});

const button = () => $("#orders button");

test("what is below a row is fetched when it is opened first, into a row of its own width", () => {
  button().querySelector("i").click();
  const below = $("#orders").nextElementSibling;
  assert.equal(below.className, "opened");
  assert.equal(below.cells[0].colSpan, 2);
  assert.equal(ajax.mock.callCount(), 1);
  assert.deepEqual(ajax.mock.calls[0].arguments, [
    "get",
    "/summary?dag_id=orders",
    { target: below.querySelector(".opened-content"), swap: "innerHTML" },
  ]);
  assert.equal(button().ariaExpanded, "true");
});

test("then it is hidden and shown, and not fetched again", () => {
  button().click();
  button().click();
  assert.ok($("#orders").nextElementSibling.hidden);
  assert.equal(button().ariaExpanded, "false");
  button().click();
  assert.ok(!$("#orders").nextElementSibling.hidden);
  assert.equal(button().ariaExpanded, "true");
  assert.equal(ajax.mock.callCount(), 1);
});

test("each row has its own", () => {
  button().click();
  $("#sales button").click();
  assert.deepEqual(
    $$("tr").map((row) => row.id || row.className),
    ["orders", "opened", "sales", "opened"],
  );
});
