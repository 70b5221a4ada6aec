/// <reference types="d3-transition" /> d3-zoom brings it
// Which part of a diagram its frame shows, and how large.
import { select } from "d3-selection";
import { zoom as zoomBehaviour, zoomIdentity } from "d3-zoom";
import { busiestOf, firstOf } from "./graph.js";

/** @typedef {import("./graph.js").Area} Area */
/** @typedef {import("./graph.js").Box} Box */
/** @typedef {import("d3-zoom").ZoomTransform} ZoomTransform */

export const MARGIN = 24;
const LARGEST = 2.5;
/** A diagram that is legible as a whole starts as a whole, others with their first task. */
const LEGIBLE = 0.55;
const START = 0.8;
const KEPT = 60;

const duration = () => (matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 220);

/**
 * @param {number} offset
 * @param {number} drawn how long the drawing is
 * @param {number} room
 */
const inside = (offset, drawn, room) => Math.min(Math.max(offset, KEPT - drawn), room - KEPT);

export class Camera {
  /**
   * @param {HTMLElement} frame
   * @param {import("./graph.js").Graph} graph
   * @param {object} told
   * @param {(event: MouseEvent) => boolean} told.isMeant whether an event moves the diagram
   * @param {() => void} told.changed
   */
  constructor(frame, graph, { isMeant, changed }) {
    this.frame = frame;
    this.graph = graph;
    this.changed = changed;
    /** @type {ZoomTransform} */
    this.transform = zoomIdentity;
    this.size = { width: 0, height: 0 };
    this.isMoving = false;
    /** How it makes the best of the frame, until somebody moves it. @type {(() => void) | null} */
    this.arrange = () => this.begin();
    /** @type {import("d3-zoom").ZoomBehavior<HTMLElement, unknown>} */
    this.zoom = zoomBehaviour();
    this.zoom
      .scaleExtent([this.smallest(), LARGEST])
      .constrain((transform) => this.constrained(transform))
      .filter(isMeant)
      .on("start", () => this.move(true))
      .on("zoom", ({ transform, sourceEvent }) => {
        if (sourceEvent) this.arrange = null;
        this.transform = transform;
        this.changed();
      })
      .on("end", () => this.move(false));
    select(frame).call(this.zoom);
    new ResizeObserver(() => this.resize()).observe(frame);
  }

  /** The scale at which all of it can be seen. */
  fitting() {
    const { width, height } = this.size;
    const wide = (width - 2 * MARGIN) / this.graph.width;
    return Math.max(Math.min(wide, (height - 2 * MARGIN) / this.graph.height), 1e-4);
  }

  smallest() {
    return this.size.width ? Math.min(this.fitting(), 0.25) : 1e-4;
  }

  /**
   * Some of the drawing stays in the frame.
   *
   * @param {ZoomTransform} transform
   */
  constrained(transform) {
    const { k, x, y } = transform;
    const kept = {
      x: inside(x, this.graph.width * k, this.size.width),
      y: inside(y, this.graph.height * k, this.size.height),
    };
    return kept.x === x && kept.y === y ? transform : zoomIdentity.translate(kept.x, kept.y).scale(k);
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.frame;
    if (!width || !height) return;
    const before = this.size;
    this.size = { width, height };
    this.zoom
      .extent([
        [0, 0],
        [width, height],
      ])
      .scaleExtent([this.smallest(), LARGEST]);
    if (this.arrange) {
      this.arrange();
      return;
    }
    const { k, x, y } = this.transform;
    this.go(x + (width - before.width) / 2, y + (height - before.height) / 2, k);
  }

  /** Show the whole, if it is legible; else the task in focus; else where most begins, with room to read on. */
  begin() {
    const { boxes, height, box } = this.graph;
    const focus = boxes.find(({ element }) => element.classList.contains("focus"));
    const whole = Math.min(this.fitting(), 1);
    if (whole >= LEGIBLE || boxes.length === 1) {
      this.fit(false);
      return;
    }
    if (focus) {
      this.centre(focus, START, false);
      return;
    }
    const scale = Math.max(START, whole);
    const start = busiestOf(this.graph) ?? firstOf(this.graph);
    const isLow = height * scale <= this.size.height;
    const y = isLow
      ? (this.size.height - height * scale) / 2
      : this.size.height / 2 - (start.y + box.height / 2) * scale;
    this.go(MARGIN - start.x * scale, isLow ? y : Math.min(y, MARGIN), scale);
  }

  /** The frame, or a movement of it. @param {boolean} isAnimated */
  moved(isAnimated) {
    const frame = select(this.frame);
    return isAnimated && duration() ? frame.transition().duration(duration()) : frame;
  }

  /**
   * @param {number} x
   * @param {number} y
   * @param {number} k
   * @param {boolean} [isAnimated]
   */
  go(x, y, k, isAnimated = false) {
    this.zoom.transform(this.moved(isAnimated), zoomIdentity.translate(x, y).scale(k));
  }

  fit(isAnimated = true) {
    const scale = Math.min(this.fitting(), 1);
    const { width, height } = this.size;
    this.go((width - this.graph.width * scale) / 2, (height - this.graph.height * scale) / 2, scale, isAnimated);
  }

  /** Show the whole, also when the frame changes. */
  keepFitting() {
    this.arrange = () => this.fit(false);
    this.fit();
  }

  /** @param {number} scale */
  scaleTo(scale) {
    this.arrange = null;
    this.zoom.scaleTo(this.moved(true), scale);
  }

  /**
   * @param {Box} box
   * @param {number} scale
   * @param {boolean} [isAnimated]
   */
  centre(box, scale, isAnimated = true) {
    if (isAnimated) this.arrange = null;
    const { width, height } = this.graph.box;
    const x = this.size.width / 2 - (box.x + width / 2) * scale;
    this.go(x, this.size.height / 2 - (box.y + height / 2) * scale, scale, isAnimated);
  }

  /** @param {boolean} isMoving */
  move(isMoving) {
    this.isMoving = isMoving;
    this.frame.classList.toggle("moving", isMoving);
    if (!isMoving) this.changed();
  }

  /**
   * Where a box is in the frame.
   *
   * @param {Box} box
   * @returns {Area}
   */
  placeOf(box) {
    const { k, x, y } = this.transform;
    return { left: box.left * k + x, right: box.right * k + x, top: box.top * k + y, bottom: box.bottom * k + y };
  }

  /** Whether a box is in sight with some room around it. @param {Box} box */
  shows(box) {
    const { left, right, top, bottom } = this.placeOf(box);
    const { width, height } = this.size;
    return left >= MARGIN && top >= MARGIN && right <= width - MARGIN && bottom <= height - MARGIN;
  }
}
