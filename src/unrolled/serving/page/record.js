// Predictions for one record in a form, or for many in a CSV file, with the probabilities of classes.

import { ask } from "./api.js";
import { showBars } from "./bars.js";
import { parseCsv } from "./csv.js";
import { at, doing, make } from "./dom.js";
import { showTable } from "./table.js";

const BARS = 12;
let model;

// One field per column that the model reads.
export function fieldsOf(prefix, known) {
  return known.columns.map((name) => {
    const hint = known.texts.includes(name) ? "" : "numbers and lists as JSON, such as [1, 2, 3]";
    return make("label", {}, name, make("textarea", { id: `${prefix}-${name}`, rows: 2, required: true, placeholder: hint }));
  });
}

export function recordFrom(prefix, known) {
  const values = known.columns.map((name) => {
    const text = at(`${prefix}-${name}`).value;
    if (known.texts.includes(name)) return [name, text];
    try {
      return [name, JSON.parse(text)];
    } catch {
      return [name, text];
    }
  });
  return Object.fromEntries(values);
}

async function answer(event) {
  event.preventDefault();
  const shares = model.can.includes("probabilities");
  const body = { records: [recordFrom("field", model)], probabilities: shares };
  const found = await doing(at("ask-status"), "Predicting …", () => ask("/v1/predict", { body }));
  if (!found) return;
  at("ask-status").textContent = found.report.warnings.join(" ");
  const said = found.predictions[0];
  at("answer").hidden = false;
  at("answer").textContent = typeof said === "string" ? said : JSON.stringify(said, null, 1);
  const flat = found.probabilities?.[0];
  const pairs = flat && !Array.isArray(flat[0]) ? found.classes.map((name, place) => [name, flat[place]]) : [];
  showBars(at("shares"), pairs.sort((a, b) => b[1] - a[1]).slice(0, BARS), said);
  at("answers").replaceChildren();
}

async function many(file) {
  const found = await doing(at("ask-status"), `Reading ${file.name} …`, async () => {
    const text = await file.text();
    const answered = await ask("/v1/predict/csv", { body: text, type: "text/csv" });
    return { rows: parseCsv(text), said: answered.predictions, warnings: answered.report.warnings };
  });
  if (!found) return;
  const { rows, said, warnings } = found;
  const own = said.map((one, place) =>
    one !== null && typeof one === "object" && !Array.isArray(one) ? one : { ...rows[place], prediction: one },
  );
  at("ask-status").textContent = warnings.join(" ");
  at("answer").hidden = true;
  at("shares").replaceChildren();
  showTable(at("answers"), own, `${own.length} predictions for ${file.name}`);
}

export function startAsking(known) {
  const first = !model;
  model = known;
  at("record").hidden = !model.columns.length || model.time !== null;
  at("fields").replaceChildren(...fieldsOf("field", model));
  if (!first) return;
  at("record").addEventListener("submit", answer);
  at("many").addEventListener("click", () => (at("many").value = "")); // so that choosing the same file again fires an event
  at("many").addEventListener("change", () => at("many").files.length && many(at("many").files[0]));
}
