// Runs before the page is painted: takes light or dark, and the colours, from Airflow's page around this one.
(() => {
  "use strict";
  const root = document.documentElement;
  root.classList.add("js");

  // Airflow's colour tokens -> ours; shared/tokens.css holds what stands where they cannot be read
  const TOKENS = {
    bg: "bg",
    "bg-muted": "bg-muted",
    "bg-panel": "bg",
    border: "border",
    "border-strong": "border-emphasized",
    fg: "fg",
    "fg-muted": "fg-muted",
    brand: "brand-solid",
    "brand-fg": "brand-fg",
    link: "fg-info",
  };

  /** The root element of Airflow's page, where there is one. */
  const airflow = () => {
    try {
      return parent !== window ? parent.document.documentElement : null;
    } catch {
      return null; // framed by a stranger: the headers forbid it anyway
    }
  };

  const stored = () => {
    try {
      return localStorage.getItem("theme");
    } catch {
      return null;
    }
  };

  /** @param {HTMLElement | null} outer */
  const chosen = (outer) => {
    for (const theme of ["light", "dark"]) {
      if (outer?.classList.contains(theme)) return theme;
    }
    const theme = stored();
    if (theme === "light" || theme === "dark") return theme;
    return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  };

  const follow = () => {
    const outer = airflow();
    root.dataset.theme = chosen(outer);
    if (!outer) return;
    const colours = getComputedStyle(outer);
    for (const [ours, theirs] of Object.entries(TOKENS)) {
      const value = colours.getPropertyValue(`--chakra-colors-${theirs}`).trim();
      if (value) root.style.setProperty(`--${ours}`, value);
    }
  };

  follow();
  addEventListener("storage", (event) => {
    if (event.key === "theme" || event.key === null) follow();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", follow);
  const outer = airflow();
  if (outer) {
    const watch = new MutationObserver(follow);
    watch.observe(outer, { attributes: true, attributeFilter: ["class"] });
    addEventListener("pagehide", () => watch.disconnect());
  }
})();
