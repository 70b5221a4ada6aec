// The date fields of a filter, in the time zone that the person chose in Airflow. The server writes and reads the wall
// clock of the zone that the form names: UTC without script.
import { wallClock, zoneName } from "./times.js";

const write = (form) => {
  const zone = zoneName();
  form.elements.zone.value = zone;
  for (const field of form.querySelectorAll("input[data-moment]")) {
    field.value = wallClock(new Date(field.dataset.moment), zone).slice(0, 16); // to the minute
  }
};

export const zonedFilter = () => {
  const form = document.querySelector("form[data-zoned]");
  if (!form) return;
  write(form);
  addEventListener("storage", (event) => {
    if (event.key === "timezone" || event.key === null) write(form);
  });
  form.addEventListener("formdata", (event) => {
    // fields without a value have no place in the address, nor has a zone without times
    const ranges = [...form.querySelectorAll("input[type=datetime-local]")];
    for (const field of ranges) if (!field.value) event.formData.delete(field.name);
    if (!ranges.some((field) => field.value)) event.formData.delete("zone");
  });
};
