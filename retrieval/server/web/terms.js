// The terms of a query as chips: each can be weighed, turned into its opposite, and taken away.

import { byId, fill, h, icon, iconButton } from "./dom.js";
import { shorten } from "./words.js";

const WEIGHTS = [0.25, 0.5, 1, 2, 4];

const WORDS = {
  text: (value) => shorten(value, 60),
  figure: (value) => `like ${shorten(value, 40)}`,
  caption: (value) => `like the caption of ${shorten(value, 40)}`,
  image: () => "your image",
};

/** Lays the chips of `state`; `page`: {change(part), files: Map, thumbnail(figure id) → address or null}. */
export function showTerms(state, page) {
  const list = byId("terms");
  const focused = list.contains(document.activeElement) ? document.activeElement.id : null;
  const chips = state.terms.map((term, place) => chip(term, place, page, {
    put: (part) => page.change({ terms: state.terms.with(place, { ...term, ...part }) }),
    drop: () => {
      page.change({ terms: state.terms.toSpliced(place, 1) });
      (list.querySelector("button") ?? byId("words")).focus();
    },
  }));
  fill(list, chips, chips.length > 1 && h("li", {}, clear(page)));
  list.hidden = !chips.length;
  if (focused) byId(focused)?.focus();
}

function clear(page) {
  const all = () => {
    page.change({ terms: [], text: "" });
    byId("words").focus();
  };
  return h("button", { type: "button", class: "quiet", onclick: all }, "Clear all");
}

function chip(term, place, page, { put, drop }) {
  const wanted = term.sign === "+";
  const words = WORDS[term.kind](term.value);
  const said = wanted ? `Wanted: ${words}. Exclude it instead` : `Excluded: ${words}. Want it instead`;
  const turn = () => put({ sign: wanted ? "-" : "+" });
  return h("li", { class: wanted ? "term" : "term excluded" },
    iconButton(wanted ? "plus" : "minus", said, turn, { id: `sign-${place}` }),
    preview(term, page),
    h("span", { class: "words", dir: "auto", title: term.value }, words),
    weight(term, `weight-${place}`, `Weight of ${words}`, put),
    iconButton("close", `Remove ${words}`, drop));
}

function weight(term, id, label, put) {
  const known = WEIGHTS.includes(term.weight);
  const offered = known ? WEIGHTS : [...WEIGHTS, term.weight].sort((one, other) => one - other);
  const options = offered.map((each) => h("option", { value: each, selected: each === term.weight }, `${each}×`));
  const onchange = (event) => put({ weight: Number(event.target.value) });
  return h("select", { id, "aria-label": label, onchange }, options);
}

function preview(term, page) {
  if (term.kind === "text") return null;
  if (term.kind === "image") return fromFile(page.files.get(term.value));
  const address = page.thumbnail(term.value);
  return address ? h("img", { src: address, alt: "" }) : icon("picture");
}

/** Drawn from the file itself; an icon where the browser cannot read it (TIFF), though the server may. */
function fromFile(file) {
  const canvas = h("canvas", { width: 56, height: 56, "aria-hidden": "true" });
  if (!file) return icon("picture");
  createImageBitmap(file).then((image) => {
    const scale = Math.min(canvas.width / image.width, canvas.height / image.height);
    const [width, height] = [image.width * scale, image.height * scale];
    const [left, top] = [(canvas.width - width) / 2, (canvas.height - height) / 2];
    canvas.getContext("2d").drawImage(image, left, top, width, height);
    image.close();
  }, () => canvas.replaceWith(icon("picture")));
  return canvas;
}
