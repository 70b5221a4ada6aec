// A page without a browser: a DOM that has no layout. What needs one is looked at by tests/e2e.
import { GlobalRegistrator } from "@happy-dom/global-registrator";

process.env.TZ = "America/Bogota"; // the browser's own zone is not UTC
GlobalRegistrator.register({ url: "http://airflow.test/pluginsv2/taskops/tasks?page=2", width: 1280, height: 800 });

/**
 * Put a page in.
 *
 * @param {string} html
 */
export const show = (html) => {
  document.body.innerHTML = html;
};

/**
 * The first element that fits, as whatever the test takes it for.
 *
 * @param {string} selector
 * @returns {any}
 */
export const $ = (selector) => document.querySelector(selector);

/**
 * All elements that fit.
 *
 * @param {string} selector
 * @returns {any[]}
 */
export const $$ = (selector) => [...document.querySelectorAll(selector)];

/**
 * What the elements that fit say.
 *
 * @param {string} selector
 */
export const texts = (selector) => $$(selector).map((element) => element.textContent.trim());

/**
 * Let an event happen.
 *
 * @param {EventTarget} target
 * @param {string} type
 * @param {object} [more] what the event has besides
 */
export const happen = (target, type, more = {}) => {
  const event = new Event(type, { bubbles: true, cancelable: true });
  for (const [name, value] of Object.entries(more)) Object.defineProperty(event, name, { value });
  target.dispatchEvent(event);
  return event;
};

/**
 * Press a key.
 *
 * @param {EventTarget} target
 * @param {string} key
 * @param {object} [more] ctrlKey, shiftKey ...
 */
export const press = (target, key, more = {}) => {
  const event = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more });
  target.dispatchEvent(event);
  return event;
};

/**
 * Type into a field.
 *
 * @param {any} field
 * @param {string} value
 * @param {string} [inputType]
 */
export const type = (field, value, inputType = "insertText") => {
  field.value = value;
  field.dispatchEvent(new InputEvent("input", { bubbles: true, inputType }));
};

/**
 * Tick a box, or take the tick away.
 *
 * @param {any} box
 * @param {boolean} [checked]
 */
export const tick = (box, checked = true) => {
  box.checked = checked;
  box.dispatchEvent(new Event("change", { bubbles: true }));
};

/**
 * An event of htmx, or one that an answer names.
 *
 * @param {string} name
 * @param {object} [detail]
 * @param {EventTarget} [target]
 */
export const answer = (name, detail = {}, target = document.body) =>
  target.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, cancelable: true }));

/**
 * What a form sends.
 *
 * @param {any} form
 * @returns {[string, string][]}
 */
export const sent = (form) => {
  const formData = new FormData(form);
  happen(form, "formdata", { formData });
  return /** @type {[string, string][]} */ ([...formData.entries()]);
};

/**
 * What Airflow's page keeps, and that it has changed.
 *
 * @param {string} key
 * @param {string | null} value
 */
export const keep = (key, value) => {
  if (value === null) localStorage.removeItem(key);
  else localStorage.setItem(key, value);
  dispatchEvent(new StorageEvent("storage", { key }));
};
