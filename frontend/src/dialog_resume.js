// When paused tasks start again: a date and time in the person's time zone, and quick choices.
import { zoneName } from "./times.js";

const DAY_MS = 24 * 3600 * 1000;

/** Wall clock time of a moment in a zone: yyyy-MM-ddTHH:mm. */
const wallClock = (moment, timeZone) =>
  new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short", timeStyle: "short" }).format(moment).replace(" ", "T");

const days = (today, number) => new Date(Date.parse(`${today}Z`) + number * DAY_MS).toISOString().slice(0, 10);

const CHOICES = {
  hour: (zone) => wallClock(new Date(Date.now() + 3600 * 1000), zone),
  tomorrow: (zone) => `${days(wallClock(new Date(), zone), 1)}T08:00`,
  monday: (zone) => {
    const now = wallClock(new Date(), zone);
    const weekday = new Date(`${now}Z`).getUTCDay(); // 0: Sunday
    return `${days(now, weekday === 0 ? 1 : 8 - weekday)}T08:00`;
  },
  "": () => "",
};

const prepare = (fields) => {
  const zone = zoneName();
  fields.querySelector("input[name=zone]").value = zone;
  fields.querySelector("[data-zone]").textContent = zone;
  fields.querySelector("input[name=resume_at]").min = wallClock(new Date(), zone);
};

export const resumeFields = () => {
  document.body.addEventListener("htmx:load", (event) => {
    const fields = event.detail.elt.querySelector?.("[data-resume]");
    if (fields) prepare(fields);
  });
  document.body.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-resume] button[data-in]");
    if (!button) return;
    const fields = button.closest("[data-resume]");
    const field = fields.querySelector("input[name=resume_at]");
    field.value = CHOICES[button.dataset.in](fields.querySelector("input[name=zone]").value);
    field.dispatchEvent(new Event("change", { bubbles: true }));
  });
};
