// A heat map of hidden units by steps; a step is chosen by pointing or with the arrow keys.

import { colour, visible } from "./dom.js";

const WIDTH = 15; // of a step, in pixels
const HEIGHT = 7; // of a unit
const LABEL = 20; // of the line of tokens below
const MOST = 1000; // steps that are drawn: the last ones

function parts(name) {
  const hex = colour(name).slice(1);
  return [0, 2, 4].map((place) => parseInt(hex.slice(place, place + 2), 16));
}

export class Heat {
  constructor(canvas, chosen) {
    this.canvas = canvas;
    this.chosen = chosen; // called with the chosen step
    this.clear();
    canvas.addEventListener("pointermove", (event) => this.choose(Math.floor(event.offsetX / WIDTH)));
    canvas.addEventListener("click", (event) => this.choose(Math.floor(event.offsetX / WIDTH)));
    canvas.addEventListener("keydown", (event) => {
      const to = { ArrowLeft: this.here - 1, ArrowRight: this.here + 1, Home: 0, End: this.steps.length - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      this.choose(to, true);
    });
    document.addEventListener("theme", () => this.draw());
  }

  clear() {
    this.steps = [];
    this.here = 0;
    this.draw();
  }

  // Steps with text, units and read; drawn at once with those that are there.
  add(steps) {
    this.steps.push(...steps);
    if (this.steps.length > MOST) this.steps.splice(0, this.steps.length - MOST);
    this.draw();
  }

  choose(step, follow) {
    if (!this.steps.length) return;
    this.here = Math.max(0, Math.min(step, this.steps.length - 1));
    this.draw();
    if (follow) {
      const frame = this.canvas.parentElement;
      const left = this.here * WIDTH;
      if (left < frame.scrollLeft || left + WIDTH > frame.scrollLeft + frame.clientWidth) {
        frame.scrollLeft = left - frame.clientWidth / 2;
      }
    }
    this.chosen(this.steps[this.here]);
  }

  draw() {
    const { canvas, steps, here } = this;
    const units = steps.reduce((most, step) => Math.max(most, step.units.length), 0);
    const [width, height] = [Math.max(steps.length, 1) * WIDTH, units * HEIGHT + LABEL];
    const scale = devicePixelRatio || 1;
    canvas.width = width * scale;
    canvas.height = height * scale;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
    const pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    const [low, middle, high] = [parts("--low"), parts("--ground"), parts("--high")];
    pen.font = "12px ui-monospace, monospace";
    pen.textAlign = "center";
    steps.forEach((step, column) => {
      step.units.forEach((value, row) => {
        const share = Math.min(1, Math.abs(value));
        const end = value < 0 ? low : high;
        const mixed = middle.map((part, place) => Math.round(part + share * (end[place] - part)));
        pen.fillStyle = `rgb(${mixed})`;
        pen.fillRect(column * WIDTH, row * HEIGHT, WIDTH, HEIGHT);
      });
      pen.fillStyle = colour(step.read ? "--muted" : "--ink");
      const name = visible(step.text);
      pen.fillText(name.length > 2 ? `${name.slice(0, 1)}…` : name, (column + 0.5) * WIDTH, height - 6);
    });
    if (steps.length) {
      pen.strokeStyle = colour("--ink");
      pen.lineWidth = 2;
      pen.strokeRect(here * WIDTH + 1, 1, WIDTH - 2, height - 2);
      const step = steps[here];
      canvas.setAttribute("aria-valuemax", steps.length);
      canvas.setAttribute("aria-valuenow", here + 1);
      canvas.setAttribute("aria-valuetext", `step ${here + 1} of ${steps.length}, ${visible(step.text)}`);
    }
  }
}
