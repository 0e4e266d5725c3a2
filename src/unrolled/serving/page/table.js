// Rows as a table.

import { make, rounded } from "./dom.js";

export function showTable(table, rows, caption) {
  const names = Object.keys(rows[0] ?? {});
  const kind = (name) => (typeof rows[0][name] === "number" ? "number" : "");
  const said = (value) => (value !== null && typeof value === "object" ? JSON.stringify(value) : rounded(value));
  const head = make("tr", {}, ...names.map((name) => make("th", { scope: "col", className: kind(name) }, name)));
  const lines = rows.map((row) =>
    make("tr", {}, ...names.map((name) => make("td", { className: kind(name), title: said(row[name]) }, said(row[name])))),
  );
  table.replaceChildren(
    make("caption", { className: "note" }, caption),
    make("thead", {}, head),
    make("tbody", {}, ...lines),
  );
}
