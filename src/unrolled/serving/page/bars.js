// A bar chart of names and their probabilities.

import { make, visible } from "./dom.js";

export function showBars(list, pairs, chosen) {
  list.replaceChildren(
    ...pairs.map(([name, share]) => {
      const bar = make("span", { className: "bar" });
      bar.style.width = `${100 * share}%`;
      const row = make(
        "li",
        { className: name === chosen ? "chosen" : "" },
        make("span", {}, visible(String(name))),
        bar,
        make("span", { className: "share" }, `${(100 * share).toFixed(1)} %`),
      );
      return row;
    }),
  );
}
