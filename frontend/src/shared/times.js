// Times in the time zone that the person chose in Airflow.
import { findAll } from "./dom.js";
import { onAnswer } from "./events.js";

/** What Airflow's page keeps, if that is a name; nothing means the browser's own zone. */
const chosen = () => {
  try {
    return JSON.parse(localStorage.getItem("timezone") ?? "null") || undefined;
  } catch {
    return undefined;
  }
};

/** @param {string | undefined} timeZone */
const format = (timeZone) =>
  // Swedish writes yyyy-MM-dd HH:mm:ss
  new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short", timeStyle: "medium" });

/** In the person's zone; in UTC where the browser does not know the one that was chosen. */
const formatInZone = () => {
  try {
    return format(chosen());
  } catch {
    return format("UTC");
  }
};

/** The person's time zone, by its name. */
export const zoneName = () => formatInZone().resolvedOptions().timeZone;

/**
 * Wall clock time of a moment in a zone: yyyy-MM-ddTHH:mm:ss.
 *
 * @param {Date} moment
 * @param {string} timeZone
 */
export const wallClock = (moment, timeZone) => format(timeZone).format(moment).replace(" ", "T");

/**
 * The same to the minute, as fields for date and time have it.
 *
 * @param {Date} moment
 * @param {string} timeZone
 */
export const wallClockMinute = (moment, timeZone) => wallClock(moment, timeZone).slice(0, 16);

/**
 * Act when another zone was chosen in Airflow's page.
 *
 * @param {() => void} act
 */
export const onZoneChange = (act) => {
  addEventListener("storage", (event) => {
    if (event.key === "timezone" || event.key === null) act();
  });
};

const write = () => {
  const inZone = formatInZone();
  const name = zoneName();
  for (const time of findAll(document, "time[datetime]", HTMLTimeElement)) {
    time.textContent = inZone.format(new Date(time.dateTime));
  }
  for (const place of findAll(document, "[data-zone]")) place.textContent = name;
  // fields for a time zone begin with the person's own
  for (const field of findAll(document, "input[data-in-zone]", HTMLInputElement)) field.value ||= name;
};

export const localTimes = () => {
  write();
  onAnswer("htmx:load", write);
  onZoneChange(write);
};
