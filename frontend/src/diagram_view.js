// A diagram that moves: zoom, drag, filter by status, walk by keyboard.
import { select } from "d3-selection";
import { zoom as zoomBehaviour, zoomIdentity } from "d3-zoom";
import { factsCard } from "./diagram_card.js";
import { findBox } from "./diagram_find.js";
import { neighbour, readGraph } from "./diagram_graph.js";
import { FAR, Painter } from "./diagram_paint.js";

const MARGIN = 24;
const LARGEST = 2.5;
const STEP = 1.4;
/** A diagram that is legible as a whole starts as a whole, others with their first task. */
const LEGIBLE = 0.55;
const START = 0.8;
const KEPT = 60;
const ARROWS = new Set(["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"]);

const duration = () => (matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 220);

class View {
  constructor(view) {
    this.view = view;
    this.frame = view.querySelector(".diagram-frame");
    this.svg = view.querySelector(".diagram-svg");
    this.graph = readGraph(this.svg);
    this.painter = new Painter(this.svg, this.graph);
    this.scale = view.querySelector(".scale");
    this.transform = zoomIdentity;
    this.isAwake = !view.classList.contains("small");
    this.arrange = () => this.begin();
    this.size = { width: 0, height: 0 };
    this.card = factsCard(view, (box) => this.placeOf(box));
    view.classList.add("live");
    this.makeZoom();
    this.listen();
    findBox(view, this.graph, (box) => this.locate(box));
    new ResizeObserver(() => this.resize()).observe(this.frame);
  }

  makeZoom() {
    this.zoom = zoomBehaviour()
      .scaleExtent([this.smallest(), LARGEST])
      .constrain((transform) => this.constrained(transform))
      .filter((event) => this.isMeant(event))
      .on("start", () => this.move(true))
      .on("zoom", ({ transform, sourceEvent }) => {
        if (sourceEvent) this.arrange = null;
        this.draw(transform);
      })
      .on("end", () => this.move(false));
    select(this.frame).call(this.zoom);
  }

  /** In a page that scrolls the wheel belongs to the page until somebody takes hold of the diagram. */
  isMeant(event) {
    if (event.type === "wheel") return this.isAwake || event.ctrlKey;
    return !event.button && !(event.ctrlKey && event.type === "mousedown");
  }

  fitting() {
    const { width, height } = this.size;
    const wide = (width - 2 * MARGIN) / this.graph.width;
    return Math.max(Math.min(wide, (height - 2 * MARGIN) / this.graph.height), 1e-4);
  }

  smallest() {
    return this.size.width ? Math.min(this.fitting(), 0.25) : 1e-4;
  }

  /** Some of the drawing stays in the frame. */
  constrained(transform) {
    const { width, height } = this.size;
    const { k, x, y } = transform;
    const inside = (offset, drawn, room) => Math.min(Math.max(offset, KEPT - drawn), room - KEPT);
    const kept = {
      x: inside(x, this.graph.width * k, width),
      y: inside(y, this.graph.height * k, height),
    };
    return kept.x === x && kept.y === y ? transform : zoomIdentity.translate(kept.x, kept.y).scale(k);
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.frame;
    if (!width || !height) return;
    const before = this.size;
    this.size = { width, height };
    this.zoom.extent([[0, 0], [width, height]]).scaleExtent([this.smallest(), LARGEST]);
    // until somebody moves it, it makes the best of the frame
    if (this.arrange) this.arrange();
    else this.go(this.transform.x + (width - before.width) / 2, this.transform.y + (height - before.height) / 2, this.transform.k);
  }

  begin() {
    const { boxes } = this.graph;
    const focus = boxes.find(({ element }) => element.classList.contains("focus"));
    const first = boxes.reduce((best, box) => (box.x < best.x || (box.x === best.x && box.y < best.y) ? box : best));
    if (!this.current) this.makeReachable(focus ?? first);
    const whole = Math.min(this.fitting(), 1);
    if (whole >= LEGIBLE || boxes.length === 1) return this.fit(false);
    if (focus) return this.centre(focus, START, false);
    // where most begins: at the start of the largest part, with room to read on
    const scale = Math.max(START, whole);
    const busiest = boxes.filter((box) => !box.up.length).reduce((best, box) => (!best || box.down.length > best.down.length ? box : best), null);
    const start = busiest ?? first;
    const isLow = this.graph.height * scale <= this.size.height;
    const y = isLow ? (this.size.height - this.graph.height * scale) / 2 : this.size.height / 2 - (start.y + this.graph.box.height / 2) * scale;
    return this.go(MARGIN - start.x * scale, isLow ? y : Math.min(y, MARGIN), scale);
  }

  go(x, y, k, isAnimated = false) {
    const target = zoomIdentity.translate(x, y).scale(k);
    const frame = select(this.frame);
    (isAnimated && duration() ? frame.transition().duration(duration()) : frame).call(this.zoom.transform, target);
  }

  fit(isAnimated = true) {
    const scale = Math.min(this.fitting(), 1);
    this.go((this.size.width - this.graph.width * scale) / 2, (this.size.height - this.graph.height * scale) / 2, scale, isAnimated);
  }

  scaleTo(scale) {
    this.arrange = null;
    const frame = select(this.frame);
    (duration() ? frame.transition().duration(duration()) : frame).call(this.zoom.scaleTo, scale);
  }

  centre(box, scale, isAnimated = true) {
    if (isAnimated) this.arrange = null;
    const { width, height } = this.graph.box;
    this.go(this.size.width / 2 - (box.x + width / 2) * scale, this.size.height / 2 - (box.y + height / 2) * scale, scale, isAnimated);
  }

  move(isMoving) {
    this.isMoving = isMoving;
    this.frame.classList.toggle("moving", isMoving);
    if (!isMoving) this.draw(this.transform);
  }

  draw(transform) {
    this.transform = transform;
    this.pending ||= requestAnimationFrame(() => {
      this.pending = 0;
      this.paint();
    });
  }

  paint() {
    const { k } = this.transform;
    this.painter.paint(this.transform, this.size, this.isMoving, this.current);
    this.scale.textContent = `${k < 0.1 ? (k * 100).toFixed(1) : Math.round(k * 100)}%`;
    this.card.follow();
  }

  placeOf(box) {
    const { k, x, y } = this.transform;
    return { left: box.left * k + x, right: box.right * k + x, top: box.top * k + y, bottom: box.bottom * k + y };
  }

  /** One box at a time can be reached with Tab; arrows lead to the others. */
  makeReachable(box) {
    if (!this.current) for (const { element } of this.graph.boxes) element.setAttribute("tabindex", "-1");
    else this.current.element.setAttribute("tabindex", "-1");
    this.current = box;
    box.element.setAttribute("tabindex", "0");
  }

  focus(box) {
    this.makeReachable(box);
    this.painter.show(box, true);
    box.element.focus({ preventScroll: true });
  }

  locate(box) {
    this.found?.element.classList.remove("found");
    this.found = box;
    box.element.classList.add("found");
    this.focus(box);
    this.centre(box, Math.max(this.transform.k, 0.9));
  }

  reveal(box) {
    const { left, right, top, bottom } = this.placeOf(box);
    const { width, height } = this.size;
    if (this.transform.k < FAR) this.centre(box, 0.8);
    else if (left < MARGIN || top < MARGIN || right > width - MARGIN || bottom > height - MARGIN) this.centre(box, this.transform.k);
  }

  light(box) {
    this.lit?.lines.forEach(({ element }) => element.classList.remove("near"));
    this.lit = box;
    box?.lines.forEach(({ element }) => element.classList.add("near"));
  }

  listen() {
    const boxAt = (target) => this.graph.byElement.get(target.closest?.(".box"));
    this.svg.addEventListener("pointerover", (event) => {
      const box = boxAt(event.target);
      if (!box || event.pointerType === "touch") return;
      this.light(box);
      if (!this.isMoving) this.card.later(box);
    });
    this.svg.addEventListener("pointerout", (event) => {
      const box = boxAt(event.target);
      if (!box || boxAt(event.relatedTarget ?? this.svg) === box) return;
      this.light(null);
      this.card.later(null);
    });
    // on the frame: an SVG element that listens to the focus could be reached with Tab itself
    this.frame.addEventListener("focusin", (event) => {
      const box = boxAt(event.target);
      if (!box || !event.target.matches(":focus-visible")) return;
      this.makeReachable(box);
      this.light(box);
      this.reveal(box);
      this.card.show(box);
    });
    this.frame.addEventListener("focusout", ({ relatedTarget }) => {
      this.light(null);
      if (!this.card.holds(relatedTarget)) this.card.later(null);
    });
    this.frame.addEventListener("pointerdown", () => {
      this.card.hide();
      this.isAwake = true;
    });
    if (this.view.classList.contains("small")) {
      this.frame.addEventListener("pointerleave", (event) => {
        this.isAwake = event.buttons > 0;
      });
    }
    this.svg.addEventListener("dragstart", (event) => event.preventDefault());
    this.view.addEventListener("keydown", (event) => this.press(event, boxAt(event.target)));
    this.view.addEventListener("click", (event) => this.act(event.target.closest("[data-zoom]")?.dataset.zoom));
    for (const choice of this.view.querySelectorAll("[data-status]")) {
      choice.addEventListener("change", () => this.filter());
      choice.checked = true; // browsers restore what was chosen before a reload
    }
  }

  filter() {
    for (const choice of this.view.querySelectorAll("[data-status]")) {
      this.svg.classList.toggle(`without-${choice.value}`, !choice.checked);
    }
  }

  act(name) {
    if (name === "in") this.scaleTo(this.transform.k * STEP);
    if (name === "out") this.scaleTo(this.transform.k / STEP);
    if (name === "one") this.scaleTo(1);
    if (name === "fit") {
      this.arrange = () => this.fit(false);
      this.fit();
    }
  }

  press(event, box) {
    if (event.key === "Escape" && this.card.of()) {
      event.stopPropagation();
      this.card.hide();
      return;
    }
    if (event.target.matches("input, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
    const action = { "+": "in", "=": "in", "-": "out", 0: "fit", 1: "one", f: "fit" }[event.key];
    if (action) {
      event.preventDefault();
      this.act(action);
    } else if (box && ARROWS.has(event.key)) {
      event.preventDefault();
      const next = neighbour(this.graph, box, event.key);
      if (next) this.focus(next);
    }
  }
}

/** Bring a diagram to life. */
export const liven = (view) => {
  if (view.querySelector(".diagram-svg")) new View(view);
};
