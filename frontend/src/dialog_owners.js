// Owners that are typed or picked: each becomes a chip with a hidden field.

const picked = (picker) => [...picker.querySelectorAll("input[name=owner]")].map((field) => field.value);

const check = (picker) => {
  const typed = picker.querySelector("input[name=q]");
  typed.setCustomValidity(picked(picker).length || typed.value.trim() ? "" : "Name at least one owner.");
};

const chip = (picker, owner) => {
  const item = picker.querySelector("template").content.firstElementChild.cloneNode(true);
  item.querySelector(".value").textContent = owner;
  item.querySelector("input").value = owner;
  const label = `Remove ${owner}`;
  item.querySelector("button").setAttribute("aria-label", label);
  return item;
};

const changed = (picker) => {
  check(picker);
  picker.querySelector(".picked").dispatchEvent(new Event("change", { bubbles: true }));
};

const take = (picker) => {
  const typed = picker.querySelector("input[name=q]");
  const names = typed.value.split(",").map((name) => name.trim()).filter(Boolean);
  const added = [...new Set(names)].filter((name) => !picked(picker).includes(name));
  typed.value = "";
  picker.querySelector(".picked").append(...added.map((name) => chip(picker, name)));
  if (added.length) changed(picker);
};

/** Whether a button of the mouse, or a finger, is down. */
let isPressed = false;
const RELEASED = ["pointerup", "pointercancel"];

const watchPresses = () => {
  document.addEventListener("pointerdown", (event) => { isPressed = event.isPrimary && event.button === 0; }, true);
  for (const end of RELEASED) document.addEventListener(end, () => { isPressed = false; }, true);
  // should the release have been elsewhere
  document.addEventListener("keydown", () => { isPressed = false; }, true);
};

/** Do something now, or at the end of a press: what moves meanwhile would be missed by the click. */
const whenReleased = (then) => {
  if (!isPressed) return then();
  const once = new AbortController();
  const end = () => {
    once.abort();
    then();
  };
  for (const kind of RELEASED) document.addEventListener(kind, end, { signal: once.signal });
};

const pickerOf = (event) => event.target.closest?.("[data-owners]");

export const ownersPicker = () => {
  watchPresses();
  document.body.addEventListener("htmx:load", (event) => {
    const picker = event.detail.elt.querySelector?.("[data-owners]");
    if (picker) check(picker);
  });
  document.body.addEventListener("keydown", (event) => {
    const picker = pickerOf(event);
    if (!picker || event.target.name !== "q") return;
    if ((event.key === "Enter" || event.key === ",") && event.target.value.trim()) {
      event.preventDefault(); // adds the name; Enter in the empty field sends the form
      take(picker);
    } else if (event.key === "Backspace" && !event.target.value) {
      picker.querySelector(".picked > li:last-child [data-remove]")?.click();
    }
  });
  document.body.addEventListener("input", (event) => {
    const picker = pickerOf(event);
    if (!picker || event.target.name !== "q") return;
    check(picker);
    // a choice of the list is no typing
    if (!event.inputType || event.inputType === "insertReplacementText") take(picker);
  });
  document.body.addEventListener("focusout", (event) => {
    const picker = pickerOf(event);
    if (picker && event.target.name === "q" && event.target.value.trim()) whenReleased(() => take(picker));
  });
  document.body.addEventListener("click", (event) => {
    const picker = pickerOf(event);
    const button = event.target.closest?.("[data-remove]");
    if (!picker || !button) return;
    button.closest("li").remove();
    picker.querySelector("input[name=q]").focus();
    changed(picker);
  });
};
