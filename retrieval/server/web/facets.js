// Filters with counts, one for each column that an index declares.

import { bound, chosen, choosing, named, others, own, quoted } from "./clauses.js";
import { h } from "./dom.js";
import { shorten } from "./words.js";

export const FEW = 8; // values of a column that are listed at once
export const MANY = 200; // beyond, one looks for a value instead of picking it
const LAST = ["width", "height", "figure_id", "source_uri"];

/**
 * Columns in the order in which they are shown: first what parts the figures well, then numbers, then text that is
 * another for nearly every figure, last what is rarely asked for.
 */
export function inOrder(facets) {
  const last = (column) => (LAST.includes(column) ? 3 : numeric(facets[column]) ? 1 : free(facets[column]) ? 2 : 0);
  return Object.keys(facets).sort((one, other) => last(one) - last(other));
}

const numeric = (facet) => facet.type === "int64" || facet.type === "float64";

/** Too many values to pick from, or each of them a figure's own. */
const free = (facet) => facet.distinct > MANY || (facet.distinct > FEW && facet.values?.[0]?.count === 1);

/**
 * The fields of one column, or nothing where there is nothing to choose. `where` gives the clauses in force, `put` takes
 * those that are to be instead; `unfolded` says whether all values show, `fold` turns that round. What is changed is
 * what is in force by then: one may be quicker than the counts that these fields were laid with.
 */
export function fieldsOf(column, facet, { where, put, unfolded, fold }) {
  const it = {
    column,
    facet,
    clauses: own(where(), column),
    latest: () => own(where(), column),
    put: (mine) => put([...others(where(), column), ...mine]),
    id: (part) => `facet ${column} ${part}`.replaceAll(" ", "_"),
  };
  if (facet.distinct < (facet.missing ? 1 : 2) && !it.clauses.length) return null;
  const fields = numeric(facet) ? range(it) : [search(it), values(it, unfolded), unfold(it, unfolded, fold)];
  return h("fieldset", { class: "facet" }, h("legend", {}, column.replaceAll("_", " ")), fields, missing(it));
}

function values({ facet, clauses, latest, put, column, id }, unfolded) {
  const now = chosen(clauses);
  const isNow = ({ value }) => now.includes(String(value));
  const listed = facet.values ?? [];
  const shown = free(facet) ? listed.filter(isNow) : unfolded ? listed : listed.slice(0, FEW);
  const gone = now.filter((value) => !shown.some((each) => String(each.value) === value));
  const tick = (value, on) => {
    const rest = chosen(latest()).filter((each) => each !== value);
    put(choosing(column, on ? [...rest, value] : rest));
  };
  const all = [...shown, ...gone.map((value) => ({ value, count: countOf(value, listed) }))];
  return h("div", { class: "values" }, all.map((each, place) =>
    box(id(`value ${place}`), String(each.value), each.count, isNow(each), (on) => tick(String(each.value), on))));
}

const countOf = (value, listed) => listed.find((each) => String(each.value) === value)?.count ?? 0;

function unfold({ facet, id }, unfolded, fold) {
  const more = facet.distinct - FEW;
  if (more <= 0 || free(facet)) return null;
  const words = unfolded ? "Fewer" : `${more.toLocaleString("en")} more`;
  return h("button", { type: "button", class: "quiet", id: id("fold"), onclick: fold }, words);
}

function search({ column, facet, clauses, put, id }) {
  if (facet.type !== "string" || facet.distinct <= FEW) return null;
  const change = (value) => put(value ? [`${named(column)} ~ ${quoted(value)}`] : []);
  return field("text", "contains", id("contains"), bound(clauses, "~"), change);
}

function range({ column, facet, clauses, latest, put, id }) {
  const step = facet.type === "int64" ? 1 : "any";
  const [least, most] = [bound(clauses, ">="), bound(clauses, "<=")];
  const both = (from, to) =>
    put([from !== "" && `${named(column)} >= ${from}`, to !== "" && `${named(column)} <= ${to}`].filter(Boolean));
  const bounds = [
    field("number", "from", id("from"), least, (value) => both(value, bound(latest(), "<=")), { step, placeholder: facet.min }),
    field("number", "to", id("to"), most, (value) => both(bound(latest(), ">="), value), { step, placeholder: facet.max }),
  ];
  return [histogram(facet.histogram ?? []), h("div", { class: "range" }, bounds)];
}

function histogram(bars) {
  if (bars.length < 2) return null;
  const most = Math.max(1, ...bars.map((bar) => bar.count));
  return h("div", { class: "histogram", "aria-hidden": "true" }, bars.map((bar) => {
    const one = h("span", { title: `${bar.from} to ${bar.to}: ${bar.count}` });
    one.style.setProperty("--share", bar.count / most);
    return one;
  }));
}

function missing({ column, facet, clauses, put, id }) {
  const clause = `${named(column)} is missing`;
  const on = clauses.some((each) => each.trim() === clause);
  if (!facet.missing && !on) return null;
  return box(id("missing"), "not given", facet.missing, on, (now) => put(now ? [clause] : []));
}

function box(id, words, count, checked, change) {
  const tick = h("input", { type: "checkbox", id, checked, onchange: (event) => change(event.target.checked) });
  const shown = h("span", { dir: "auto" }, shorten(words, 80));
  return h("label", { class: "value", title: words }, tick, shown, h("small", {}, count.toLocaleString("en")));
}

function field(type, words, id, value, change, attributes = {}) {
  const onchange = (event) => change(event.target.value.trim());
  return h("label", { class: "field" }, h("span", {}, words), h("input", { type, id, value, ...attributes, onchange }));
}
