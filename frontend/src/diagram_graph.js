// What a diagram's SVG holds: boxes with their places and neighbours, lines with what they cover.

const numbers = (text) => text.match(/-?\d+(?:\.\d+)?/g).map(Number);

/** Which part of the drawing a line covers, from the numbers of its path: M x y, H x, C x y x y x y. */
const reach = (path) => {
  const found = { left: Infinity, right: -Infinity, top: Infinity, bottom: -Infinity };
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

export const readGraph = (svg) => {
  const [width, height] = numbers(svg.dataset.box);
  const boxes = [...svg.querySelectorAll(".box")].map((element) => {
    const [x, y] = numbers(element.getAttribute("transform"));
    return { element, x, y, up: [], down: [], lines: [], name: element.dataset.name, isShown: true };
  });
  const lines = [...svg.querySelectorAll(".line")].map((element) => {
    const [from, to] = numbers(element.dataset.ends);
    const line = { element, isShown: true, ...reach(element.getAttribute("d")) };
    boxes[from].down.push(boxes[to]);
    boxes[to].up.push(boxes[from]);
    boxes[from].lines.push(line);
    if (to !== from) boxes[to].lines.push(line);
    return line;
  });
  for (const box of boxes) {
    Object.assign(box, { left: box.x, right: box.x + width, top: box.y, bottom: box.y + height });
  }
  return {
    boxes,
    lines,
    byElement: new Map(boxes.map((box) => [box.element, box])),
    width: Number(svg.dataset.width),
    height: Number(svg.dataset.height),
    box: { width, height },
  };
};

const nearest = (box, others) =>
  others.reduce((best, other) => (!best || Math.abs(other.y - box.y) < Math.abs(best.y - box.y) ? other : best), null);

/** The box that an arrow key leads to: along a line, or to the next one above or below in the column. */
export const neighbour = (graph, box, key) => {
  if (key === "ArrowRight") return nearest(box, box.down.filter((other) => other !== box));
  if (key === "ArrowLeft") return nearest(box, box.up.filter((other) => other !== box));
  const sign = key === "ArrowDown" ? 1 : -1;
  return nearest(box, graph.boxes.filter((other) => other.x === box.x && (other.y - box.y) * sign > 0));
};
