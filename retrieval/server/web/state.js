// The whole question as one value, and the address that says it. Nothing here touches the page.

/**
 * @typedef {{sign: "+" | "-", weight: number, kind: "text" | "figure" | "caption" | "image", value: string}} Term
 * An image's value is the key of a file in this page's memory: an address can name that there was one, not carry it.
 */

const TERM = /^(?:(\d+(?:\.\d+)?)\*)?(text|figure|caption|image):(.*)$/s;
export const FIRST = 40;

export const EMPTY = Object.freeze({
  index: "", compare: "", text: "", terms: [], target: "image", mode: "", perArticle: "", unique: false,
  panels: false, minPercentile: "", where: [], k: FIRST, open: "",
});

/** What an address asks; what it does not say, or says wrongly, is as in EMPTY. */
export function read(search) {
  const given = new URLSearchParams(search);
  const number = (name) => (/^\d+(\.\d+)?$/.test(given.get(name) ?? "") ? given.get(name) : "");
  return {
    ...EMPTY,
    index: given.get("index") ?? "",
    compare: given.get("compare") ?? "",
    text: given.get("text") ?? "",
    terms: [...given].filter(([name]) => name === "plus" || name === "minus").map(readTerm).filter(Boolean),
    target: ["text", "captions"].includes(given.get("target")) ? "text" : "image",
    mode: given.get("mode") ?? "",
    perArticle: number("per_article"),
    unique: given.get("unique") === "true",
    panels: given.get("panels") === "true",
    minPercentile: number("min_percentile"),
    where: given.getAll("where"),
    k: Math.max(1, Math.trunc(Number(number("k"))) || FIRST),
    open: given.get("open") ?? "",
  };
}

function readTerm([name, value]) {
  const found = TERM.exec(value);
  return found && { sign: name === "plus" ? "+" : "-", weight: Number(found[1] ?? 1), kind: found[2], value: found[3] };
}

/** The address of a question, "?" and all; "./" for none. Names are those of the HTTP API where it has them. */
export function write(state) {
  const said = new URLSearchParams();
  const say = (name, value, silent) => value !== silent && said.append(name, value);
  say("index", state.index, "");
  say("compare", state.compare, "");
  say("text", state.text, "");
  for (const term of state.terms) {
    const weight = term.weight === 1 ? "" : `${term.weight}*`;
    said.append(term.sign === "+" ? "plus" : "minus", `${weight}${term.kind}:${term.value}`);
  }
  say("target", state.target, EMPTY.target);
  say("mode", state.mode, "");
  say("per_article", state.perArticle, "");
  say("unique", state.unique, false);
  say("panels", state.panels, false);
  say("min_percentile", state.minPercentile, "");
  for (const clause of state.where) said.append("where", clause);
  say("k", state.k, FIRST);
  say("open", state.open, "");
  return `${said}` ? `?${said}` : "./";
}

/** Whether anything is asked at all. */
export const asks = (state) => state.text.trim() !== "" || state.terms.length > 0;
