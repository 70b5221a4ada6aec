// Rows that open: what is below one is fetched when it is opened first.
import htmx from "htmx.org";

const below = (row) => {
  const next = row.nextElementSibling;
  return next?.classList.contains("opened") ? next : null;
};

const open = (row, url) => {
  const place = document.createElement("tr");
  place.className = "opened";
  const cell = place.insertCell();
  cell.colSpan = row.cells.length;
  const content = document.createElement("div");
  content.className = "opened-content";
  cell.append(content);
  row.after(place);
  htmx.ajax("GET", url, { target: content, swap: "innerHTML" });
};

export const openingRows = () => {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-expand]");
    if (!button) return;
    const row = button.closest("tr");
    const place = below(row);
    if (!place) open(row, button.dataset.expand);
    else place.hidden = !place.hidden;
    button.ariaExpanded = String(!below(row).hidden);
  });
};
