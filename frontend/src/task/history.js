// The date fields of a filter, in the time zone that the person chose in Airflow. The server writes and reads the wall
// clock of the zone that the form names: UTC without script.
import { find, findAll, need } from "../shared/dom.js";
import { onZoneChange, wallClockMinute, zoneName } from "../shared/times.js";

/** @param {HTMLFormElement} form */
const write = (form) => {
  const zone = zoneName();
  need(form, "input[name=zone]", HTMLInputElement).value = zone;
  for (const field of findAll(form, "input[data-moment]", HTMLInputElement)) {
    field.value = wallClockMinute(new Date(field.dataset.moment ?? ""), zone);
  }
};

export const zonedFilter = () => {
  const form = find(document, "form[data-zoned]", HTMLFormElement);
  if (!form) return;
  write(form);
  onZoneChange(() => write(form));
  form.addEventListener("formdata", (event) => {
    // fields without a value have no place in the address, nor has a zone without times
    const ranges = findAll(form, "input[type=datetime-local]", HTMLInputElement);
    for (const field of ranges) if (!field.value) event.formData.delete(field.name);
    if (!ranges.some((field) => field.value)) event.formData.delete("zone");
  });
};
