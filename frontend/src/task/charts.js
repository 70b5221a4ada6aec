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
import { need } from "../shared/dom.js";
import { onZoneChange, zoneName } from "../shared/times.js";
import { clock, clockOf, span, stepOf } from "./clock.js";

Chart.register(CategoryScale, Legend, LineController, LineElement, LinearScale, PointElement, Tooltip);

/** @typedef {import("./curve.js").Point} Point */
/** @typedef {import("chart.js").ChartConfiguration<"line", (number | null)[], string>} Config */
/** @typedef {{ line: string, failed: string }} Ink */

/**
 * What a custom property comes to: canvases know neither those nor light-dark().
 *
 * @param {string} name
 */
const colour = (name) => {
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
});

/** @typedef {ReturnType<typeof palette>} Palette */

/**
 * A line of a chart; an instance that failed is a cross in it.
 *
 * @param {string} label
 * @param {(number | null)[]} values
 * @param {Point[]} points
 * @param {Ink} ink
 * @param {number[]} [dash]
 * @returns {import("chart.js").ChartDataset<"line", (number | null)[]>}
 */
const dataset = (label, values, points, ink, dash = []) => {
  /**
   * @template Value
   * @param {Value} failed
   * @param {Value} other
   */
  const each = (failed, other) => points.map((point) => (point.state === "failed" ? failed : other));
  return {
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
    pointStyle: each("crossRot", "circle"),
    pointBorderColor: each(ink.failed, ink.line),
    pointBackgroundColor: each(ink.failed, ink.line),
    pointBorderWidth: each(2.5, 1),
  };
};

/**
 * What is said of an instance that is pointed at.
 *
 * @param {Point[]} points
 * @param {(seconds: number) => string} format
 * @returns {Partial<import("chart.js").TooltipCallbacks<"line">>}
 */
const callbacks = (points, format) => ({
  title: ([item]) => points[item.dataIndex].label,
  beforeBody: ([item]) => {
    const { data, state } = points[item.dataIndex];
    return [data ? `Data time ${data.textContent}` : "", state === "failed" ? "Failed" : ""].filter(Boolean);
  },
  label: (item) => `${item.dataset.label}: ${format(item.parsed.y ?? 0)}`,
});

/**
 * @param {Point[]} points
 * @param {Palette} colours
 * @param {(number | null)[][]} values of each line
 * @param {(seconds: number) => string} format
 * @param {boolean} fromZero
 * @returns {NonNullable<Config["options"]>}
 */
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
        min: step && !fromZero ? Math.floor(low / step) * step : 0,
        ticks: { color: colours.text, stepSize: step, callback: (value) => format(Number(value)) },
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
      tooltip: { animation: false, displayColors: values.length > 1, callbacks: callbacks(points, format) },
    },
  };
};

/**
 * The label of an instance below the charts. The table's times are written anew when the time zone changes; they are
 * read when they are needed.
 *
 * @param {Point} point
 * @param {boolean} isHour
 */
const short = (point, isHour) => (point.data?.textContent ?? point.label).slice(isHour ? 5 : 0, isHour ? 16 : 10);

/**
 * @param {Point[]} points
 * @param {Palette} colours
 * @param {boolean} isHour
 * @returns {Config}
 */
const durations = (points, colours, isHour) => {
  const values = points.map((point) => point.seconds);
  return {
    type: "line",
    data: {
      labels: points.map((point) => short(point, isHour)),
      datasets: [dataset("Duration", values, points, { line: colours.line, failed: colours.failed })],
    },
    options: options(points, colours, [values], span, true),
  };
};

/**
 * @param {Point[]} points
 * @param {Palette} colours
 * @param {boolean} isHour
 * @returns {Config}
 */
const clocks = (points, colours, isHour) => {
  const zone = zoneName();
  const starts = points.map((point) => clockOf(point.start, zone, isHour));
  // an end after midnight stays above its start
  const ends = points.map((point, at) => starts[at] + (point.end - point.start) / 1000);
  return {
    type: "line",
    data: {
      labels: points.map((point) => short(point, isHour)),
      datasets: [
        dataset("Start", starts, points, { line: colours.line, failed: colours.failed }),
        dataset("End", ends, points, { line: colours.end, failed: colours.failed }, [6, 4]),
      ],
    },
    options: options(points, colours, [starts, ends], (seconds) => clock(seconds, isHour), false),
  };
};

/**
 * Draw both charts, and again when colours or the time zone change.
 *
 * @param {HTMLElement} area where their canvases are
 * @param {Point[]} points
 */
export const draw = (area, points) => {
  const isHour = area.dataset.clock === "hour";
  /** @type {Map<string, Chart<"line", (number | null)[], string>>} */
  const made = new Map();
  const show = () => {
    const colours = palette();
    const wanted = { duration: durations(points, colours, isHour), clock: clocks(points, colours, isHour) };
    for (const [name, config] of Object.entries(wanted)) {
      const chart = made.get(name);
      if (chart) {
        chart.data = config.data;
        chart.options = config.options ?? {};
        chart.update("none");
      } else {
        made.set(name, new Chart(need(area, `canvas[data-chart="${name}"]`, HTMLCanvasElement), config));
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
  onZoneChange(() => setTimeout(show)); // after the table's times
};
