// Owners of the filter form that are typed, not picked.
import { need } from "../shared/dom.js";

/**
 * Put a typed name among the chosen ones.
 *
 * @param {HTMLElement} menu
 * @param {string} name of the form's field
 * @param {string} value
 */
export const takeTyped = (menu, name, value) => {
  const label = document.createElement("label");
  label.className = "option";
  const box = document.createElement("input");
  Object.assign(box, { type: "checkbox", name, value, checked: true });
  const words = document.createElement("span");
  words.textContent = value;
  label.append(box, words);
  need(menu, ".chosen").append(label);
};
