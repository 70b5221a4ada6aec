// Buttons that copy a name or an id.
import { around, tell } from "./dom.js";

/** How long a button says that it did. */
const DONE_MS = 1500;

/** @param {string} text */
const write = async (text) => {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    return;
  }
  // pages over plain http have no clipboard
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "sr-only";
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  if (!done) throw new Error("not copied");
};

export const copyButtons = () => {
  addEventListener("click", async (event) => {
    const button = around(event.target, "button[data-copy]");
    if (!button) return;
    const text = button.dataset.copy ?? "";
    try {
      await write(text);
      tell(`Copied ${text}`);
      button.classList.add("done");
    } catch {
      tell(`Could not copy ${text}`);
    }
    button.focus();
    setTimeout(() => button.classList.remove("done"), DONE_MS);
  });
};
