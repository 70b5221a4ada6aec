// The dialog of a replenishment: its ranges are added, removed and set; all times are in the person's time zone.
import { around, copyOfTemplate, find, findAll, need } from "../shared/dom.js";
import { onAnswer } from "../shared/events.js";
import { zoneName } from "../shared/times.js";

/**
 * The plan is asked for anew.
 *
 * @param {HTMLElement} fields
 */
const changed = (fields) => fields.dispatchEvent(new CustomEvent("ranges", { bubbles: true }));

/** @param {HTMLElement} fields */
const rowsOf = (fields) => findAll(fields, ".range-row");

/**
 * One range is always there; more than are taken are not offered.
 *
 * @param {HTMLElement} fields
 */
const allow = (fields) => {
  const rows = rowsOf(fields);
  for (const row of rows) need(row, "[data-remove-range]").hidden = rows.length < 2;
  need(fields, "[data-add-range]", HTMLButtonElement).disabled = rows.length >= Number(fields.dataset.most);
};

/** @param {HTMLElement} fields */
const add = (fields) => {
  const row = copyOfTemplate(fields);
  need(fields, ".ranges").append(row);
  need(row, "input").focus();
};

/**
 * @param {HTMLElement} fields
 * @param {HTMLElement | null} row
 */
const remove = (fields, row) => {
  const next = row?.nextElementSibling ?? row?.previousElementSibling;
  row?.remove();
  if (next) need(next, "input").focus();
  changed(fields);
};

/**
 * Set the last range.
 *
 * @param {HTMLElement} fields
 * @param {Record<string, string>} range
 */
const set = (fields, range) => {
  const last = /** @type {HTMLElement} */ (rowsOf(fields).at(-1));
  for (const [name, value] of Object.entries(range)) {
    const field = need(last, `input[name=${name}]`, HTMLInputElement);
    field.removeAttribute("step");
    field.value = value;
  }
  changed(fields);
};

/**
 * @param {HTMLElement} fields
 * @param {HTMLElement} button one of theirs
 */
const act = (fields, button) => {
  const { from, to = "" } = button.dataset;
  if ("addRange" in button.dataset) add(fields);
  else if ("removeRange" in button.dataset) remove(fields, around(button, ".range-row"));
  else if (from) set(fields, { from, to });
  allow(fields);
};

export const replenishDialog = () => {
  document.addEventListener(
    "submit",
    (event) => {
      // Enter in a field changes the plan first: what executes is looked at before
      const form = around(event.target, "form.replenish");
      if (!form?.querySelector("#change-plan[aria-busy=true]")) return;
      event.preventDefault();
      event.stopImmediatePropagation();
    },
    true,
  );
  onAnswer("htmx:configRequest", (event) => {
    // so that the form is in the person's zone from the beginning
    const { path, parameters } = event.detail;
    if (path.includes("/taskops/replenish/") && !parameters.zone) parameters.zone = zoneName();
  });
  onAnswer("htmx:load", (event) => {
    const fields = find(event.detail.elt, "[data-ranges]");
    if (fields) allow(fields);
  });
  document.body.addEventListener("click", (event) => {
    const button = around(event.target, "[data-ranges] button");
    const fields = around(button, "[data-ranges]");
    if (button && fields) act(fields, button);
  });
};
