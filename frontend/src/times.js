// Times in the time zone that the person chose in Airflow.

const zone = () => {
  try {
    return JSON.parse(localStorage.getItem("timezone")) || undefined;
  } catch {
    return undefined;
  }
};

/** The person's time zone, by its name; UTC where the browser does not know the one that was chosen. */
export const zoneName = () => {
  try {
    return format(zone()).resolvedOptions().timeZone;
  } catch {
    return "UTC";
  }
};

const format = (timeZone) =>
  // Swedish writes yyyy-MM-dd HH:mm:ss
  new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short", timeStyle: "medium" });

/** Wall clock time of a moment in a zone: yyyy-MM-ddTHH:mm:ss. */
export const wallClock = (moment, timeZone) => format(timeZone).format(moment).replace(" ", "T");

const write = () => {
  let inZone;
  try {
    inZone = format(zone());
  } catch {
    inZone = format("UTC");
  }
  const name = inZone.resolvedOptions().timeZone;
  for (const time of document.querySelectorAll("time[datetime]")) {
    time.textContent = inZone.format(new Date(time.dateTime));
  }
  for (const place of document.querySelectorAll("[data-zone]")) place.textContent = name;
  // fields for a time zone begin with the person's own
  for (const field of document.querySelectorAll("input[data-in-zone]")) field.value ||= name;
};

export const localTimes = () => {
  write();
  document.body.addEventListener("htmx:load", write);
  addEventListener("storage", (event) => {
    if (event.key === "timezone" || event.key === null) write();
  });
};
