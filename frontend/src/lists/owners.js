// Owners of the filter form that are typed, not picked.

/** Put a typed name among the chosen ones. */
export const takeTyped = (menu, name, value) => {
  const label = document.createElement("label");
  label.className = "option";
  const box = document.createElement("input");
  Object.assign(box, { type: "checkbox", name, value, checked: true });
  const words = document.createElement("span");
  words.textContent = value;
  label.append(box, words);
  menu.querySelector(".chosen").append(label);
};
