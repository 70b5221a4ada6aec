// Dates and times in the filter form are in the time zone that the person chose in Airflow; the form says which it is.
import { zoneName } from "./times.js";

export const momentFields = () => {
  const form = document.querySelector("form.filters");
  const fields = form ? [...form.querySelectorAll("input[type=datetime-local]")] : [];
  if (!fields.length) return;
  let zone = form.querySelector("input[name=zone]");
  for (const field of fields) {
    field.addEventListener("change", () => {
      if (!zone) {
        zone = document.createElement("input");
        zone.type = "hidden";
        zone.name = "zone";
        form.append(zone);
      }
      zone.value = zoneName();
    });
  }
  form.addEventListener("formdata", (event) => {
    if (!fields.some((field) => field.value)) event.formData.delete("zone");
  });
};
