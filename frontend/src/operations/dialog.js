// The dialog of an operation: the button that applies, and what is said meanwhile.
import { around, find, need } from "../shared/dom.js";
import { onAnswer } from "../shared/events.js";

/** @typedef {import("../shared/events.js").HtmxDetail} HtmxDetail */

/**
 * Whether it is the form that is sent, not a choice in it.
 *
 * @param {CustomEvent<HtmxDetail>} event
 */
const isApplied = (event) => event.target instanceof HTMLFormElement;

/**
 * The form whose plan is asked for anew, or that is applied.
 *
 * @param {CustomEvent<HtmxDetail>} event
 */
const formOf = (event) => {
  const form = around(event.target, "form#change");
  return form && (isApplied(event) || event.detail.target?.id === "change-plan") ? form : null;
};

/** @param {HTMLElement} form */
const planOf = (form) => find(form, "[data-applies]");

/**
 * @param {HTMLElement} form
 * @param {string} words
 */
const say = (form, words) => {
  need(form, "#change-progress").textContent = words;
};

/**
 * Nothing can be chosen while what was chosen is applied.
 *
 * @param {HTMLElement} form
 * @param {boolean} isHeld
 */
const hold = (form, isHeld) => {
  const options = find(form, ".options");
  if (options) options.inert = isHeld;
};

/**
 * Whether there is anything to apply is said by the plan that is shown.
 *
 * @param {HTMLElement} form
 */
const allow = (form) => {
  const button = find(form, "#change-apply", HTMLButtonElement);
  if (button) button.disabled = !(Number(planOf(form)?.dataset.applies) > 0);
};

export const changeDialogs = () => {
  onAnswer("htmx:beforeRequest", (event) => {
    const form = formOf(event);
    if (!form) return;
    if (isApplied(event)) {
      say(form, `${planOf(form)?.dataset.progress ?? "Asking"}…`);
      hold(form, true);
    } else {
      event.detail.target.setAttribute("aria-busy", "true");
    }
  });
  onAnswer("htmx:afterRequest", (event) => {
    const form = formOf(event);
    if (!form) return;
    if (isApplied(event)) {
      say(form, event.detail.xhr.status ? "" : "Airflow did not answer; look whether it was done.");
      hold(form, false);
    }
    need(form, "#change-plan").setAttribute("aria-busy", "false");
    allow(form);
  });
  document.body.addEventListener("keydown", (event) => {
    // Enter is a new line of the reason; with Ctrl it sends, as in other places where one writes
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    const form = around(around(event.target, "textarea"), "form#change");
    if (form) find(form, "#change-apply:not(:disabled)")?.click();
  });
};
