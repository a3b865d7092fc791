// The button that goes round the themes: the system's, light, dark.

import { byId, icon } from "./dom.js";

const NEXT = { auto: "light", light: "dark", dark: "auto" };
const NAMES = { auto: "as the system", light: "light", dark: "dark" };

export function listenForTheme() {
  const button = byId("theme");
  const root = document.documentElement;
  const show = () => {
    const now = root.dataset.theme ?? "auto";
    button.replaceChildren(icon(now));
    button.title = `Theme: ${NAMES[now]}`;
    button.setAttribute("aria-label", `Theme: ${NAMES[now]}; change to ${NAMES[NEXT[now]]}`);
  };
  button.addEventListener("click", () => {
    const next = NEXT[root.dataset.theme ?? "auto"];
    if (next === "auto") delete root.dataset.theme;
    else root.dataset.theme = next;
    try {
      if (next === "auto") localStorage.removeItem("theme");
      else localStorage.setItem("theme", next);
    } catch { /* storage is switched off: it holds until the page is left */ }
    show();
  });
  show();
}
