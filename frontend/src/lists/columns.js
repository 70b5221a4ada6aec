// The column menu: moving a column up and down in its order.
import { around, findAll, need, tell } from "../shared/dom.js";

export const columnMenu = () => {
  const menu = document.getElementById("columns");
  if (!menu) return;
  menu.addEventListener("click", (event) => {
    const button = around(event.target, "[data-move]");
    const line = around(button, "li");
    if (!button || !line) return;
    const lines = () => findAll(menu, "li:not([hidden])");
    const all = lines();
    const at = all.indexOf(line);
    if (button.dataset.move === "up") all[at - 1]?.before(line);
    else all[at + 1]?.after(line);
    button.focus(); // moving it took the focus away
    // what the label says beside its hints
    const label = need(line, "label > span").firstChild?.textContent?.trim();
    tell(`${label}: ${lines().indexOf(line) + 1} of ${all.length}`);
  });
};
