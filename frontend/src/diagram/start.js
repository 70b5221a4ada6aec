// Diagrams ([data-diagram]), also in parts of pages that come later. What they need is loaded where there is one.
import { findAll } from "../shared/dom.js";
import { onAnswer } from "../shared/events.js";

/** @type {WeakSet<HTMLElement>} */
const started = new WeakSet();

/** @param {HTMLElement[]} found */
const start = async (found) => {
  const fresh = found.filter((view) => !started.has(view));
  if (!fresh.length) return;
  fresh.forEach((view) => started.add(view));
  const { liven } = await import("./view.js");
  fresh.forEach(liven);
};

/** @param {HTMLElement} root */
const within = (root) => [...(root.matches("[data-diagram]") ? [root] : []), ...findAll(root, "[data-diagram]")];

export const diagrams = () => {
  start(within(document.body));
  onAnswer("htmx:load", (event) => start(within(event.detail.elt)));
};
