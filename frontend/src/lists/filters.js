// The filter form: menus that close and stay in the window, search in them, short addresses.
import { around, find, findAll, need } from "../shared/dom.js";
import { folderKeys, markIncluded } from "./folders.js";
import { takeTyped } from "./owners.js";

const MARGIN = 8;

/**
 * @param {HTMLDetailsElement} menu
 * @param {boolean} isFocused whether the focus goes back to what opens it
 */
const shut = (menu, isFocused) => {
  menu.open = false;
  if (isFocused) need(menu, "summary").focus();
};

/**
 * Keep an open menu inside the window: moved to the left, and scrolling where it is too long.
 *
 * @param {HTMLDetailsElement} menu
 */
const place = (menu) => {
  const panel = need(menu, "fieldset");
  panel.style.left = "";
  panel.style.maxHeight = "";
  const { left, right, top } = panel.getBoundingClientRect();
  const beyond = right - (document.documentElement.clientWidth - MARGIN);
  if (beyond > 0) panel.style.left = `${-Math.min(beyond, left - MARGIN)}px`;
  panel.style.maxHeight = `${innerHeight - top - MARGIN}px`;
};

/**
 * @param {HTMLElement} menu
 * @param {string} [part] of the menu: .found
 */
const boxes = (menu, part = "") => findAll(menu, `${part} input[type=checkbox]`, HTMLInputElement);

/**
 * Search among the choices that are there; where there may be more, htmx brings what is found.
 *
 * @param {HTMLElement} menu
 * @param {HTMLInputElement} field
 */
const search = (menu, field) => {
  const wanted = field.value.trim().toLocaleLowerCase();
  const given = need(menu, ".given");
  const found = find(menu, ".found");
  if (found) {
    given.hidden = Boolean(wanted);
    found.hidden = !wanted;
    return;
  }
  let shown = 0;
  for (const option of findAll(given, "label.option")) {
    option.hidden = !option.textContent.toLocaleLowerCase().includes(wanted);
    shown += option.hidden ? 0 : 1;
  }
  need(menu, ".nothing").hidden = shown > 0;
};

/**
 * The same choice may stand in the menu twice, as it is and as it was found: the two say the same.
 *
 * @param {HTMLElement} menu
 * @param {HTMLInputElement} box
 */
const follow = (menu, box) => {
  const others = boxes(menu).filter((other) => other !== box && other.value === box.value);
  for (const other of others) other.checked = box.checked;
  if (around(box, ".found") && box.checked && !others.length) keep(menu, box);
  markIncluded(menu);
};

/**
 * Put a choice that was found among the chosen ones: the next search takes away what was found.
 *
 * @param {HTMLElement} menu
 * @param {HTMLInputElement} box
 */
const keep = (menu, box) => {
  const kept = /** @type {HTMLElement | undefined} */ (around(box, "label")?.cloneNode(true));
  if (!kept) return;
  need(kept, "input", HTMLInputElement).checked = true;
  const label = find(kept, ".label");
  if (label) label.textContent = box.value;
  need(menu, ".chosen").append(kept);
};

/** @param {HTMLElement} menu */
const showFound = (menu) => {
  const ticked = new Set(
    boxes(menu, ".chosen,.given")
      .filter((box) => box.checked)
      .map((box) => box.value),
  );
  for (const box of boxes(menu, ".found")) box.checked = ticked.has(box.value);
  markIncluded(menu);
};

/** @type {Record<string, number>} */
const STEPS = { ArrowDown: 1, ArrowUp: -1 };

/**
 * Up and down go from choice to choice.
 *
 * @param {HTMLElement} menu
 * @param {KeyboardEvent} event
 */
const walk = (menu, event) => {
  const step = STEPS[event.key];
  if (!step) return;
  const stops = findAll(menu, "input", HTMLInputElement).filter((one) => one.checkVisibility() && !one.disabled);
  const at = stops.findIndex((one) => one === document.activeElement);
  const next = at < 0 ? stops[0] : stops[at + step];
  if (!next) return;
  event.preventDefault();
  next.focus();
};

/**
 * The box that is meant by what was typed: of that name, wherever it stands and whether the server has answered or not,
 * or the only one that is shown where names are not free.
 *
 * @param {HTMLElement} menu
 * @param {HTMLInputElement} field
 */
const meant = (menu, field) => {
  const wanted = field.value.trim().toLocaleLowerCase();
  const all = boxes(menu).filter((box) => !box.disabled);
  const shown = all.filter((box) => box.checkVisibility() && !around(box, ".chosen"));
  const named = all.find((box) => box.value.toLocaleLowerCase() === wanted);
  return named ?? (shown.length === 1 && !field.dataset.typed ? shown[0] : null);
};

/**
 * Enter takes what was typed.
 *
 * @param {HTMLElement} menu
 * @param {HTMLInputElement} field
 * @param {KeyboardEvent} event
 */
const enter = (menu, field, event) => {
  event.preventDefault(); // it searches the menu, it does not send the form
  const typed = field.value.trim();
  if (!typed) {
    around(menu, "form", HTMLFormElement)?.requestSubmit();
    return;
  }
  const box = meant(menu, field);
  if (box) {
    box.checked = true;
    follow(menu, box);
  } else if (!field.dataset.typed) {
    return;
  } else {
    takeTyped(menu, field.dataset.typed, typed);
  }
  field.value = "";
  search(menu, field);
};

/** @param {HTMLDetailsElement} menu */
const filterMenu = (menu) => {
  const field = find(menu, "input[type=search]", HTMLInputElement);
  const begin = () => {
    if (!menu.open) return;
    place(menu);
    field?.focus();
  };
  menu.addEventListener("toggle", begin);
  begin(); // it may have been opened before this script came
  menu.addEventListener("change", (event) => {
    const box = event.target;
    if (box instanceof HTMLInputElement && box.type === "checkbox") follow(menu, box);
  });
  menu.addEventListener("keydown", (event) => {
    walk(menu, event);
    folderKeys(event);
    if (field && event.key === "Enter" && event.target === field) enter(menu, field, event);
  });
  menu.addEventListener("click", (event) => {
    if (!around(event.target, "[data-clear]")) return;
    for (const box of boxes(menu)) box.checked = false;
    markIncluded(menu);
  });
  field?.addEventListener("input", () => search(menu, field));
  menu.addEventListener("htmx:afterSwap", () => showFound(menu));
  markIncluded(menu);
};

/**
 * Fields without a value, and values that stand there twice, have no place in the address.
 *
 * @param {FormDataEvent} event
 */
const shorten = ({ formData }) => {
  for (const name of new Set(formData.keys())) {
    const kept = new Set(formData.getAll(name).filter(Boolean));
    formData.delete(name);
    for (const value of kept) formData.append(name, value);
  }
};

export const filterForm = () => {
  const form = find(document, "form.filters", HTMLFormElement);
  if (!form) return;
  const menus = findAll(form, "details.menu", HTMLDetailsElement);
  const open = () => menus.filter((menu) => menu.open);
  menus.forEach(filterMenu);
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && open().length) shut(open()[0], true);
  });
  addEventListener("pointerdown", (event) => {
    for (const menu of open()) if (!menu.contains(/** @type {Node} */ (event.target))) shut(menu, false);
  });
  // a click on Airflow's page around this one is a click outside too
  addEventListener("blur", () => open().forEach((menu) => shut(menu, false)));
  addEventListener("resize", () => open().forEach(place));
  form.addEventListener("formdata", shorten);
};
