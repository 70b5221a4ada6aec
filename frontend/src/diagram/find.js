// The search box of a diagram: a list of tasks to choose from while typing; Enter goes to the one that is marked.
import { around, findAll, need } from "../shared/dom.js";

/** @typedef {import("./graph.js").Box} Box */

const MOST = 8;
/** How many search boxes there are, so that each has ids of its own. */
let made = 0;

/**
 * The tasks whose name or id has the words in it, the earlier in it the further in front.
 *
 * @param {Box[]} boxes
 * @param {string} words
 */
export const matching = (boxes, words) => {
  const wanted = words.trim().toLocaleLowerCase();
  if (!wanted) return [];
  const found = [];
  for (const box of boxes) {
    const places = [box.name, box.id].map((name) => name.toLocaleLowerCase().indexOf(wanted));
    const at = Math.min(...places.filter((place) => place >= 0));
    if (at < Infinity) found.push({ box, at });
  }
  return found.sort((a, b) => a.at - b.at || a.box.name.localeCompare(b.box.name)).map(({ box }) => box);
};

class Search {
  /**
   * @param {HTMLElement} view
   * @param {Box[]} boxes
   * @param {(box: Box) => void} go
   */
  constructor(view, boxes, go) {
    this.field = need(view, "[data-find]", HTMLInputElement);
    this.list = need(this.field.parentElement ?? view, "[role=listbox]");
    this.boxes = boxes;
    this.go = go;
    this.prefix = `diagram-find-${(made += 1)}`;
    this.list.id = this.prefix;
    this.field.setAttribute("aria-controls", this.prefix);
    /** @type {Box[]} */
    this.offered = [];
    this.marked = 0;
    this.listen();
  }

  shut() {
    this.list.hidden = true;
    this.field.setAttribute("aria-expanded", "false");
    this.field.removeAttribute("aria-activedescendant");
  }

  /** @param {number} index */
  mark(index) {
    this.marked = index;
    findAll(this.list, "[role=option]").forEach((option, at) => {
      option.setAttribute("aria-selected", String(at === index));
      if (at === index) this.field.setAttribute("aria-activedescendant", option.id);
    });
  }

  /**
   * @param {Box} box
   * @param {number} index
   */
  option(box, index) {
    const option = document.createElement("li");
    option.id = `${this.prefix}-${index}`;
    option.role = "option";
    option.dataset.index = String(index);
    option.title = box.element.getAttribute("aria-label") ?? "";
    option.textContent = box.name;
    return option;
  }

  offer() {
    const found = matching(this.boxes, this.field.value);
    this.offered = found.slice(0, MOST);
    const items = this.offered.map((box, index) => this.option(box, index));
    if (found.length !== this.offered.length || !found.length) {
      const rest = document.createElement("li");
      rest.className = "rest";
      rest.textContent = found.length ? `and ${found.length - this.offered.length} more` : "No such task";
      items.push(rest);
    }
    this.list.replaceChildren(...items);
    if (!this.field.value.trim()) {
      this.shut();
      return;
    }
    this.list.hidden = false;
    this.field.setAttribute("aria-expanded", "true");
    this.mark(0);
  }

  /** @param {number} index */
  choose(index) {
    const box = this.offered[index];
    if (!box) return;
    this.shut();
    this.field.value = box.name;
    this.go(box);
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    const step = event.key === "ArrowDown" ? 1 : -1;
    if (event.key === "Enter") {
      event.preventDefault();
      if (this.list.hidden) this.offer();
      this.choose(this.marked);
    } else if (event.key === "Escape" && !this.list.hidden) {
      event.preventDefault();
      event.stopPropagation();
      this.shut();
    } else if (/^Arrow(Down|Up)$/.test(event.key) && this.offered.length && !this.list.hidden) {
      event.preventDefault();
      this.mark((this.marked + step + this.offered.length) % this.offered.length);
    }
  }

  listen() {
    this.field.addEventListener("input", () => this.offer());
    this.field.addEventListener("focus", () => {
      if (this.field.value) this.offer();
    });
    this.field.addEventListener("blur", () => this.shut());
    this.field.addEventListener("keydown", (event) => this.press(event));
    // before the field loses the focus, which shuts the list
    this.list.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      const option = around(event.target, "[role=option]");
      if (option) this.choose(Number(option.dataset.index));
    });
  }
}

/**
 * @param {HTMLElement} view
 * @param {import("./graph.js").Graph} graph
 * @param {(box: Box) => void} go is called with the box that was chosen
 */
export const findBox = (view, graph, go) => {
  new Search(
    view,
    graph.boxes.filter((box) => box.name),
    go,
  );
};
