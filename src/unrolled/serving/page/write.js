// Text generation: the text, the hidden state at each step, and the most likely next tokens.

import { events } from "./api.js";
import { showBars } from "./bars.js";
import { at, complain, make } from "./dom.js";
import { Heat } from "./heat.js";

const UNITS = 32;
const CANDIDATES = 10;
const PAUSE = 300; // milliseconds without a key before the prompt is read
let model;
let heat;
let running = null;
let timer = 0;

function body(length) {
  const given = Object.fromEntries(model.given.map((name) => [name, at(`given-${name}`).value]));
  return {
    prompt: at("prompt").value,
    length,
    temperature: Number(at("temperature").value),
    seed: at("seed").value === "" ? null : Number(at("seed").value),
    given: model.given.length ? given : null,
    candidates: CANDIDATES,
    units: UNITS,
  };
}

function show(step) {
  for (const other of at("written").querySelectorAll(".here")) other.classList.remove("here");
  step.mark?.classList.add("here");
  showBars(at("expected"), step.expected, step.said);
  at("next-title").textContent = "Most likely tokens at this step";
  at("units").replaceChildren(
    ...step.units.map((value, unit) => make("span", {}, make("b", {}, `${unit} `), value.toFixed(2))),
  );
}

function stop() {
  running?.abort();
  running = null;
  at("stop").disabled = true;
  at("go").disabled = false;
}

async function run(length, live) {
  stop();
  clearTimeout(timer);
  complain(null);
  const mine = (running = new AbortController());
  at("stop").disabled = live;
  at("go").disabled = !live;
  const prompt = make("span", { className: "read" }, at("prompt").value);
  at("written").replaceChildren(prompt);
  heat.clear();
  let count = 0;
  const start = performance.now();
  const say = (state) => {
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    if (!live) at("progress").textContent = `${count} tokens, ${seconds} s${state}`;
  };
  if (live) at("progress").textContent = "";
  try {
    let batch = [];
    let drawing = 0;
    const flush = () => {
      drawing = 0;
      if (running !== mine || !batch.length) return;
      heat.add(batch);
      batch = [];
      if (!live) heat.choose(heat.steps.length - 1, true);
      say(" …");
    };
    for await (const [name, step] of events("/v1/generate", { body: body(length), signal: mine.signal })) {
      if (name === "error") throw new Error(step.message);
      if (name !== "token") continue;
      if (live && !step.read) {
        flush();
        if (heat.steps.length) heat.choose(heat.steps.length - 1, true);
        showBars(at("expected"), step.expected);
        at("next-title").textContent = "Most likely next tokens";
        break;
      }
      step.said = step.text;
      if (!step.read) {
        count += 1;
        step.mark = make("span", {}, step.text);
        at("written").append(step.mark);
        at("written").scrollTop = at("written").scrollHeight;
      }
      batch.push(step);
      if (!drawing) drawing = requestAnimationFrame(flush);
    }
    flush();
    say("");
  } catch (fault) {
    if (fault.name === "AbortError") say(", stopped");
    else complain(fault);
  } finally {
    if (running === mine) stop();
    else mine.abort();
  }
}

export function startWriting(known) {
  const first = !model;
  model = known;
  at("given").replaceChildren(
    ...model.given.map((name) => make("label", {}, name, make("input", { id: `given-${name}`, required: true }))),
  );
  if (!first) return;
  heat = new Heat(at("heat"), show);
  const form = at("write").querySelector("form");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    run(Number(at("length").value), false);
  });
  at("stop").addEventListener("click", stop);
  at("temperature").addEventListener("input", () => {
    at("warmth").textContent = Number(at("temperature").value).toFixed(1);
  });
  const read = () => {
    clearTimeout(timer);
    if (form.checkValidity()) timer = setTimeout(() => run(1, true), PAUSE);
  };
  at("prompt").addEventListener("input", read);
  at("prompt").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  if (form.checkValidity()) run(1, true);
}
