// The network unfolded over a text or a record, and its gradient flow, as drawn by the server.

import { ask } from "./api.js";
import { parseCsv } from "./csv.js";
import { at, doing, make } from "./dom.js";
import { fieldsOf, recordFrom } from "./record.js";

const ROWS = 400; // of a CSV file: the last ones
let model;
let last = null; // the last request, to draw it again in another theme
let asked = 0; // number of requests; only the answer to the last one is shown

function show(found) {
  at("verdict").hidden = false;
  at("verdict").textContent = [found.verdict, ...found.notes].join(" ");
  at("pictures").replaceChildren(
    ...found.pictures.map(({ name, caption, svg }) => {
      const url = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
      const save = make("a", { href: url, download: `${name}.svg` }, "Save as SVG");
      const picture = make("img", { src: url, alt: caption });
      const frame = make("div", { className: name === "unfolding" ? "scroll large" : "scroll", tabIndex: 0 }, picture);
      return make("figure", { id: `picture-${name}` }, frame, make("figcaption", { className: "note" }, `${caption}. `, save));
    }),
  );
}

async function look(body) {
  const status = at("look-status");
  const theme = document.documentElement.dataset.theme;
  const number = (asked += 1);
  const found = await doing(status, "Drawing …", () => ask("/v1/unfold", { body: { ...body, theme } }));
  if (!found || number !== asked) return;
  status.textContent = "";
  last = body;
  show(found);
  at("pictures").dataset.theme = theme;
}

async function submitted(event) {
  event.preventDefault();
  if (model.can.includes("generate")) return look({ text: at("look-text").value });
  const file = at("look-csv").files[0];
  if (file) return look({ records: parseCsv(await file.text()).slice(-ROWS) });
  return look({ records: [recordFrom("seen", model)] });
}

export function startUnfolding(known) {
  const first = !model;
  model = known;
  const writes = model.can.includes("generate");
  const series = model.time !== null || model.task === "Forecaster";
  at("look-text-label").hidden = !writes;
  at("look-csv-label").hidden = !series;
  at("look-csv").required = series;
  at("look-fields").replaceChildren(...(writes || series ? [] : fieldsOf("seen", model)));
  if (!first) return;
  at("look").addEventListener("submit", submitted);
  document.addEventListener("theme", () => last && look(last));
}
