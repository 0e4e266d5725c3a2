// The page: the model, its tabs, the theme and the token.

import { ask, keepToken } from "./api.js";
import { at, complain, make } from "./dom.js";
import { startAsking } from "./record.js";
import { startForecast } from "./forecast.js";
import { startUnfolding } from "./unfold.js";
import { startWriting } from "./write.js";

const THEMES = ["auto", "light", "dark"];
const dark = matchMedia("(prefers-color-scheme: dark)");
let theme = localStorage.getItem("theme") || "auto";

function paint() {
  document.documentElement.dataset.theme = theme === "auto" ? (dark.matches ? "dark" : "light") : theme;
  at("theme").textContent = `Theme: ${theme}`;
  document.dispatchEvent(new Event("theme"));
}

at("theme").addEventListener("click", () => {
  theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
  localStorage.setItem("theme", theme);
  paint();
});
dark.addEventListener("change", paint);
paint();

function choose(tab, focus) {
  for (const other of at("tabs").children) {
    const chosen = other === tab;
    other.setAttribute("aria-selected", chosen);
    other.tabIndex = chosen ? 0 : -1;
    at(other.dataset.panel).hidden = !chosen;
  }
  complain(null);
  if (focus) tab.focus();
}

function addTabs(panels) {
  const tabs = Object.entries(panels).map(([panel, title]) => {
    const tab = make("button", { type: "button", id: `tab-${panel}`, role: "tab", "aria-controls": panel }, title);
    tab.dataset.panel = panel;
    tab.addEventListener("click", () => choose(tab));
    at(panel).setAttribute("aria-labelledby", tab.id);
    return tab;
  });
  at("tabs").replaceChildren(...tabs);
  at("tabs").onkeydown = ({ key }) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[key];
    const now = tabs.indexOf(document.activeElement);
    if (step && now >= 0) choose(tabs[(now + step + tabs.length) % tabs.length], true);
  };
  choose(tabs[0]);
}

async function open() {
  let model;
  try {
    model = await ask("/v1/model");
  } catch (fault) {
    at("door").hidden = fault.kind !== "token";
    complain(fault.kind === "token" && !at("token").value ? null : fault);
    return;
  }
  at("door").hidden = true;
  complain(null);
  const known = model.fingerprint ? ` · ${model.fingerprint.slice(0, 8)}` : "";
  at("about").textContent = `${model.task} · ${model.columns.join(", ")}${model.target ? ` → ${model.target}` : ""}${known}`;
  document.title = `unrolled · ${model.task}`;
  const panels = {};
  if (model.can.includes("generate")) panels.write = "Generate text";
  else if (model.task === "Forecaster") panels.forecast = "Forecast";
  else panels.ask = "Predict";
  panels.unfold = "Unfold in time";
  addTabs(panels);
  if (panels.write) startWriting(model);
  if (panels.forecast) startForecast(model);
  if (panels.ask) startAsking(model);
  startUnfolding(model);
}

at("door").addEventListener("submit", (event) => {
  event.preventDefault();
  keepToken(at("token").value);
  open();
});
open();
