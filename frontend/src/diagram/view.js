// A diagram that moves: zoom, drag, filter by status, walk by keyboard.
import { around, find, findAll, need } from "../shared/dom.js";
import { Camera } from "./camera.js";
import { factsCard } from "./card.js";
import { findBox } from "./find.js";
import { firstOf, neighbour, readGraph } from "./graph.js";
import { FAR, Painter } from "./paint.js";

/** @typedef {import("./graph.js").Box} Box */

const STEP = 1.4;
/** The scale, at least, at which a task is shown that was looked for, or that the keys came to from afar. */
const FOUND = 0.9;
const REVEALED = 0.8;

/** @type {Record<string, string>} */
const KEYS = { "+": "in", "=": "in", "-": "out", 0: "fit", 1: "one", f: "fit" };
const ARROWS = new Set(["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"]);

class View {
  /** @param {HTMLElement} view */
  constructor(view) {
    this.view = view;
    this.frame = need(view, ".diagram-frame");
    this.svg = need(view, ".diagram-svg", SVGElement);
    this.scale = need(view, ".scale");
    this.graph = readGraph(this.svg);
    this.painter = new Painter(this.svg, this.graph);
    this.isAwake = !view.classList.contains("small");
    /** The box that Tab reaches. @type {Box | null} */
    this.current = null;
    /** The box that was looked for. @type {Box | null} */
    this.found = null;
    /** The box whose lines are marked. @type {Box | null} */
    this.lit = null;
    this.pending = 0;
    view.classList.add("live");
    this.camera = new Camera(this.frame, this.graph, {
      isMeant: (event) => this.isMeant(event),
      changed: () => this.draw(),
    });
    this.card = factsCard(view, (box) => this.camera.placeOf(box));
    const focus = this.graph.boxes.find(({ element }) => element.classList.contains("focus"));
    this.makeReachable(focus ?? firstOf(this.graph));
    this.listen();
    findBox(view, this.graph, (box) => this.locate(box));
  }

  /**
   * In a page that scrolls the wheel belongs to the page until somebody takes hold of the diagram.
   *
   * @param {MouseEvent} event
   */
  isMeant(event) {
    if (event.type === "wheel") return this.isAwake || event.ctrlKey;
    return !event.button && !(event.ctrlKey && event.type === "mousedown");
  }

  draw() {
    this.pending ||= requestAnimationFrame(() => {
      this.pending = 0;
      this.paint();
    });
  }

  paint() {
    const { transform, size, isMoving } = this.camera;
    this.painter.paint(transform, size, isMoving, this.current);
    const percent = transform.k * 100;
    this.scale.textContent = `${percent < 10 ? percent.toFixed(1) : Math.round(percent)}%`;
    this.card.follow();
  }

  /**
   * One box at a time can be reached with Tab; arrows lead to the others.
   *
   * @param {Box} box
   */
  makeReachable(box) {
    const before = this.current ? [this.current] : this.graph.boxes;
    for (const { element } of before) element.setAttribute("tabindex", "-1");
    this.current = box;
    box.element.setAttribute("tabindex", "0");
  }

  /** @param {Box} box */
  focus(box) {
    this.makeReachable(box);
    this.painter.show(box, true);
    box.element.focus({ preventScroll: true });
  }

  /** @param {Box} box */
  locate(box) {
    this.found?.element.classList.remove("found");
    this.found = box;
    box.element.classList.add("found");
    this.focus(box);
    this.camera.centre(box, Math.max(this.camera.transform.k, FOUND));
  }

  /** @param {Box} box */
  reveal(box) {
    const { k } = this.camera.transform;
    if (k < FAR) this.camera.centre(box, REVEALED);
    else if (!this.camera.shows(box)) this.camera.centre(box, k);
  }

  /** @param {Box | null} box */
  light(box) {
    this.lit?.lines.forEach(({ element }) => element.classList.remove("near"));
    this.lit = box;
    box?.lines.forEach(({ element }) => element.classList.add("near"));
  }

  /** @param {EventTarget | null} target */
  boxAt(target) {
    const element = around(target, ".box", SVGElement);
    return (element && this.graph.byElement.get(element)) ?? null;
  }

  listen() {
    this.listenToPointer();
    this.listenToFocus();
    this.svg.addEventListener("dragstart", (event) => event.preventDefault());
    this.view.addEventListener("keydown", (event) => this.press(event));
    this.view.addEventListener("click", (event) => this.act(around(event.target, "[data-zoom]")?.dataset.zoom));
    for (const choice of this.choices()) {
      choice.addEventListener("change", () => this.filter());
      choice.checked = true; // browsers restore what was chosen before a reload
    }
  }

  listenToPointer() {
    this.svg.addEventListener("pointerover", (event) => {
      const box = this.boxAt(event.target);
      if (!box || event.pointerType === "touch") return;
      this.light(box);
      if (!this.camera.isMoving) this.card.later(box);
    });
    this.svg.addEventListener("pointerout", (event) => {
      const box = this.boxAt(event.target);
      if (!box || this.boxAt(event.relatedTarget) === box) return;
      this.light(null);
      this.card.later(null);
    });
    this.frame.addEventListener("pointerdown", () => {
      this.card.hide();
      this.isAwake = true;
    });
    if (!this.view.classList.contains("small")) return;
    this.frame.addEventListener("pointerleave", (event) => {
      this.isAwake = event.buttons > 0;
    });
  }

  /** On the frame: an SVG element that listens to the focus could be reached with Tab itself. */
  listenToFocus() {
    this.frame.addEventListener("focusin", (event) => {
      const box = this.boxAt(event.target);
      if (!box || !(event.target instanceof Element) || !event.target.matches(":focus-visible")) return;
      this.makeReachable(box);
      this.light(box);
      this.reveal(box);
      this.card.show(box);
    });
    this.frame.addEventListener("focusout", ({ relatedTarget }) => {
      this.light(null);
      if (!this.card.holds(relatedTarget)) this.card.later(null);
    });
  }

  /** The boxes to tick in front of statuses. */
  choices() {
    return findAll(this.view, "[data-status]", HTMLInputElement);
  }

  filter() {
    for (const choice of this.choices()) this.svg.classList.toggle(`without-${choice.value}`, !choice.checked);
  }

  /** @param {string | undefined} name of a button */
  act(name) {
    if (name === "in") this.camera.scaleTo(this.camera.transform.k * STEP);
    if (name === "out") this.camera.scaleTo(this.camera.transform.k / STEP);
    if (name === "one") this.camera.scaleTo(1);
    if (name === "fit") this.camera.keepFitting();
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    if (event.key === "Escape" && this.card.of()) {
      event.stopPropagation();
      this.card.hide();
      return;
    }
    const isModified = event.ctrlKey || event.metaKey || event.altKey;
    if (isModified || around(event.target, "input, textarea")) return;
    const box = this.boxAt(event.target);
    if (KEYS[event.key]) {
      event.preventDefault();
      this.act(KEYS[event.key]);
    } else if (box && ARROWS.has(event.key)) {
      event.preventDefault();
      this.step(box, event.key);
    }
  }

  /**
   * @param {Box} from
   * @param {string} key
   */
  step(from, key) {
    const next = neighbour(this.graph, from, key);
    if (next) this.focus(next);
  }
}

/**
 * Bring a diagram to life, if anything is drawn.
 *
 * @param {HTMLElement} view
 */
export const liven = (view) => {
  if (find(view, ".diagram-svg", SVGElement)) new View(view);
};
