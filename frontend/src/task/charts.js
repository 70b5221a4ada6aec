// Two charts of the last instances: how long they took; when they started and ended. Only what they use of Chart.js.
import {
  CategoryScale,
  Chart,
  Legend,
  LineController,
  LineElement,
  LinearScale,
  PointElement,
  Tooltip,
} from "chart.js";
import { zoneName } from "./times.js";

Chart.register(CategoryScale, Legend, LineController, LineElement, LinearScale, PointElement, Tooltip);

const HOUR = 3600;
const UNITS = [
  ["d", 24 * HOUR],
  ["h", HOUR],
  ["min", 60],
  ["s", 1],
];

/** 0.4 s, 12 s, 3 min 5 s, 2 h 10 min: as the server writes them. */
const span = (seconds) => {
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

const colour = (name) => {
  // canvases know no custom properties, nor light-dark(): ask for what they come to
  const probe = document.createElement("i");
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
};

const palette = () => ({
  text: colour("fg-muted"),
  grid: colour("border"),
  line: colour("blue"),
  end: colour("purple"),
  failed: colour("red"),
  background: colour("bg"),
});

/** Seconds since the day, or the hour, began at a moment, in a zone; wall clock time, so that it survives DST. */
const clockOf = (moment, zone, isHour) => {
  const parts = new Intl.DateTimeFormat("en-GB", {
    timeZone: zone,
    hourCycle: "h23",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
  }).formatToParts(moment);
  const part = (type) => Number(parts.find((one) => one.type === type).value);
  return (isHour ? 0 : part("hour") * HOUR) + part("minute") * 60 + part("second");
};

const two = (number) => String(number).padStart(2, "0");

/** 07:05, 01:30 (+1 d): seconds since a day began. 12:30, 65:00: minutes and seconds since an hour did. */
const clock = (seconds, isHour) => {
  const whole = Math.round(seconds);
  if (isHour) return `${two(Math.floor(whole / 60))}:${two(whole % 60)}`;
  const days = Math.floor(whole / (24 * HOUR));
  const rest = whole % (24 * HOUR);
  return `${two(Math.floor(rest / HOUR))}:${two(Math.floor((rest % HOUR) / 60))}${days ? ` (+${days} d)` : ""}`;
};

/** Steps at which people read clocks and durations. */
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, 24 * HOUR];
const MOST_TICKS = 8;

const stepOf = (range) => STEPS.find((step) => range / step <= MOST_TICKS) ?? Math.ceil(range / MOST_TICKS / (24 * HOUR)) * 24 * HOUR;

const dataset = (label, values, points, ink, dash = []) => ({
  label,
  data: values,
  borderColor: ink.line,
  backgroundColor: ink.line,
  borderWidth: 2,
  borderDash: dash,
  tension: 0,
  spanGaps: true,
  pointRadius: points.length > 60 ? 2.5 : 3.5,
  pointHoverRadius: 6,
  pointStyle: points.map((point) => (point.state === "failed" ? "crossRot" : "circle")),
  pointBorderColor: points.map((point) => (point.state === "failed" ? ink.failed : ink.line)),
  pointBackgroundColor: points.map((point) => (point.state === "failed" ? ink.failed : ink.line)),
  pointBorderWidth: points.map((point) => (point.state === "failed" ? 2.5 : 1)),
});

const options = (points, colours, values, format, fromZero) => {
  const known = values.flat().filter((value) => value !== null);
  const low = fromZero ? 0 : Math.min(...known);
  const range = Math.max(...known) - low;
  const step = range > 2 || !fromZero ? stepOf(range || 60) : undefined;
  return {
    animation: false,
    responsive: true,
    maintainAspectRatio: false,
    interaction: { mode: "index", intersect: false },
    scales: {
      x: {
        ticks: { color: colours.text, maxRotation: 0, autoSkipPadding: 48, maxTicksLimit: 6 },
        grid: { display: false },
        border: { color: colours.grid },
      },
      y: {
        beginAtZero: fromZero,
        min: fromZero ? 0 : Math.floor(low / step) * step,
        ticks: { color: colours.text, stepSize: step, callback: format },
        grid: { color: colours.grid },
        border: { display: false },
      },
    },
    plugins: {
      legend: {
        display: values.length > 1,
        align: "end",
        labels: { color: colours.text, usePointStyle: true, pointStyle: "line", pointStyleWidth: 28 },
      },
      tooltip: {
        animation: false,
        displayColors: values.length > 1,
        callbacks: {
          title: ([item]) => points[item.dataIndex].label,
          beforeBody: ([item]) => {
            const { data, state } = points[item.dataIndex];
            return [data ? `Data time ${data.textContent}` : "", state === "failed" ? "Failed" : ""].filter(Boolean);
          },
          label: (item) => `${item.dataset.label}: ${format(item.parsed.y)}`,
        },
      },
    },
  };
};

const durations = (points, colours) => {
  const values = points.map((point) => point.seconds);
  return {
    type: "line",
    data: {
      labels: points.map((point) => point.short()),
      datasets: [dataset("Duration", values, points, { line: colours.line, failed: colours.failed })],
    },
    options: options(points, colours, [values], span, true),
  };
};

const clocks = (points, colours, isHour) => {
  const zone = zoneName();
  const starts = points.map((point) => clockOf(point.start, zone, isHour));
  // an end after midnight stays above its start
  const ends = points.map((point, at) => starts[at] + (point.end - point.start) / 1000);
  return {
    type: "line",
    data: {
      labels: points.map((point) => point.short()),
      datasets: [
        dataset("Start", starts, points, { line: colours.line, failed: colours.failed }),
        dataset("End", ends, points, { line: colours.end, failed: colours.failed }, [6, 4]),
      ],
    },
    options: options(points, colours, [starts, ends], (seconds) => clock(seconds, isHour), false),
  };
};

export const draw = (area, points) => {
  const isHour = area.dataset.clock === "hour";
  // the table's times are written anew when the time zone changes; read them when they are needed
  for (const point of points) point.short = () => (point.data?.textContent ?? point.label).slice(isHour ? 5 : 0, isHour ? 16 : 10);
  const made = {};
  const show = () => {
    const colours = palette();
    const wanted = { duration: durations(points, colours), clock: clocks(points, colours, isHour) };
    for (const [name, config] of Object.entries(wanted)) {
      if (made[name]) {
        made[name].data = config.data;
        made[name].options = config.options;
        made[name].update("none");
      } else {
        made[name] = new Chart(area.querySelector(`canvas[data-chart="${name}"]`), config);
      }
    }
    area.dataset.drawn = String(points.length);
  };
  Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  show();
  // light and dark, and Airflow's own colours, come as attributes of the page
  new MutationObserver(show).observe(document.documentElement, {
    attributes: true,
    attributeFilter: ["data-theme", "style"],
  });
  addEventListener("storage", (event) => {
    if (event.key === "timezone" || event.key === null) setTimeout(show);
  });
};
