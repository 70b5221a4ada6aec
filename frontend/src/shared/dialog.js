// The one dialog of a page. It opens when an answer was put into #dialog-body and closes by Escape or [data-close];
// after a change (an answer with the header HX-Trigger: taskops:changed) closing it shows the page anew.

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
  const dialog = document.getElementById("dialog");
  const body = document.getElementById("dialog-body");
  if (!dialog || !body) return;
  let opener = null;
  let isChanged = false;
  let pending = null; // the request that is to open the dialog
  let timer = 0;

  document.body.addEventListener("htmx:beforeRequest", (event) => {
    if (dialog.open || event.detail.target !== body) return;
    opener = document.activeElement;
    pending = event.detail.xhr;
    timer = setTimeout(() => {
      body.replaceChildren(waiting());
      dialog.showModal();
    }, PATIENCE_MS);
  });
  document.body.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.xhr !== pending) return;
    clearTimeout(timer);
    pending = null;
    if (event.detail.failed && !event.detail.xhr.status && dialog.open) dialog.close(); // no answer at all
  });
  document.body.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target !== body) return;
    if (!dialog.open) dialog.showModal();
    else body.querySelector("[autofocus]")?.focus();
  });
  document.body.addEventListener("taskops:changed", () => {
    isChanged = true;
  });
  dialog.addEventListener("click", (event) => {
    if (event.target.closest("[data-close]")) dialog.close();
  });
  dialog.addEventListener("cancel", (event) => {
    // what is being applied ends with an answer, which is worth waiting for
    if (body.querySelector("form.htmx-request")) event.preventDefault();
  });
  dialog.addEventListener("close", () => {
    clearTimeout(timer);
    pending?.abort();
    pending = null;
    body.replaceChildren();
    if (isChanged) {
      // what would be pressed now belongs to the page that comes
      document.body.inert = true;
      location.reload();
    } else opener?.focus();
  });
};
