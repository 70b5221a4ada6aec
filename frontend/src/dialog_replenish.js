// The dialog of a replenishment: its ranges are added, removed and set; all times are in the person's time zone.
import { zoneName } from "./times.js";

/** The plan is asked for anew. */
const changed = (fields) => fields.dispatchEvent(new CustomEvent("ranges", { bubbles: true }));

const rowsOf = (fields) => [...fields.querySelectorAll(".range-row")];

/** One range is always there; more than are taken are not offered. */
const allow = (fields) => {
  const rows = rowsOf(fields);
  for (const row of rows) row.querySelector("[data-remove-range]").hidden = rows.length < 2;
  fields.querySelector("[data-add-range]").disabled = rows.length >= Number(fields.dataset.most);
};

const add = (fields) => {
  const row = fields.querySelector("template").content.firstElementChild.cloneNode(true);
  fields.querySelector(".ranges").append(row);
  row.querySelector("input").focus();
};

const remove = (fields, row) => {
  const next = row.nextElementSibling ?? row.previousElementSibling;
  row.remove();
  next?.querySelector("input").focus();
  changed(fields);
};

const set = (fields, { from, to }) => {
  const last = rowsOf(fields).at(-1);
  for (const [name, value] of Object.entries({ from, to })) {
    const field = last.querySelector(`input[name=${name}]`);
    field.removeAttribute("step");
    field.value = value;
  }
  changed(fields);
};

export const replenishDialog = () => {
  document.addEventListener(
    "submit",
    (event) => {
      // Enter in a field changes the plan first: what executes is looked at before
      const isAsking = event.target.matches?.("form.replenish") && event.target.querySelector("#change-plan[aria-busy=true]");
      if (!isAsking) return;
      event.preventDefault();
      event.stopImmediatePropagation();
    },
    true,
  );
  document.body.addEventListener("htmx:configRequest", (event) => {
    // so that the form is in the person's zone from the beginning
    const { path, parameters } = event.detail;
    if (path.includes("/taskops/replenish/") && !parameters.zone) parameters.zone = zoneName();
  });
  document.body.addEventListener("htmx:load", (event) => {
    const fields = event.target.querySelector?.("[data-ranges]");
    if (fields) allow(fields);
  });
  document.body.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-ranges] button");
    if (!button) return;
    const fields = button.closest("[data-ranges]");
    if ("addRange" in button.dataset) add(fields);
    else if ("removeRange" in button.dataset) remove(fields, button.closest(".range-row"));
    else if (button.dataset.from) set(fields, button.dataset);
    allow(fields);
  });
};
