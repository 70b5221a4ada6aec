// The boxes in front of rows: ranges with Shift, the page, all rows that match; and the toolbar that needs them.
import { around, find, findAll, need } from "../shared/dom.js";

const number = new Intl.NumberFormat("en");

class Selection {
  /** @param {HTMLFormElement} form */
  constructor(form) {
    this.form = form;
    this.boxes = findAll(document, "input[name=target][form=selection]", HTMLInputElement);
    this.page = need(document, "input[data-select-page]", HTMLInputElement);
    this.matching = need(form, "input[name=matching]", HTMLInputElement);
    /** Where a range begins. @type {HTMLInputElement | null} */
    this.last = null;
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
    const words = need(this.form, "[data-selected]");
    if (this.isAll) words.textContent = `All ${number.format(total)} selected`;
    else words.textContent = count ? `${number.format(count)} selected` : (words.dataset.nothing ?? "");
    need(this.form, "[data-select-matching]").hidden = !count || !more || this.isAll;
    need(this.form, "[data-select-none]").hidden = !count;
    for (const button of findAll(this.form, "button[hx-post]", HTMLButtonElement)) button.disabled = !count;
  }

  /**
   * @param {boolean} checked
   * @param {boolean} [matching] whether it means all rows that match, not those of the page alone
   */
  setAll(checked, matching = false) {
    for (const box of this.boxes) box.checked = checked;
    this.matching.disabled = !matching;
    this.last = null;
    this.show();
  }

  /**
   * @param {HTMLInputElement} box
   * @param {boolean} isRange
   */
  choose(box, isRange) {
    this.matching.disabled = true;
    const [from, to] = [this.boxes.indexOf(this.last ?? box), this.boxes.indexOf(box)].sort((a, b) => a - b);
    if (isRange) for (const one of this.boxes.slice(from, to + 1)) one.checked = box.checked;
    this.last = box;
    this.show();
  }
}

export const selection = () => {
  const form = find(document, "#selection", HTMLFormElement);
  if (!form) return;
  const chosen = new Selection(form);
  let isShift = false;
  // a box that is clicked through its label, or by the space bar, does not tell of the Shift key itself
  for (const kind of /** @type {const} */ (["pointerdown", "keydown", "keyup"])) {
    addEventListener(kind, (event) => (isShift = event.shiftKey), true);
  }
  document.addEventListener("change", (event) => {
    const box = chosen.boxes.find((one) => one === event.target);
    if (event.target === chosen.page) chosen.setAll(chosen.page.checked);
    else if (box) chosen.choose(box, isShift);
  });
  form.addEventListener("click", (event) => {
    if (around(event.target, "[data-select-none]")) {
      chosen.setAll(false);
      chosen.page.focus();
    } else if (around(event.target, "[data-select-matching]")) {
      chosen.setAll(true, true);
      need(form, "[data-select-none]").focus();
    }
  });
  // all rows that match are named by the list's filter, not one by one
  form.addEventListener("formdata", (event) => {
    if (chosen.isAll) event.formData.delete("target");
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  chosen.show();
};
