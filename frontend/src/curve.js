// The execution curve: charts of the rows of the table below them. Chart.js comes only where there is one.

const read = (area) => {
  const table = area.parentElement.querySelector(".curve-table");
  const moment = (row, name) => Date.parse(row.querySelector(`td.${name} time`).dateTime);
  return [...table.tBodies[0].rows].map((row) => ({
    label: row.cells[0].textContent.trim(),
    data: row.cells[1].querySelector("time"),
    state: row.dataset.state,
    seconds: row.dataset.seconds ? Number(row.dataset.seconds) : null,
    start: moment(row, "start"),
    end: moment(row, "end"),
  }));
};

export const curves = async () => {
  const area = document.querySelector("[data-curve]");
  if (!area) return;
  try {
    const { draw } = await import("./curve_charts.js");
    draw(area, read(area));
  } catch (error) {
    area.querySelector("[data-curve-problem]").hidden = false;
    area.nextElementSibling.open = true;
    throw error;
  }
};
