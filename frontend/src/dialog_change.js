// The dialog of an operation: the button that applies, and what is said meanwhile.

/** The form whose plan is asked for anew, or that is applied. */
const formOf = (event) => {
  const form = event.target.closest?.("form#change");
  return form && (event.target === form || event.detail.target?.id === "change-plan") ? form : null;
};

const planOf = (form) => form.querySelector("[data-applies]");

const say = (form, words) => {
  form.querySelector("#change-progress").textContent = words;
};

/** Nothing can be chosen while what was chosen is applied. */
const hold = (form, isHeld) => {
  const options = form.querySelector(".options");
  if (options) options.inert = isHeld;
};

/** Whether there is anything to apply is said by the plan that is shown. */
const allow = (form) => {
  const button = form.querySelector("#change-apply");
  if (button) button.disabled = !(Number(planOf(form)?.dataset.applies) > 0);
};

export const changeDialogs = () => {
  document.body.addEventListener("htmx:beforeRequest", (event) => {
    const form = formOf(event);
    if (!form) return;
    if (event.target === form) {
      say(form, `${planOf(form)?.dataset.progress ?? "Asking"}…`);
      hold(form, true);
    } else {
      event.detail.target.setAttribute("aria-busy", "true");
    }
  });
  document.body.addEventListener("htmx:afterRequest", (event) => {
    const form = formOf(event);
    if (!form) return;
    if (event.target === form) {
      say(form, event.detail.xhr.status ? "" : "Airflow did not answer; look whether it was done.");
      hold(form, false);
    }
    form.querySelector("#change-plan").setAttribute("aria-busy", "false");
    allow(form);
  });
  document.body.addEventListener("keydown", (event) => {
    // Enter is a new line of the reason; with Ctrl it sends, as in other places where one writes
    const form = event.target.closest?.("form#change");
    if (form && event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.tagName === "TEXTAREA") {
      form.querySelector("#change-apply:not(:disabled)")?.click();
    }
  });
};
