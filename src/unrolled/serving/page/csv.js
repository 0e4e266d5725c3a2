// Comma-separated values: quotes protect commas and line breaks.

export function parseCsv(text) {
  const rows = [];
  let row = [];
  let field = "";
  let quoted = false;
  for (let place = 0; place < text.length; place += 1) {
    const mark = text[place];
    if (quoted) {
      if (mark !== '"') field += mark;
      else if (text[place + 1] === '"') field += text[(place += 1)];
      else quoted = false;
    } else if (mark === '"') quoted = true;
    else if (mark === "," || mark === "\n") {
      row.push(field.replace(/\r$/, ""));
      field = "";
      if (mark === "\n") {
        rows.push(row);
        row = [];
      }
    } else field += mark;
  }
  if (field || row.length) rows.push([...row, field]);
  const [names = [], ...lines] = rows.filter((one) => one.length > 1 || one[0]);
  return lines.map((line) => Object.fromEntries(names.map((name, place) => [name, valueOf(line[place] ?? "")])));
}

const valueOf = (text) => (text === "" ? null : Number.isFinite(Number(text)) ? Number(text) : text);
