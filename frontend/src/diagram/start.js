// Diagrams ([data-diagram]), also in parts of pages that come later. What they need is loaded where there is one.

const started = new WeakSet();

const start = async (found) => {
  const fresh = found.filter((view) => !started.has(view));
  if (!fresh.length) return;
  fresh.forEach((view) => started.add(view));
  const { liven } = await import("./diagram_view.js");
  fresh.forEach(liven);
};

const within = (root) => [...(root.matches?.("[data-diagram]") ? [root] : []), ...root.querySelectorAll("[data-diagram]")];

export const diagrams = () => {
  start(within(document));
  document.body.addEventListener("htmx:load", (event) => start(within(event.detail.elt)));
};
