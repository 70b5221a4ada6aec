// The boxes in front of rows: ranges with Shift, the page, all rows that match; and the toolbar that needs them.

const number = new Intl.NumberFormat("en");

class Selection {
  constructor(form) {
    this.form = form;
    this.boxes = [...document.querySelectorAll("input[name=target][form=selection]")];
    this.page = document.querySelector("input[data-select-page]");
    this.matching = form.elements.matching;
    this.last = null; // where a range begins
  }

  get isAll() {
    return !this.matching.disabled;
  }

  show() {
    const count = this.boxes.filter((box) => box.checked).length;
    const total = Number(this.form.dataset.total);
    const more = total > Number(this.form.dataset.rows);
    this.page.checked = count > 0 && count === this.boxes.length;
    this.page.indeterminate = count > 0 && count < this.boxes.length;
    const words = this.form.querySelector("[data-selected]");
    if (this.isAll) words.textContent = `All ${number.format(total)} selected`;
    else words.textContent = count ? `${number.format(count)} selected` : words.dataset.nothing;
    this.form.querySelector("[data-select-matching]").hidden = !count || !more || this.isAll;
    this.form.querySelector("[data-select-none]").hidden = !count;
    for (const button of this.form.querySelectorAll("button[hx-post]")) button.disabled = !count;
  }

  setAll(checked, matching = false) {
    for (const box of this.boxes) box.checked = checked;
    this.matching.disabled = !matching;
    this.last = null;
    this.show();
  }

  choose(box, isRange) {
    this.matching.disabled = true;
    const [from, to] = [this.boxes.indexOf(this.last ?? box), this.boxes.indexOf(box)].sort((a, b) => a - b);
    if (isRange) for (const one of this.boxes.slice(from, to + 1)) one.checked = box.checked;
    this.last = box;
    this.show();
  }
}

export const selection = () => {
  const form = document.getElementById("selection");
  if (!form) return;
  const chosen = new Selection(form);
  let isShift = false;
  // a box that is clicked through its label, or by the space bar, does not tell of the Shift key itself
  for (const kind of ["pointerdown", "keydown", "keyup"]) {
    addEventListener(kind, (event) => (isShift = event.shiftKey), true);
  }
  document.addEventListener("change", (event) => {
    if (event.target === chosen.page) chosen.setAll(chosen.page.checked);
    else if (chosen.boxes.includes(event.target)) chosen.choose(event.target, isShift);
  });
  form.addEventListener("click", (event) => {
    if (event.target.closest("[data-select-none]")) {
      chosen.setAll(false);
      chosen.page.focus();
    } else if (event.target.closest("[data-select-matching]")) {
      chosen.setAll(true, true);
      form.querySelector("[data-select-none]").focus();
    }
  });
  // all rows that match are named by the list's filter, not one by one
  form.addEventListener("formdata", (event) => chosen.isAll && event.formData.delete("target"));
  form.addEventListener("submit", (event) => event.preventDefault());
  chosen.show();
};
