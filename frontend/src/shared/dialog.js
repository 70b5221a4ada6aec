// The one dialog of a page. It opens when an answer was put into #dialog-body and closes by Escape or [data-close];
// after a change (an answer with the header HX-Trigger: taskops:changed) closing it shows the page anew.
import { around, find } from "./dom.js";
import { onAnswer } from "./events.js";

/** What takes longer than this gets a dialog that says so. */
const PATIENCE_MS = 300;

const waiting = () => {
  const line = document.createElement("p");
  line.className = "waiting";
  line.setAttribute("role", "status");
  const spinner = document.createElement("span");
  spinner.className = "spinner";
  line.append(spinner, "Working out what this would do…");
  return line;
};

export const dialogs = () => {
  const dialog = find(document, "#dialog", HTMLDialogElement);
  const body = document.getElementById("dialog-body");
  if (!dialog || !body) return;
  /** @type {Element | null} */
  let opener = null;
  let isChanged = false;
  /** The request that is to open the dialog. @type {XMLHttpRequest | null} */
  let pending = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  /** That request, once the dialog says that it waits for it. @type {XMLHttpRequest | null} */
  let awaited = null;

  onAnswer("htmx:beforeRequest", (event) => {
    if (dialog.open || event.detail.target !== body) return;
    opener = document.activeElement;
    const { xhr } = event.detail;
    pending = xhr;
    timer = setTimeout(() => {
      body.replaceChildren(waiting());
      dialog.showModal();
      awaited = xhr;
    }, PATIENCE_MS);
  });
  onAnswer("htmx:afterRequest", (event) => {
    if (event.detail.xhr !== pending) return;
    clearTimeout(timer);
    pending = null;
    awaited = null;
    if (event.detail.failed && !event.detail.xhr.status && dialog.open) dialog.close(); // no answer at all
  });
  onAnswer("htmx:afterSwap", (event) => {
    if (event.detail.target !== body) return;
    if (!dialog.open) dialog.showModal();
    else find(body, "[autofocus]")?.focus();
  });
  onAnswer("taskops:changed", () => {
    isChanged = true;
  });
  dialog.addEventListener("click", (event) => {
    if (around(event.target, "[data-close]")) dialog.close();
  });
  dialog.addEventListener("cancel", (event) => {
    // what is being applied ends with an answer, which is worth waiting for
    if (body.querySelector("form.htmx-request")) event.preventDefault();
  });
  // The browser tells of it some time after the dialog went, and gives the focus back before: by then the next press may
  // have been made, and its request, or the dialog that it opened, is not what was closed.
  dialog.addEventListener("close", () => {
    if (isChanged) {
      // what would be pressed now belongs to the page that comes
      document.body.inert = true;
      location.reload();
      return;
    }
    awaited?.abort();
    if (pending === awaited) pending = null;
    awaited = null;
    if (pending ?? dialog.open) return;
    body.replaceChildren();
    if (opener instanceof HTMLElement || opener instanceof SVGElement) opener.focus();
  });
};
