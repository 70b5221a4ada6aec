// Dates and times in the filter form are in the time zone that the person chose in Airflow; the form says which it is.
import { find, findAll } from "../shared/dom.js";
import { zoneName } from "../shared/times.js";

/** @param {HTMLFormElement} form */
const addZone = (form) => {
  const zone = document.createElement("input");
  zone.type = "hidden";
  zone.name = "zone";
  form.append(zone);
  return zone;
};

export const momentFields = () => {
  const form = find(document, "form.filters", HTMLFormElement);
  const fields = form ? findAll(form, "input[type=datetime-local]", HTMLInputElement) : [];
  if (!form || !fields.length) return;
  for (const field of fields) {
    field.addEventListener("change", () => {
      const zone = find(form, "input[name=zone]", HTMLInputElement) ?? addZone(form);
      zone.value = zoneName();
    });
  }
  form.addEventListener("formdata", (event) => {
    if (!fields.some((field) => field.value)) event.formData.delete("zone");
  });
};
