// The column menu: moving a column up and down in its order.

export const columnMenu = () => {
  const menu = document.getElementById("columns");
  if (!menu) return;
  menu.addEventListener("click", (event) => {
    const button = event.target.closest("[data-move]");
    if (!button) return;
    const line = button.closest("li");
    const lines = [...menu.querySelectorAll("li:not([hidden])")];
    const at = lines.indexOf(line);
    if (button.dataset.move === "up") lines[at - 1]?.before(line);
    else lines[at + 1]?.after(line);
    button.focus(); // moving it took the focus away
    const place = [...menu.querySelectorAll("li:not([hidden])")].indexOf(line) + 1;
    const label = line.querySelector("label").firstElementChild.nextElementSibling.firstChild.textContent.trim();
    document.getElementById("status").textContent = `${label}: ${place} of ${lines.length}`;
  });
};
