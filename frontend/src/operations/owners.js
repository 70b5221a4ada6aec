// Owners that are typed or picked: each becomes a chip with a hidden field.
import { around, copyOfTemplate, find, findAll, need } from "../shared/dom.js";
import { onAnswer } from "../shared/events.js";

/** @param {HTMLElement} picker */
const picked = (picker) => findAll(picker, "input[name=owner]", HTMLInputElement).map((field) => field.value);

/** @param {HTMLElement} picker */
const typedIn = (picker) => need(picker, "input[name=q]", HTMLInputElement);

/** @param {HTMLElement} picker */
const check = (picker) => {
  const typed = typedIn(picker);
  typed.setCustomValidity(picked(picker).length || typed.value.trim() ? "" : "Name at least one owner.");
};

/**
 * @param {HTMLElement} picker
 * @param {string} owner
 */
const chip = (picker, owner) => {
  const item = copyOfTemplate(picker);
  need(item, ".value").textContent = owner;
  need(item, "input", HTMLInputElement).value = owner;
  need(item, "button").setAttribute("aria-label", `Remove ${owner}`);
  return item;
};

/** @param {HTMLElement} picker */
const changed = (picker) => {
  check(picker);
  need(picker, ".picked").dispatchEvent(new Event("change", { bubbles: true }));
};

/** @param {HTMLElement} picker */
const take = (picker) => {
  const typed = typedIn(picker);
  const names = typed.value
    .split(",")
    .map((name) => name.trim())
    .filter(Boolean);
  const present = picked(picker);
  const added = [...new Set(names)].filter((name) => !present.includes(name));
  typed.value = "";
  need(picker, ".picked").append(...added.map((name) => chip(picker, name)));
  if (added.length) changed(picker);
};

/** Whether a button of the mouse, or a finger, is down. */
let isPressed = false;
const RELEASED = ["pointerup", "pointercancel"];

const watchPresses = () => {
  const release = () => {
    isPressed = false;
  };
  document.addEventListener(
    "pointerdown",
    (event) => {
      isPressed = event.isPrimary && event.button === 0;
    },
    true,
  );
  // with a key, should the release have been elsewhere
  for (const kind of [...RELEASED, "keydown"]) document.addEventListener(kind, release, true);
};

/**
 * Do something now, or at the end of a press: what moves meanwhile would be missed by the click.
 *
 * @param {() => void} then
 */
const whenReleased = (then) => {
  if (!isPressed) {
    then();
    return;
  }
  const once = new AbortController();
  const end = () => {
    once.abort();
    then();
  };
  for (const kind of RELEASED) document.addEventListener(kind, end, { signal: once.signal });
};

/**
 * The picker and its field, if an event is about the field.
 *
 * @param {Event} event
 */
const typingIn = (event) => {
  const typed = around(event.target, "[data-owners] input[name=q]", HTMLInputElement);
  const picker = around(typed, "[data-owners]");
  return typed && picker ? { typed, picker } : null;
};

/** @param {KeyboardEvent} event */
const press = (event) => {
  const typing = typingIn(event);
  if (!typing) return;
  const { typed, picker } = typing;
  if ((event.key === "Enter" || event.key === ",") && typed.value.trim()) {
    event.preventDefault(); // adds the name; Enter in the empty field sends the form
    take(picker);
  } else if (event.key === "Backspace" && !typed.value) {
    find(picker, ".picked > li:last-child [data-remove]")?.click();
  }
};

export const ownersPicker = () => {
  watchPresses();
  onAnswer("htmx:load", (event) => {
    const picker = find(event.detail.elt, "[data-owners]");
    if (picker) check(picker);
  });
  document.body.addEventListener("keydown", press);
  document.body.addEventListener("input", (event) => {
    const typing = typingIn(event);
    if (!typing) return;
    check(typing.picker);
    // a choice of the list is no typing
    const kind = /** @type {InputEvent} */ (event).inputType;
    if (!kind || kind === "insertReplacementText") take(typing.picker);
  });
  document.body.addEventListener("focusout", (event) => {
    const typing = typingIn(event);
    if (typing?.typed.value.trim()) whenReleased(() => take(typing.picker));
  });
  document.body.addEventListener("click", (event) => {
    const button = around(event.target, "[data-owners] [data-remove]");
    const picker = around(button, "[data-owners]");
    if (!picker) return;
    around(button, "li")?.remove();
    typedIn(picker).focus();
    changed(picker);
  });
};
