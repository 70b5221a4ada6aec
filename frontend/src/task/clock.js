// Durations and times of day as the charts write them.

const HOUR = 3600;
const DAY = 24 * HOUR;

/** @type {[string, number][]} */
const UNITS = [
  ["d", DAY],
  ["h", HOUR],
  ["min", 60],
  ["s", 1],
];

/**
 * 0.4 s, 12 s, 3 min 5 s, 2 h 10 min: as the server writes them.
 *
 * @param {number} seconds
 */
export const span = (seconds) => {
  if (seconds === 0) return "0 s";
  if (seconds < 10) return `${Number(seconds.toFixed(1))} s`;
  let left = Math.round(seconds);
  const parts = [];
  for (const [unit, length] of UNITS) {
    const number = Math.floor(left / length);
    left %= length;
    if (number || parts.length) parts.push(number ? `${number} ${unit}` : "");
  }
  return parts.slice(0, 2).filter(Boolean).join(" ");
};

/**
 * Seconds since the day, or the hour, began at a moment, in a zone; wall clock time, so that it survives DST.
 *
 * @param {number} moment in ms
 * @param {string} zone
 * @param {boolean} isHour
 */
export const clockOf = (moment, zone, isHour) => {
  const parts = new Intl.DateTimeFormat("en-GB", {
    timeZone: zone,
    hourCycle: "h23",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
  }).formatToParts(moment);
  /** @param {string} type */
  const part = (type) => Number(parts.find((one) => one.type === type)?.value);
  return (isHour ? 0 : part("hour") * HOUR) + part("minute") * 60 + part("second");
};

/** @param {number} number */
const two = (number) => String(number).padStart(2, "0");

/**
 * 07:05, 01:30 (+1 d): seconds since a day began. 12:30, 65:00: minutes and seconds since an hour did.
 *
 * @param {number} seconds
 * @param {boolean} isHour
 */
export const clock = (seconds, isHour) => {
  const whole = Math.round(seconds);
  if (isHour) return `${two(Math.floor(whole / 60))}:${two(whole % 60)}`;
  const days = Math.floor(whole / DAY);
  const rest = whole % DAY;
  return `${two(Math.floor(rest / HOUR))}:${two(Math.floor((rest % HOUR) / 60))}${days ? ` (+${days} d)` : ""}`;
};

/** Steps at which people read clocks and durations. */
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, ...[1, 2, 3, 6, 12, 24].map((hours) => hours * HOUR)];
const MOST_TICKS = 8;

/**
 * The step of an axis that covers so many seconds.
 *
 * @param {number} range
 */
export const stepOf = (range) =>
  STEPS.find((step) => range / step <= MOST_TICKS) ?? Math.ceil(range / MOST_TICKS / DAY) * DAY;
