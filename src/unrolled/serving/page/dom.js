// Small helpers for the document.

export const at = (id) => document.getElementById(id);

export function make(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key in made) made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

export function drawn(name, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

export function complain(fault) {
  const place = at("alert");
  place.hidden = !fault;
  place.textContent = fault ? fault.message : "";
}

// Runs a task and shows its status; an error is shown as an alert.
export async function doing(status, text, work) {
  complain(null);
  status.textContent = text;
  try {
    return await work();
  } catch (fault) {
    if (fault.name !== "AbortError") complain(fault);
    status.textContent = "";
    return undefined;
  }
}

export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// A token as a reader should see it: spaces and line ends are visible.
export const visible = (text) => text.replaceAll(" ", "␣").replaceAll("\n", "↵").replaceAll("\t", "⇥");

export const rounded = (value) =>
  typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(5)).toString() : String(value ?? "");
