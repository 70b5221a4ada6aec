// What a diagram's SVG holds: boxes with their places and neighbours, lines with what they cover.
import { findAll } from "../shared/dom.js";

/**
 * A part of the drawing, in its own coordinates.
 *
 * @typedef {{ left: number, right: number, top: number, bottom: number }} Area
 */
/** @typedef {{ element: SVGElement, isShown: boolean } & Area} Line */

/**
 * A task of the diagram.
 *
 * @typedef {object} Task
 * @property {SVGElement} element
 * @property {number} x
 * @property {number} y
 * @property {string} name nothing where it is not visible to the person
 * @property {string} id
 * @property {string[] | null} facts for the card; its owners are a list
 * @property {Box[]} up what it waits for
 * @property {Box[]} down
 * @property {Line[]} lines
 * @property {boolean} isShown
 */
/** @typedef {Task & Area} Box */

/**
 * @typedef {object} Graph
 * @property {Box[]} boxes
 * @property {Line[]} lines
 * @property {Map<Element, Box>} byElement
 * @property {number} width of the drawing
 * @property {number} height
 * @property {{ width: number, height: number }} box
 */

/** @param {string | null | undefined} text */
const numbers = (text) => (text?.match(/-?\d+(?:\.\d+)?/g) ?? []).map(Number);

/**
 * Which part of the drawing a line covers, from the numbers of its path: M x y, H x, C x y x y x y.
 *
 * @param {string} path
 * @returns {Area}
 */
export const reach = (path) => {
  const found = { left: Infinity, right: -Infinity, top: Infinity, bottom: -Infinity };
  /**
   * @param {number} x
   * @param {number} y
   */
  const add = (x, y) => {
    found.left = Math.min(found.left, x);
    found.right = Math.max(found.right, x);
    found.top = Math.min(found.top, y);
    found.bottom = Math.max(found.bottom, y);
  };
  let y = 0;
  for (const [step] of path.matchAll(/[MHC][^MHC]*/g)) {
    const values = numbers(step);
    if (step[0] === "H") add(values[0], y);
    for (let at = 0; step[0] !== "H" && at < values.length; at += 2) add(values[at], (y = values[at + 1]));
  }
  return found;
};

/**
 * @param {SVGElement} element
 * @param {{ width: number, height: number }} size
 * @returns {Box}
 */
const readBox = (element, { width, height }) => {
  const [x, y] = numbers(element.getAttribute("transform"));
  const name = element.dataset.name ?? "";
  const facts = element.dataset.facts ? JSON.parse(element.dataset.facts) : null;
  const area = { left: x, right: x + width, top: y, bottom: y + height };
  return { element, x, y, ...area, name, id: facts?.[0] ?? name, facts, up: [], down: [], lines: [], isShown: true };
};

/**
 * @param {SVGElement} svg
 * @returns {Graph}
 */
export const readGraph = (svg) => {
  const [width, height] = numbers(svg.dataset.box);
  const boxes = findAll(svg, ".box", SVGElement).map((element) => readBox(element, { width, height }));
  const lines = findAll(svg, ".line", SVGElement).map((element) => {
    const [from, to] = numbers(element.dataset.ends);
    const line = { element, isShown: true, ...reach(element.getAttribute("d") ?? "") };
    boxes[from].down.push(boxes[to]);
    boxes[to].up.push(boxes[from]);
    boxes[from].lines.push(line);
    if (to !== from) boxes[to].lines.push(line);
    return line;
  });
  return {
    boxes,
    lines,
    byElement: new Map(boxes.map((box) => [box.element, box])),
    width: Number(svg.dataset.width),
    height: Number(svg.dataset.height),
    box: { width, height },
  };
};

/**
 * The one among others that lies nearest in height.
 *
 * @param {Box} box
 * @param {Box[]} others
 * @returns {Box | null}
 */
const nearest = (box, others) =>
  others.reduce(
    (best, other) => (!best || Math.abs(other.y - box.y) < Math.abs(best.y - box.y) ? other : best),
    /** @type {Box | null} */ (null),
  );

/**
 * The box that an arrow key leads to: along a line, or to the next one above or below in the column.
 *
 * @param {Graph} graph
 * @param {Box} box
 * @param {string} key
 */
export const neighbour = (graph, box, key) => {
  const others = box.down.filter((other) => other !== box);
  if (key === "ArrowRight") return nearest(box, others);
  if (key === "ArrowLeft") {
    return nearest(
      box,
      box.up.filter((other) => other !== box),
    );
  }
  const sign = key === "ArrowDown" ? 1 : -1;
  return nearest(
    box,
    graph.boxes.filter((other) => other.x === box.x && (other.y - box.y) * sign > 0),
  );
};

/**
 * The first box of the first column.
 *
 * @param {Graph} graph
 */
export const firstOf = ({ boxes }) =>
  boxes.reduce((best, box) => (box.x < best.x || (box.x === best.x && box.y < best.y) ? box : best));

/**
 * The box from which most begins, if any waits for nothing.
 *
 * @param {Graph} graph
 */
export const busiestOf = ({ boxes }) =>
  boxes
    .filter((box) => !box.up.length)
    .reduce(
      (best, box) => (!best || box.down.length > best.down.length ? box : best),
      /** @type {Box | null} */ (null),
    );
