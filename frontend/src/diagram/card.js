// The card with the facts of a task: beside the box under the pointer, or the one that has the focus.
import { findAll, need } from "../shared/dom.js";

/** @typedef {import("./graph.js").Area} Area */
/** @typedef {import("./graph.js").Box} Box */

const SHOW_MS = 200;
const HIDE_MS = 250;
const GAP = 8;
/** This value is a list. */
const OWNERS = 3;
const SVG = "http://www.w3.org/2000/svg";

/** @param {string} text */
const copyButton = (text) => {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.dataset.copy = text;
  button.title = "Copy ID";
  button.setAttribute("aria-label", `Copy ID ${text}`);
  for (const name of ["copy", "check"]) {
    const icon = document.createElementNS(SVG, "svg");
    icon.setAttribute("class", `icon ${name}`);
    icon.setAttribute("aria-hidden", "true");
    const use = document.createElementNS(SVG, "use");
    use.setAttribute("href", `#icon-${name}`);
    icon.append(use);
    button.append(icon);
  }
  return button;
};

/** @param {string[]} names */
const owners = (names) => {
  const list = document.createElement("ul");
  list.append(
    ...names.map((name) => {
      const item = document.createElement("li");
      item.textContent = name;
      return item;
    }),
  );
  return list;
};

/**
 * Where the card goes in the frame: below a box, else above it, else beside it; inside in any case.
 *
 * @param {Area} box
 * @param {{ width: number, height: number }} card
 * @param {{ width: number, height: number }} frame
 */
export const placeBeside = (box, card, frame) => {
  /**
   * @param {number} least
   * @param {number} size
   * @param {number} all
   */
  const fitting = (least, size, all) => Math.max(GAP, Math.min(least, all - size - GAP));
  let left = box.left;
  let top = box.bottom + GAP;
  if (top + card.height > frame.height) top = box.top - GAP - card.height;
  if (top < 0) {
    top = box.top;
    left = box.right + GAP + card.width < frame.width ? box.right + GAP : box.left - GAP - card.width;
  }
  return { left: fitting(left, card.width, frame.width), top: fitting(top, card.height, frame.height) };
};

/**
 * @param {HTMLElement} view
 * @param {(box: Box) => Area} placeOf tells where a box is in the frame
 */
export const factsCard = (view, placeOf) => {
  const card = need(view, ".diagram-card");
  const frame = card.parentElement ?? view;
  const values = findAll(card, "dd");
  /** @type {Box | null} */
  let shown = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  /** @param {(string | string[])[]} facts */
  const fill = (facts) => {
    facts.forEach((fact, index) => {
      const value = values[index];
      if (Array.isArray(fact)) value.replaceChildren(fact.length && index === OWNERS ? owners(fact) : "–");
      else value.replaceChildren(fact || "–");
      if (index === 0) value.append(copyButton(String(fact)));
    });
  };
  /** @param {Box} box */
  const position = (box) => {
    const { left, top } = placeBeside(
      placeOf(box),
      { width: card.offsetWidth, height: card.offsetHeight },
      { width: frame.clientWidth, height: frame.clientHeight },
    );
    card.style.left = `${left}px`;
    card.style.top = `${top}px`;
  };
  const hide = () => {
    clearTimeout(timer);
    shown = null;
    card.hidden = true;
  };
  /** @param {Box} box */
  const show = (box) => {
    clearTimeout(timer);
    if (!box.facts) {
      hide();
      return;
    }
    if (shown !== box) fill(box.facts);
    shown = box;
    card.hidden = false;
    position(box);
  };
  /**
   * Show a box, or nothing, unless something else happens soon.
   *
   * @param {Box | null} box
   */
  const later = (box) => {
    clearTimeout(timer);
    timer = setTimeout(() => (box ? show(box) : hide()), box ? SHOW_MS : HIDE_MS);
  };

  card.addEventListener("pointerenter", () => clearTimeout(timer));
  card.addEventListener("pointerleave", () => later(null));
  // the diagram is not to be dragged or zoomed by what happens on the card
  for (const kind of ["pointerdown", "mousedown", "wheel", "touchstart", "dblclick"]) {
    card.addEventListener(kind, (event) => event.stopPropagation(), { passive: true });
  }
  return {
    show,
    hide,
    later,
    follow: () => {
      if (shown) position(shown);
    },
    of: () => shown,
    /** @param {EventTarget | null} element */
    holds: (element) => element instanceof Node && card.contains(element),
  };
};
