// Buttons that copy a name or an id.

const write = async (text) => {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
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

const tell = (words) => {
  const status = document.getElementById("status");
  if (status) status.textContent = words;
};

export const copyButtons = () => {
  addEventListener("click", async (event) => {
    const button = event.target.closest?.("button[data-copy]");
    if (!button) return;
    const text = button.dataset.copy;
    try {
      await write(text);
      tell(`Copied ${text}`);
      button.classList.add("done");
    } catch {
      tell(`Could not copy ${text}`);
    }
    button.focus();
    setTimeout(() => button.classList.remove("done"), 1500);
  });
};
