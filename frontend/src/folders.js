// The tree of folders in the filter form.

/** A folder means those below it too: where one is ticked, they are shown as included and cannot be ticked. */
export const markIncluded = (menu) => {
  if (!menu.querySelector(".tree")) return;
  const all = [...menu.querySelectorAll("input[name=folder]")].filter((box) => box.type === "checkbox");
  const ticked = all.filter((box) => box.checked).map((box) => `${box.value}/`);
  for (const box of all) {
    const isIncluded = ticked.some((path) => box.value.startsWith(path));
    if (isIncluded) box.checked = false;
    box.disabled = isIncluded;
    box.indeterminate = isIncluded;
  }
};

/** Right opens a folder, left closes it and then goes to the one that it is in. */
export const folderKeys = (event) => {
  const item = event.target.type === "checkbox" && event.target.closest(".tree li");
  if (!item) return;
  const own = item.querySelector(":scope > details");
  if (event.key === "ArrowRight" && own && !own.open) {
    own.open = true;
  } else if (event.key === "ArrowLeft" && own?.open) {
    own.open = false;
  } else if (event.key === "ArrowLeft") {
    item.parentElement.closest("li")?.querySelector("input").focus();
  } else {
    return;
  }
  event.preventDefault();
};
