// A line chart of a history and a forecast, with a band if there are quantiles, and a cursor that shows values.

import { drawn, rounded } from "./dom.js";

const [LEFT, RIGHT, TOP, BOTTOM] = [52, 16, 14, 34]; // pixels around the lines
const LETTER = 7; // pixels of a letter of a label, about

function ticksOf(low, high) {
  const rough = (high - low) / 5 || 1;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((times) => times * unit).find((size) => size >= rough);
  const ticks = [];
  for (let value = Math.ceil(low / step) * step; value <= high + step / 1e6; value += step) ticks.push(value);
  return ticks;
}

// Points are {label, past?, ahead?, low?, high?}; `read` is called with the point under the cursor.
export class Chart {
  constructor(svg, read) {
    this.svg = svg;
    this.read = read;
    this.points = [];
    new ResizeObserver(() => svg.clientWidth && this.points.length && this.show(this.points, this.here)).observe(svg);
    svg.addEventListener("pointermove", (event) => {
      const frame = svg.getBoundingClientRect();
      const x = event.clientX - frame.left;
      this.choose(Math.round(((x - LEFT) / (svg.clientWidth - LEFT - RIGHT)) * (this.points.length - 1)));
    });
    svg.addEventListener("keydown", (event) => {
      const last = this.points.length - 1;
      const to = { ArrowLeft: this.here - 1, ArrowRight: this.here + 1, Home: 0, End: last }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      this.choose(to);
    });
  }

  show(points, here) {
    this.points = points;
    this.svg.removeAttribute("hidden");
    const [width, height] = [this.svg.clientWidth, this.svg.clientHeight];
    this.height = height;
    const values = points.flatMap((point) => [point.past, point.ahead, point.low, point.high]).filter(Number.isFinite);
    const [least, most] = [Math.min(...values), Math.max(...values)];
    const pad = (most - least || 1) * 0.05;
    const [low, high] = [least - pad, most + pad];
    this.x = (place) => LEFT + (place / Math.max(points.length - 1, 1)) * (width - LEFT - RIGHT);
    this.y = (value) => TOP + ((high - value) / (high - low)) * (height - TOP - BOTTOM);
    const parts = ticksOf(low, high).flatMap((value) => [
      drawn("line", { class: "axis", x1: LEFT, x2: width - RIGHT, y1: this.y(value), y2: this.y(value) }),
      drawn("text", { x: LEFT - 8, y: this.y(value) + 4, "text-anchor": "end" }, rounded(value)),
    ]);
    const banded = points.map((point, place) => ({ ...point, place })).filter((point) => Number.isFinite(point.low));
    if (banded.length) {
      const above = banded.map((point) => `${this.x(point.place)},${this.y(point.high)}`);
      const below = banded.reverse().map((point) => `${this.x(point.place)},${this.y(point.low)}`);
      parts.push(drawn("polygon", { class: "band", points: [...above, ...below].join(" ") }));
    }
    for (const name of ["past", "ahead"]) parts.push(drawn("path", { class: `line ${name}`, d: this.path(name) }));
    const first = points.findIndex((point) => Number.isFinite(point.ahead));
    let end = -Infinity; // where the last label ended
    for (const [place, anchor] of [[0, "start"], [points.length - 1, "end"], [first, "middle"]]) {
      const [x, size] = [this.x(place), points[place].label.length * LETTER];
      const left = { start: x, middle: x - size / 2, end: x - size }[anchor];
      const last = anchor === "middle" ? this.x(points.length - 1) - size : Infinity;
      if (left < end || left + size > last) continue;
      if (anchor === "start") end = left + size;
      parts.push(drawn("text", { x, y: height - 10, "text-anchor": anchor }, points[place].label));
    }
    this.cursor = drawn("g", {});
    this.svg.replaceChildren(...parts, this.cursor);
    this.choose(here ?? first);
  }

  path(name) {
    let pen = "M";
    return this.points
      .map((point, place) => {
        if (!Number.isFinite(point[name])) {
          pen = "M";
          return "";
        }
        const said = `${pen}${this.x(place).toFixed(1)},${this.y(point[name]).toFixed(1)}`;
        pen = "L";
        return said;
      })
      .join("");
  }

  choose(place) {
    if (!this.points.length) return;
    this.here = Math.max(0, Math.min(place, this.points.length - 1));
    const point = this.points[this.here];
    const x = this.x(this.here);
    const value = point.ahead ?? point.past;
    this.cursor.replaceChildren(
      drawn("line", { class: "cursor", x1: x, x2: x, y1: TOP, y2: this.height - BOTTOM }),
      ...(Number.isFinite(value) ? [drawn("circle", { class: "dot", cx: x, cy: this.y(value), r: 4 })] : []),
    );
    this.read(point, this.here);
  }
}
