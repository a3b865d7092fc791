// The page: one state, said by the address; whatever happens changes the state, and everything shown follows from it.

import * as api from "./api.js";
import { byId, fill, h, icon } from "./dom.js";
import { acceptImages } from "./images.js";
import { listenForKeys } from "./keys.js";
import { failed, opening } from "./notices.js";
import { markShared, Pane } from "./pane.js";
import { Refine } from "./refine.js";
import { asks, EMPTY, FIRST, read, write } from "./state.js";
import { showTerms } from "./terms.js";
import { listenForTheme } from "./theme-button.js";
import { askForToken } from "./token.js";
import { Viewer } from "./viewer.js";
import { count, shorten } from "./words.js";

const PAUSE = 180; // milliseconds without a key before words are asked
const ASKED = Object.keys(EMPTY).filter((name) => name !== "k" && name !== "open");

let state = EMPTY;
let there = []; // the indexes of this server
let typing = 0; // the timer of words that are not asked yet

const page = {
  files: new Map(),
  indexes: () => there,
  change, act, choose, answered, leave, renew, thumbnail,
  supply: (key) => pickFor(key),
  forget: (keys) => change({ terms: state.terms.filter((term) => !keys.includes(term.value)) }),
  locked: (retry) => askForToken(retry),
};
const panes = [new Pane(page, "Answer"), new Pane(page, "Second answer")];
let shown = panes[0]; // the one whose figure is enlarged
const refine = new Refine(page);
const viewer = new Viewer(page);

/** A new state. `how`: "push" makes a step that Back undoes, "replace" does not, "type" does for the first key only. */
function change(part, how = "push") {
  const next = { ...state, ...unasked(), ...part };
  if (!("k" in part) && ASKED.some((name) => name in part)) next.k = FIRST;
  const address = write(next);
  if (address === write(state)) return;
  const stay = how === "replace" || (how === "type" && history.state?.typing);
  const notes = { type: { typing: true }, replace: history.state, push: { opened: Boolean(part.open) } };
  history[stay ? "replaceState" : "pushState"](notes[how], "", address);
  state = next;
  show();
}

/** Words that were typed but not asked yet: whatever else is done meanwhile does not lose them. */
function unasked() {
  clearTimeout(typing);
  const words = typing ? { text: byId("words").value.trim() } : {};
  typing = 0;
  return words;
}

/** What a reader does with a figure. */
function act(verb, hit, pane) {
  const term = (kind, sign = "+") => ({ sign, weight: 1, kind, value: hit.figure_id });
  switch (verb) {
    case "open":
      shown = pane;
      return change({ open: hit.figure_id });
    case "like":
      return change({ text: "", terms: [term("figure")], open: "" });
    case "like-caption":
      return change({ text: "", terms: [term("caption")], open: "" });
    case "add":
      return change({ terms: [...state.terms, term("figure")], open: "" });
    case "exclude":
      return change({ terms: [...state.terms, term("figure", "-")], open: "" });
  }
}

function choose(pane, name) {
  change(pane === panes[0] ? { index: name } : { compare: name });
}

/** Closes the enlarged figure; by going back where opening it was a step, so that Back does not open it again. */
function leave() {
  if (history.state?.opened) history.back();
  else change({ open: "" }, "replace");
}

function thumbnail(id) {
  const hit = panes.flatMap((pane) => pane.hits).find((each) => each.figure_id === id);
  return hit ? hit.thumbnail : api.thumbnail(about(state.index).name, id);
}

const about = (name) => there.find((each) => each.name === name) ?? there[0];

/** Everything shown, from the state. */
function show() {
  if (!there.length) return;
  const first = about(state.index);
  const second = state.compare && there.length > 1 ? about(state.compare) : null;
  if (byId("words").value.trim() !== state.text) byId("words").value = state.text;
  byId("keep").hidden = byId("avoid").hidden = !state.text.trim();
  for (const radio of document.getElementsByName("target")) {
    radio.disabled = !first.targets.includes(radio.value);
    radio.checked = radio.value === state.target;
  }
  byId("compare-button").hidden = there.length < 2;
  byId("compare-button").setAttribute("aria-pressed", String(second !== null));
  document.title = asks(state) ? `${shorten(state.text.trim() || "more like this", 60)} – retrieval` : "retrieval";
  showTerms(state, page);
  showClauses();
  refine.show(state, first);
  const results = byId("results");
  results.classList.toggle("compare", second !== null);
  const wanted = second ? panes : [panes[0]];
  if (results.childElementCount !== wanted.length) results.replaceChildren(...wanted.map((pane) => pane.element));
  if (second) panes[0].element.prepend(panes[0].head);
  else byId("bar").append(panes[0].head); // one answer needs no row of its own for its head
  panes[0].show(state, first);
  if (second) panes[1].show(state, second);
  viewer.show(state, second ? shown : panes[0]);
}

function showClauses() {
  const list = byId("clauses");
  list.hidden = !state.where.length;
  fill(list, state.where.map((clause) => {
    const onclick = () => change({ where: state.where.filter((each) => each !== clause) });
    const named = { "aria-label": `Give up the filter ${clause}`, title: "Give this filter up" };
    const words = h("span", {}, shorten(clause, 60));
    return h("li", {}, h("button", { type: "button", class: "clause", ...named, onclick }, words, icon("close")));
  }));
}

/** A pane has something new to show: says so, compares, and lets the enlarged figure know its neighbours. */
function answered(pane) {
  const both = byId("results").classList.contains("compare");
  const found = count(pane.hits.length, state.target === "text" ? "caption" : "figure");
  byId("status").textContent = pane.hits.length ? found : pane.notice.textContent;
  if (both && panes.every((each) => each.hits.length)) {
    const shared = markShared(panes);
    byId("status").textContent = `${shared} in both`;
    for (const each of panes) each.head.querySelector(".both").textContent = `, ${shared} in both`;
  }
  viewer.ends();
}

/** An index was built anew while the page was open: learns what it is now, and asks again what is shown. */
async function renew() {
  there = await api.indexes().catch(() => there);
  show();
}

function useImages(files, how) {
  if (!files.length) return panes[0].remark("That is no image; give a JPEG, PNG, TIFF, GIF, BMP or WebP file.");
  const made = files.map((file) => ({ sign: "+", weight: 1, kind: "image", value: keep(file) }));
  change(how === "add" ? { terms: [...state.terms, ...made] } : { text: "", terms: made, open: "" });
}

function keep(file) {
  const key = Math.random().toString(36).slice(2, 8); // a reload must not take another image for this one
  page.files.set(key, file);
  return key;
}

function pickFor(missing) {
  const field = h("input", { type: "file", accept: "image/*,.tif,.tiff" });
  field.addEventListener("change", () => {
    if (!field.files.length) return;
    const found = (term) => (term.value === missing ? { ...term, value: keep(field.files[0]) } : term);
    change({ terms: state.terms.map(found) }, "replace");
  });
  field.click();
}

function listenToWords() {
  const words = byId("words");
  words.addEventListener("input", (event) => {
    clearTimeout(typing);
    if (!event.isComposing) typing = setTimeout(() => change({ text: words.value.trim() }, "type"), PAUSE);
  });
  words.addEventListener("compositionend", () => words.dispatchEvent(new InputEvent("input")));
  byId("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    change({ text: words.value.trim() }, "type");
    history.replaceState(null, "", write(state)); // asked on purpose: the next key begins a new step
  });
  const become = (sign) => () => {
    change({ text: "", terms: [...state.terms, { sign, weight: 1, kind: "text", value: words.value.trim() }] });
    words.focus();
  };
  byId("keep").addEventListener("click", become("+"));
  byId("avoid").addEventListener("click", become("-"));
}

function listenToTheRest() {
  byId("target").addEventListener("change", (event) => change({ target: event.target.value }));
  byId("compare-button").addEventListener("click", () => {
    const other = there.find((each) => each.name !== about(state.index).name);
    change({ compare: state.compare ? "" : other.name });
  });
  byId("brand").addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    change({ ...EMPTY, index: state.index });
  });
  addEventListener("popstate", () => {
    unasked();
    state = read(location.search);
    show();
  });
}

async function begin() {
  state = read(location.search);
  byId("words").value = state.text;
  byId("refine-close").append(icon("close"));
  listenToWords();
  listenToTheRest();
  listenForTheme();
  listenForKeys();
  acceptImages(useImages, () => asks(state));
  await meet();
}

/** Learns which indexes there are; nothing can be asked before. */
async function meet() {
  const results = byId("results");
  try {
    there = await api.indexes();
    results.replaceChildren();
    show();
    if (!asks(state) && matchMedia("(hover: hover)").matches) byId("words").focus();
  } catch (error) {
    if (error.status === 503) return results.replaceChildren(opening(meet)); // an encoder takes its time to load
    if (error.status === 401) askForToken(meet);
    results.replaceChildren(failed(error, meet));
  }
}

begin();
