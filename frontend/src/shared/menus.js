// Menus and panels that open over everything ([popover]): where they open, and the keys of menus.

const GAP = 4;

const openerOf = (panel) => document.querySelector(`[popovertarget="${CSS.escape(panel.id)}"]`);

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

const items = (menu) => [...menu.querySelectorAll("[role=menuitem]")];

const close = () => {
  for (const panel of document.querySelectorAll(".panel:popover-open")) panel.hidePopover();
};

/** Keeps what is open beside its opener; closes it when that is out of sight. */
const follow = () => {
  for (const panel of document.querySelectorAll(".panel:popover-open")) {
    const opener = openerOf(panel);
    const { top, bottom } = opener.getBoundingClientRect();
    if (bottom < 0 || top > innerHeight) panel.hidePopover();
    else place(panel, opener);
  }
};

const opened = (panel) => {
  place(panel, openerOf(panel));
  const first = panel.querySelector("[role=menuitem]:not([aria-disabled]), li:not([hidden]) input[type=checkbox]");
  first?.focus({ preventScroll: true });
};

const KEYS = {
  ArrowDown: (at, count) => (at + 1) % count,
  ArrowUp: (at, count) => (at - 1 + count) % count,
  Home: () => 0,
  End: (_, count) => count - 1,
};

const walk = (event, menu) => {
  const all = items(menu);
  const at = all.indexOf(document.activeElement);
  if (event.key in KEYS) {
    all[KEYS[event.key](at, all.length)].focus();
    event.preventDefault();
  } else if (event.key === "Tab") {
    menu.hidePopover();
  } else if (event.key.length === 1 && event.key !== " " && !event.ctrlKey && !event.metaKey && !event.altKey) {
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
      if (!panel.matches?.(".panel[popover]")) return;
      if (event.newState === "open") opened(panel);
      else panel.classList.remove("placed");
    },
    true,
  );
  document.addEventListener("keydown", (event) => {
    const menu = event.target.closest?.("[role=menu]");
    if (menu) walk(event, menu);
    else if (event.key === "ArrowDown" && event.target.matches?.("button[aria-haspopup=menu]")) {
      event.preventDefault();
      event.target.click();
    }
  });
  // before the item acts: the focus goes back to the opener, where a dialog finds it again
  document.addEventListener(
    "click",
    (event) => {
      const item = event.target.closest?.("[role=menuitem]");
      if (!item || item.ariaDisabled === "true") return;
      const menu = item.closest("[popover]");
      menu?.hidePopover();
      if (menu) openerOf(menu)?.focus({ preventScroll: true });
    },
    true,
  );
  document.addEventListener("scroll", (event) => event.target.closest?.(".panel") ?? follow(), true);
  addEventListener("resize", follow);
  // a click on Airflow's page around this one is a click outside too
  addEventListener("blur", close);
};
