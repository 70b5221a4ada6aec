// Menus and panels that open over everything ([popover]): where they open, and the keys of menus.
import { around, find, findAll, need } from "./dom.js";

const GAP = 4;

/** @param {HTMLElement} panel */
const openerOf = (panel) => need(document, `[popovertarget="${CSS.escape(panel.id)}"]`);

/**
 * @param {HTMLElement} panel
 * @param {HTMLElement} opener
 */
const place = (panel, opener) => {
  const from = opener.getBoundingClientRect();
  const { width, height } = panel.getBoundingClientRect();
  const below = innerHeight - from.bottom - GAP;
  const top = below < height && from.top > below ? from.top - GAP - height : from.bottom + GAP;
  // its right edge below the opener's, unless that is outside
  panel.style.left = `${Math.max(GAP, Math.min(from.right - width, innerWidth - width - GAP))}px`;
  panel.style.top = `${Math.max(GAP, Math.min(top, innerHeight - height - GAP))}px`;
  panel.classList.add("placed");
};

const openPanels = () => findAll(document, ".panel:popover-open");

const close = () => {
  for (const panel of openPanels()) panel.hidePopover();
};

/** Keeps what is open beside its opener; closes it when that is out of sight. */
const follow = () => {
  for (const panel of openPanels()) {
    const opener = openerOf(panel);
    const { top, bottom } = opener.getBoundingClientRect();
    if (bottom < 0 || top > innerHeight) panel.hidePopover();
    else place(panel, opener);
  }
};

/** @param {HTMLElement} panel */
const opened = (panel) => {
  place(panel, openerOf(panel));
  const first = find(panel, "[role=menuitem]:not([aria-disabled]), li:not([hidden]) input[type=checkbox]");
  first?.focus({ preventScroll: true });
};

/**
 * Where a key leads in a menu of so many items.
 *
 * @type {Record<string, (at: number, count: number) => number>}
 */
const KEYS = {
  ArrowDown: (at, count) => (at + 1) % count,
  ArrowUp: (at, count) => (at - 1 + count) % count,
  Home: () => 0,
  End: (_, count) => count - 1,
};

/** @param {KeyboardEvent} event */
const isLetter = (event) =>
  event.key.length === 1 && event.key !== " " && !event.ctrlKey && !event.metaKey && !event.altKey;

/**
 * @param {KeyboardEvent} event
 * @param {HTMLElement} menu
 */
const walk = (event, menu) => {
  const all = findAll(menu, "[role=menuitem]");
  const at = all.findIndex((item) => item === document.activeElement);
  if (event.key in KEYS) {
    all[KEYS[event.key](at, all.length)].focus();
    event.preventDefault();
  } else if (event.key === "Tab") {
    menu.hidePopover();
  } else if (isLetter(event)) {
    const behind = [...all.slice(at + 1), ...all.slice(0, at + 1)];
    behind.find((item) => item.textContent.trim().toLowerCase().startsWith(event.key.toLowerCase()))?.focus();
  }
};

export const menus = () => {
  // the events of popovers do not bubble
  document.addEventListener(
    "toggle",
    (event) => {
      const panel = event.target;
      if (!(panel instanceof HTMLElement) || !panel.matches(".panel[popover]")) return;
      if (event.newState === "open") opened(panel);
      else panel.classList.remove("placed");
    },
    true,
  );
  document.addEventListener("keydown", (event) => {
    const menu = around(event.target, "[role=menu]");
    if (menu) walk(event, menu);
    else if (event.key === "ArrowDown") {
      const opener = event.target;
      if (!(opener instanceof HTMLElement) || !opener.matches("button[aria-haspopup=menu]")) return;
      event.preventDefault();
      opener.click();
    }
  });
  // before the item acts: the focus goes back to the opener, where a dialog finds it again
  document.addEventListener(
    "click",
    (event) => {
      const item = around(event.target, "[role=menuitem]");
      if (!item || item.ariaDisabled === "true") return;
      const menu = around(item, "[popover]");
      menu?.hidePopover();
      if (menu) openerOf(menu).focus({ preventScroll: true });
    },
    true,
  );
  document.addEventListener(
    "scroll",
    (event) => {
      if (!around(event.target, ".panel")) follow();
    },
    true,
  );
  addEventListener("resize", follow);
  // a click on Airflow's page around this one is a click outside too
  addEventListener("blur", close);
};
