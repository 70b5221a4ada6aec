// When paused tasks start again: a date and time in the person's time zone, and quick choices.
import { around, find, need } from "../shared/dom.js";
import { onAnswer } from "../shared/events.js";
import { wallClockMinute, zoneName } from "../shared/times.js";

const HOUR_MS = 3600 * 1000;
const DAY_MS = 24 * HOUR_MS;

/**
 * The day so many days after one.
 *
 * @param {string} now wall clock time
 * @param {number} number
 */
const day = (now, number) => new Date(Date.parse(`${now}Z`) + number * DAY_MS).toISOString().slice(0, 10);

/**
 * What a quick choice means now in a zone, as the field has it.
 *
 * @type {Record<string, (zone: string) => string>}
 */
const CHOICES = {
  hour: (zone) => wallClockMinute(new Date(Date.now() + HOUR_MS), zone),
  tomorrow: (zone) => `${day(wallClockMinute(new Date(), zone), 1)}T08:00`,
  monday: (zone) => {
    const now = wallClockMinute(new Date(), zone);
    const weekday = new Date(`${now}Z`).getUTCDay(); // 0: Sunday
    return `${day(now, weekday === 0 ? 1 : 8 - weekday)}T08:00`;
  },
  "": () => "",
};

/** @param {HTMLElement} fields */
const zoneOf = (fields) => need(fields, "input[name=zone]", HTMLInputElement);

/** @param {HTMLElement} fields */
const momentOf = (fields) => need(fields, "input[name=resume_at]", HTMLInputElement);

/** @param {HTMLElement} fields */
const prepare = (fields) => {
  const zone = zoneName();
  zoneOf(fields).value = zone;
  need(fields, "[data-zone]").textContent = zone;
  momentOf(fields).min = wallClockMinute(new Date(), zone);
};

export const resumeFields = () => {
  onAnswer("htmx:load", (event) => {
    const fields = find(event.detail.elt, "[data-resume]");
    if (fields) prepare(fields);
  });
  document.body.addEventListener("click", (event) => {
    const button = around(event.target, "[data-resume] button[data-in]");
    const fields = around(button, "[data-resume]");
    if (!button || !fields) return;
    const field = momentOf(fields);
    field.value = CHOICES[button.dataset.in ?? ""](zoneOf(fields).value);
    field.dispatchEvent(new Event("change", { bubbles: true }));
  });
};
