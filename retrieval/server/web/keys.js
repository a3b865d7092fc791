// Keys that work anywhere, and the list of them all.

import { byId, h, iconButton } from "./dom.js";

const KEYS = [
  ["/", "search"],
  ["Enter", "search, or open the figure"],
  ["← → ↑ ↓", "move among the figures"],
  ["Home End", "first and last figure"],
  ["Esc", "close, or leave the search"],
  ["m", "more like this figure"],
  ["c", "more like its caption"],
  ["+", "add the figure to the query"],
  ["−", "exclude it"],
  ["f", "refine"],
  ["?", "this list"],
];

const WRITTEN_IN = "input:not([type=checkbox], [type=radio]), select";

export function listenForKeys() {
  const help = byId("help");
  const keys = (names) => names.split(" ").map((each) => h("kbd", {}, each));
  help.append(
    h("div", { class: "dialog-head" },
      h("h2", { id: "help-title" }, "Keys"), iconButton("close", "Close", () => help.close())),
    h("dl", {}, KEYS.map(([names, does]) => h("div", {}, h("dt", {}, keys(names)), h("dd", {}, does)))));
  help.addEventListener("click", (event) => event.target === help && help.close());
  document.addEventListener("click", (event) => closeMenus(event.target));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") closeMenus(null);
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.target === byId("words")) return inWords(event);
    if (event.target.matches(WRITTEN_IN) || document.querySelector("dialog:modal")) return;
    if (event.key === "/") byId("words").select();
    else if (event.key === "?") help.showModal();
    else if (event.key === "f") byId("refine-button").click();
    else return;
    event.preventDefault();
  });
}

/** Menus but the one that is used. */
function closeMenus(used) {
  for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(used)) menu.open = false;
}

function inWords(event) {
  if (event.target.value === "" && ["/", "?"].includes(event.key)) {
    event.preventDefault(); // as everywhere else
    if (event.key === "?") byId("help").showModal();
  }
  if (event.key === "ArrowDown") {
    event.preventDefault();
    document.querySelector("#results .card .open")?.focus();
  }
  if (event.key === "Escape") {
    event.preventDefault(); // it would empty the field
    event.target.blur();
  }
}
