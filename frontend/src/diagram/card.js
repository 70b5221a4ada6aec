// The card with the facts of a task: beside the box under the pointer, or the one that has the focus.

const SHOW_MS = 200;
const HIDE_MS = 250;
const GAP = 8;
const OWNERS = 3; // this value is a list

const copyButton = (text) => {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.dataset.copy = text;
  button.title = "Copy ID";
  button.setAttribute("aria-label", `Copy ID ${text}`);
  for (const name of ["copy", "check"]) {
    const icon = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    icon.setAttribute("class", `icon ${name}`);
    icon.setAttribute("aria-hidden", "true");
    const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
    use.setAttribute("href", `#icon-${name}`);
    icon.append(use);
    button.append(icon);
  }
  return button;
};

const owners = (names) => {
  const list = document.createElement("ul");
  list.append(
    ...names.map((name) => {
      const item = document.createElement("li");
      item.textContent = name;
      return item;
    }),
  );
  return list;
};

/** @param place tells where a box is in the frame: {left, right, top, bottom} */
export const factsCard = (view, place) => {
  const card = view.querySelector(".diagram-card");
  const frame = card.parentElement;
  const values = [...card.querySelectorAll("dd")];
  let shown = null;
  let timer = 0;

  const fill = (facts) => {
    facts.forEach((fact, index) => {
      const value = values[index];
      if (index === OWNERS && fact.length) value.replaceChildren(owners(fact));
      else value.replaceChildren(fact.length ? fact : "–");
      if (index === 0) value.append(copyButton(fact));
    });
  };
  const position = () => {
    const box = place(shown);
    const { clientWidth: width, clientHeight: height } = frame;
    const { offsetWidth, offsetHeight } = card;
    const fitting = (least, size, all) => Math.max(GAP, Math.min(least, all - size - GAP));
    let left = box.left;
    let top = box.bottom + GAP;
    if (top + offsetHeight > height) top = box.top - GAP - offsetHeight;
    if (top < 0) {
      // neither below nor above: beside it
      top = box.top;
      left = box.right + GAP + offsetWidth < width ? box.right + GAP : box.left - GAP - offsetWidth;
    }
    card.style.left = `${fitting(left, offsetWidth, width)}px`;
    card.style.top = `${fitting(top, offsetHeight, height)}px`;
  };
  const hide = () => {
    clearTimeout(timer);
    shown = null;
    card.hidden = true;
  };
  const show = (box) => {
    clearTimeout(timer);
    const facts = box.element.dataset.facts;
    if (!facts) return hide();
    if (shown !== box) fill(JSON.parse(facts));
    shown = box;
    card.hidden = false;
    position();
    return undefined;
  };

  card.addEventListener("pointerenter", () => clearTimeout(timer));
  card.addEventListener("pointerleave", () => later(null));
  // the diagram is not to be dragged or zoomed by what happens on the card
  for (const kind of ["pointerdown", "mousedown", "wheel", "touchstart", "dblclick"]) {
    card.addEventListener(kind, (event) => event.stopPropagation(), { passive: true });
  }
  const later = (box) => {
    clearTimeout(timer);
    timer = setTimeout(() => (box ? show(box) : hide()), box ? SHOW_MS : HIDE_MS);
  };
  return {
    show,
    hide,
    later,
    follow: () => shown && position(),
    of: () => shown,
    holds: (element) => Boolean(element) && card.contains(element),
  };
};
