// How a diagram is drawn at a place and scale: what cannot be seen or read is left out, and where the rest is still too
// much for each frame of a movement, the picture is moved and the drawing follows at the end.
import { need } from "../shared/dom.js";

/** @typedef {import("./graph.js").Area} Area */
/** @typedef {import("./graph.js").Box} Box */
/** @typedef {import("./graph.js").Line} Line */
/** @typedef {{ k: number, x: number, y: number }} Transform scale and offset */
/** @typedef {{ width: number, height: number }} Size */

/** Below this scale texts cannot be read, and are left out; below the other one marks and arrows too. */
export const FAR = 0.42;
const FARTHEST = 0.16;
/** What is outside the frame is taken out of the drawing where there is much of it. */
const MANY_BOXES = 250;
/** Drawing so many lines takes longer than a frame has time. */
const MANY_LINES = 400;
/** The picture reaches so far beyond the frame (px), and may be enlarged so much before it is drawn anew. */
const BEYOND = 240;
const BLURRED = 1.6;

/**
 * @param {Area} one
 * @param {Area} other
 */
const overlaps = (one, other) =>
  one.left < other.right && one.right > other.left && one.top < other.bottom && one.bottom > other.top;

export class Painter {
  /**
   * @param {SVGElement} svg
   * @param {import("./graph.js").Graph} graph
   */
  constructor(svg, graph) {
    this.svg = svg;
    this.canvas = need(svg, ".canvas", SVGElement);
    this.graph = graph;
    /** How it was drawn last. @type {Transform | null} */
    this.drawn = null;
    this.shownLines = graph.lines.length;
    svg.removeAttribute("viewBox");
    Object.assign(svg.style, {
      position: "absolute",
      inset: `${-BEYOND}px`,
      width: `calc(100% + ${2 * BEYOND}px)`,
      height: `calc(100% + ${2 * BEYOND}px)`,
      transformOrigin: `${BEYOND}px ${BEYOND}px`,
      willChange: graph.lines.length > MANY_LINES ? "transform" : "auto",
    });
  }

  /**
   * @param {Transform} transform
   * @param {Size} size of the frame
   * @param {boolean} isMoving
   * @param {Box | null} kept a box that stays although it is outside: it has the focus
   */
  paint(transform, size, isMoving, kept) {
    if (isMoving && this.shownLines > MANY_LINES && this.moves(transform, size)) return;
    const { k, x, y } = transform;
    this.drawn = transform;
    this.svg.style.transform = "";
    this.svg.classList.toggle("far", k < FAR);
    this.svg.classList.toggle("farthest", k < FARTHEST);
    if (this.graph.boxes.length > MANY_BOXES) this.thin(transform, size, kept);
    this.canvas.setAttribute("transform", `translate(${x + BEYOND} ${y + BEYOND}) scale(${k})`);
  }

  /**
   * Move the picture, as long as it fills the frame and is sharp enough; whether it is.
   *
   * @param {Transform} transform
   * @param {Size} size
   */
  moves({ k, x, y }, { width, height }) {
    if (!this.drawn) return false;
    const scale = k / this.drawn.k;
    const [left, top] = [x - this.drawn.x * scale, y - this.drawn.y * scale];
    const isFilled =
      left <= BEYOND * scale &&
      top <= BEYOND * scale &&
      left + (width + BEYOND) * scale >= width &&
      top + (height + BEYOND) * scale >= height;
    if (!isFilled || scale > BLURRED) return false;
    this.svg.style.transform = `translate(${left}px, ${top}px) scale(${scale})`;
    return true;
  }

  /**
   * @param {Transform} transform
   * @param {Size} size
   * @param {Box | null} kept
   */
  thin({ k, x, y }, { width, height }, kept) {
    const seen = {
      left: (-x - BEYOND) / k,
      right: (width - x + BEYOND) / k,
      top: (-y - BEYOND) / k,
      bottom: (height - y + BEYOND) / k,
    };
    this.shownLines = 0;
    for (const line of this.graph.lines) this.shownLines += this.show(line, overlaps(line, seen)) ? 1 : 0;
    for (const box of this.graph.boxes) this.show(box, box === kept || overlaps(box, seen));
  }

  /**
   * @param {Box | Line} part
   * @param {boolean} isShown
   */
  show(part, isShown) {
    if (isShown !== part.isShown) {
      part.isShown = isShown;
      part.element.classList.toggle("away", !isShown);
    }
    return isShown;
  }
}
