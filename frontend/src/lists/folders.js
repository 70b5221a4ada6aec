// The tree of folders in the filter form.
import { around, find, findAll, need } from "../shared/dom.js";

/**
 * A folder means those below it too: where one is ticked, they are shown as included and cannot be ticked.
 *
 * @param {HTMLElement} menu
 */
export const markIncluded = (menu) => {
  if (!menu.querySelector(".tree")) return;
  const all = findAll(menu, "input[name=folder]", HTMLInputElement).filter((box) => box.type === "checkbox");
  const ticked = all.filter((box) => box.checked).map((box) => `${box.value}/`);
  for (const box of all) {
    const isIncluded = ticked.some((path) => box.value.startsWith(path));
    if (isIncluded) box.checked = false;
    box.disabled = isIncluded;
    box.indeterminate = isIncluded;
  }
};

/**
 * What a key does with a folder and what is below it; whether there was anything to do.
 *
 * @type {Record<string, (item: HTMLElement, below: HTMLDetailsElement | null) => boolean>}
 */
const KEYS = {
  ArrowRight: (_, below) => {
    if (!below || below.open) return false;
    below.open = true;
    return true;
  },
  ArrowLeft: (item, below) => {
    const above = around(item.parentElement, "li");
    if (below?.open) below.open = false;
    else if (above) need(above, "input").focus();
    return true;
  },
};

/**
 * Right opens a folder, left closes it and then goes to the one that it is in.
 *
 * @param {KeyboardEvent} event
 */
export const folderKeys = (event) => {
  const item = around(around(event.target, "input[type=checkbox]"), ".tree li");
  if (item && KEYS[event.key]?.(item, find(item, ":scope > details", HTMLDetailsElement))) event.preventDefault();
};
