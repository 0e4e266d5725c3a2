// A forecast for a CSV file: a chart, and a table of the numbers.

import { ask } from "./api.js";
import { Chart } from "./chart.js";
import { parseCsv } from "./csv.js";
import { at, doing, make, rounded } from "./dom.js";
import { showTable } from "./table.js";

const HISTORY = 5; // horizons of history that are drawn
let model;
let chart;
let history = [];
let answers = [];

const seriesOf = (row) => (model.group ? String(row[model.group]) : "");
const shortly = (time) => String(time).replace("T", " ").replace(/\.0+$/, "").replace(/:00$/, "");

function quantilesOf(row) {
  const names = Object.keys(row).filter((name) => /^q[\d.]+$/.test(name));
  const level = (name) => Number(name.slice(1));
  return names.sort((a, b) => level(a) - level(b));
}

function pointOf(row) {
  const names = quantilesOf(row);
  const label = shortly(row[model.time ?? "step"]);
  if (!names.length) return { label, ahead: row.forecast };
  const middle = names.reduce((a, b) => (Math.abs(b.slice(1) - 0.5) < Math.abs(a.slice(1) - 0.5) ? b : a));
  return { label, ahead: row[middle], low: row[names[0]], high: row[names.at(-1)] };
}

function read(point, place) {
  const kind = Number.isFinite(point.ahead) ? "forecast" : "history";
  const value = rounded(point.ahead ?? point.past);
  const band = Number.isFinite(point.low) ? `, interval ${rounded(point.low)} to ${rounded(point.high)}` : "";
  at("reading").textContent = `${point.label}: ${value} (${kind})${band}`;
  const first = chart.points.findIndex((one) => Number.isFinite(one.ahead));
  [...at("rows").querySelectorAll("tbody tr")].forEach((row, number) =>
    row.classList.toggle("here", number === place - first),
  );
}

function show() {
  const chosen = at("group").value;
  const ahead = answers.filter((row) => !model.group || seriesOf(row) === chosen);
  const own = history.filter((row) => !model.group || seriesOf(row) === chosen);
  const known = own.filter((row) => Number.isFinite(row[model.target])).slice(-HISTORY * ahead.length);
  const past = known.map((row, place) => ({
    label: model.time ? shortly(row[model.time]) : String(place),
    past: row[model.target],
  }));
  const written = ahead.map((row) => (model.time ? { ...row, [model.time]: shortly(row[model.time]) } : row));
  showTable(at("rows"), written, `${ahead.length} steps ahead`);
  chart.show([...past, ...ahead.map(pointOf)]);
}

async function forecast(file) {
  const status = at("forecast-status");
  const found = await doing(status, `Reading ${file.name} …`, async () => {
    const text = await file.text();
    history = parseCsv(text);
    return ask("/v1/predict/csv", { body: text, type: "text/csv" });
  });
  if (!found) return;
  answers = found.predictions;
  status.textContent = `${file.name}: ${history.length.toLocaleString("en")} rows`;
  const groups = [...new Set(answers.map(seriesOf))];
  at("group").replaceChildren(...groups.map((name) => make("option", { value: name }, name)));
  at("group-label").hidden = !model.group;
  show();
}

export function startForecast(known) {
  const first = !model;
  model = known;
  at("needs").textContent = `Required columns: ${model.columns.join(", ")}`;
  if (!first) return;
  chart = new Chart(at("chart"), read);
  at("csv").addEventListener("click", () => (at("csv").value = "")); // so that choosing the same file again fires an event
  at("csv").addEventListener("change", () => at("csv").files.length && forecast(at("csv").files[0]));
  at("group").addEventListener("change", show);
  const place = at("drop");
  for (const name of ["dragover", "dragleave", "drop"]) {
    place.addEventListener(name, (event) => {
      event.preventDefault();
      place.classList.toggle("over", name === "dragover");
      if (name === "drop" && event.dataTransfer.files.length) forecast(event.dataTransfer.files[0]);
    });
  }
}
