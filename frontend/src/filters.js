// The filter form: menus that close and stay in the window, search in them, short addresses.
import { folderKeys, markIncluded } from "./folders.js";
import { takeTyped } from "./owners.js";

const MARGIN = 8;

const shut = (menu, focus) => {
  menu.open = false;
  if (focus) menu.querySelector("summary").focus();
};

/** Keep an open menu inside the window: moved to the left, and scrolling where it is too long. */
const place = (menu) => {
  const panel = menu.querySelector("fieldset");
  panel.style.left = "";
  panel.style.maxHeight = "";
  const { left, right, top } = panel.getBoundingClientRect();
  const beyond = right - (document.documentElement.clientWidth - MARGIN);
  if (beyond > 0) panel.style.left = `${-Math.min(beyond, left - MARGIN)}px`;
  panel.style.maxHeight = `${innerHeight - top - MARGIN}px`;
};

const boxes = (menu, where = "") => [...menu.querySelectorAll(`${where} input[type=checkbox]`)];

/** Search among the choices that are there; where there may be more, htmx brings what is found. */
const search = (menu, field) => {
  const wanted = field.value.trim().toLocaleLowerCase();
  const given = menu.querySelector(".given");
  const found = menu.querySelector(".found");
  if (found) {
    given.hidden = Boolean(wanted);
    found.hidden = !wanted;
    return;
  }
  let shown = 0;
  for (const option of given.querySelectorAll("label.option")) {
    option.hidden = !option.textContent.toLocaleLowerCase().includes(wanted);
    shown += option.hidden ? 0 : 1;
  }
  menu.querySelector(".nothing").hidden = shown > 0;
};

/** The same choice may stand in the menu twice, as it is and as it was found: the two say the same. */
const follow = (menu, box) => {
  const others = boxes(menu).filter((other) => other !== box && other.value === box.value);
  for (const other of others) other.checked = box.checked;
  const inFound = box.closest(".found");
  if (inFound && box.checked && !others.length) {
    const kept = box.closest("label").cloneNode(true);
    kept.querySelector("input").checked = true;
    const label = kept.querySelector(".label");
    if (label) label.textContent = box.value;
    menu.querySelector(".chosen").append(kept);
  }
  markIncluded(menu);
};

const showFound = (menu) => {
  const ticked = new Set(boxes(menu, ".chosen,.given").filter((box) => box.checked).map((box) => box.value));
  for (const box of boxes(menu, ".found")) box.checked = ticked.has(box.value);
  markIncluded(menu);
};

/** Up and down go from choice to choice. */
const walk = (menu, event) => {
  const steps = { ArrowDown: 1, ArrowUp: -1 };
  const step = steps[event.key];
  if (!step) return;
  const stops = [...menu.querySelectorAll("input")].filter((one) => one.checkVisibility() && !one.disabled);
  const at = stops.indexOf(document.activeElement);
  const next = at < 0 ? stops[0] : stops[at + step];
  if (!next) return;
  event.preventDefault();
  next.focus();
};

const enter = (menu, field, event) => {
  event.preventDefault(); // it searches the menu, it does not send the form
  const wanted = field.value.trim();
  if (!wanted) {
    menu.closest("form").requestSubmit();
    return;
  }
  const shown = boxes(menu).filter((box) => box.checkVisibility() && !box.closest(".chosen") && !box.disabled);
  const isMeant = (box) => box.value.toLocaleLowerCase() === wanted.toLocaleLowerCase();
  const meant = shown.find(isMeant) ?? (shown.length === 1 && !field.dataset.typed ? shown[0] : null);
  if (meant) {
    meant.checked = true;
    follow(menu, meant);
  } else if (!field.dataset.typed) {
    return;
  } else {
    takeTyped(menu, field.dataset.typed, wanted);
  }
  field.value = "";
  search(menu, field);
};

const filterMenu = (menu) => {
  const field = menu.querySelector("input[type=search]");
  const begin = () => {
    if (!menu.open) return;
    place(menu);
    field?.focus();
  };
  menu.addEventListener("toggle", begin);
  begin(); // it may have been opened before this script came
  menu.addEventListener("change", (event) => {
    if (event.target.type === "checkbox") follow(menu, event.target);
  });
  menu.addEventListener("keydown", (event) => {
    walk(menu, event);
    folderKeys(event);
    if (event.key === "Enter" && event.target === field) enter(menu, field, event);
  });
  menu.addEventListener("click", (event) => {
    if (!event.target.closest("[data-clear]")) return;
    for (const box of boxes(menu)) box.checked = false;
    markIncluded(menu);
  });
  field?.addEventListener("input", () => search(menu, field));
  menu.addEventListener("htmx:afterSwap", () => showFound(menu));
  markIncluded(menu);
};

/** Fields without a value, and values that stand there twice, have no place in the address. */
const shorten = (event) => {
  for (const name of new Set(event.formData.keys())) {
    const kept = new Set(event.formData.getAll(name).filter(Boolean));
    event.formData.delete(name);
    for (const value of kept) event.formData.append(name, value);
  }
};

export const filterForm = () => {
  const form = document.querySelector("form.filters");
  if (!form) return;
  const menus = [...form.querySelectorAll("details.menu")];
  menus.forEach(filterMenu);
  addEventListener("keydown", (event) => {
    const open = menus.find((menu) => menu.open);
    if (event.key === "Escape" && open) shut(open, true);
  });
  addEventListener("pointerdown", (event) => {
    menus.filter((menu) => menu.open && !menu.contains(event.target)).forEach((menu) => shut(menu, false));
  });
  // a click on Airflow's page around this one is a click outside too
  addEventListener("blur", () => menus.filter((menu) => menu.open).forEach((menu) => shut(menu, false)));
  addEventListener("resize", () => menus.filter((menu) => menu.open).forEach(place));
  form.addEventListener("formdata", shorten);
};
