// The search box of a diagram: a list of tasks to choose from while typing; Enter goes to the one that is marked.

const MOST = 8;
let made = 0;

const matching = (boxes, words) => {
  const wanted = words.trim().toLocaleLowerCase();
  if (!wanted) return [];
  const found = [];
  for (const box of boxes) {
    const names = [box.name, box.id].map((name) => name.toLocaleLowerCase());
    const at = Math.min(...names.map((name) => name.indexOf(wanted)).filter((place) => place >= 0));
    if (at < Infinity) found.push({ box, at });
  }
  return found.sort((a, b) => a.at - b.at || a.box.name.localeCompare(b.box.name)).map(({ box }) => box);
};

/** @param go is called with the box that was chosen */
export const findBox = (view, graph, go) => {
  const field = view.querySelector("[data-find]");
  const list = field.parentElement.querySelector("[role=listbox]");
  const known = graph.boxes.filter((box) => box.name);
  for (const box of known) {
    const facts = box.element.dataset.facts;
    box.id = facts ? JSON.parse(facts)[0] : box.name;
  }
  const prefix = `diagram-find-${(made += 1)}`;
  list.id = prefix;
  field.setAttribute("aria-controls", prefix);
  let offered = [];
  let marked = 0;

  const shut = () => {
    list.hidden = true;
    field.setAttribute("aria-expanded", "false");
    field.removeAttribute("aria-activedescendant");
  };
  const mark = (index) => {
    marked = index;
    [...list.querySelectorAll("[role=option]")].forEach((option, at) => {
      option.setAttribute("aria-selected", String(at === index));
      if (at === index) field.setAttribute("aria-activedescendant", option.id);
    });
  };
  const offer = () => {
    const found = matching(known, field.value);
    offered = found.slice(0, MOST);
    const items = offered.map((box, index) => {
      const option = document.createElement("li");
      option.id = `${prefix}-${index}`;
      option.role = "option";
      option.dataset.index = index;
      option.title = box.element.getAttribute("aria-label");
      option.textContent = box.name;
      return option;
    });
    if (found.length !== offered.length || !found.length) {
      const rest = document.createElement("li");
      rest.className = "rest";
      rest.textContent = found.length ? `and ${found.length - offered.length} more` : "No such task";
      items.push(rest);
    }
    list.replaceChildren(...items);
    if (!field.value.trim()) return shut();
    list.hidden = false;
    field.setAttribute("aria-expanded", "true");
    mark(0);
  };
  const choose = (index) => {
    if (!offered[index]) return;
    shut();
    field.value = offered[index].name;
    go(offered[index]);
  };

  field.addEventListener("input", offer);
  field.addEventListener("focus", () => field.value && offer());
  field.addEventListener("blur", shut);
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter") {
      event.preventDefault();
      if (list.hidden) offer();
      choose(marked);
    } else if (event.key === "Escape" && !list.hidden) {
      event.preventDefault();
      event.stopPropagation();
      shut();
    } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && offered.length && !list.hidden) {
      event.preventDefault();
      mark((marked + (event.key === "ArrowDown" ? 1 : -1) + offered.length) % offered.length);
    }
  });
  // before the field loses the focus, which shuts the list
  list.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    const option = event.target.closest("[role=option]");
    if (option) choose(Number(option.dataset.index));
  });
};
