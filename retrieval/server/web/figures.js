// Hits as figures: a justified grid (or a list of captions) that is walked with the arrow keys.

import { fill, h, icon, iconButton } from "./dom.js";
import { alternative, caption, label, licence, measure, panel, safeLink, shorten, standing } from "./words.js";

const NARROWEST = 0.75; // a figure narrower or wider than this stands on a mat, whole: nothing is ever cropped
const WIDEST = 2.8;

export const key = (hit) => `${hit.modality} ${hit.figure_id} ${hit.modality === "text" ? hit.caption : ""}`;

/**
 * One hit. `act(verb, hit)` is told what the reader wants: open, like, like-caption, add or exclude.
 * The card carries its hit as `card.hit`.
 */
export function card(hit, mode, act) {
  const onclick = () => act("open", hit);
  const opener = h("button", { type: "button", class: "open", tabindex: "-1", onclick }, picture(hit));
  const meta = h("div", { class: "meta" });
  const made = h("li", { class: "card", "data-id": hit.figure_id }, opener, text(hit), meta, actions(hit, act));
  const ratio = hit.width && hit.height ? hit.width / hit.height : 4 / 3;
  made.style.setProperty("--ratio", Math.min(WIDEST, Math.max(NARROWEST, ratio)).toFixed(3));
  return update(made, hit, mode);
}

/** The same figure in a newer answer: its picture stays as it is, its rank and standing are new. */
export function update(made, hit, mode) {
  made.hit = hit;
  fill(made.querySelector(".meta"),
    h("span", { class: "standing", title: measure(hit, mode) }, standing(hit.percentile) || `rank ${hit.rank}`),
    label(hit) && h("span", {}, label(hit)),
    panel(hit) && h("span", { title: "the panel that was found" }, panel(hit)),
    licence(hit) && h("span", { class: "licence", title: hit.attribution }, licence(hit)),
    articleLink(hit),
    h("span", { class: "elsewhere", hidden: true }));
  return made;
}

export function articleLink(hit, words = shorten(hit.article_id ?? "article", 24)) {
  const link = safeLink(hit.link);
  if (!link) return hit.article_id ? h("span", { class: "article", title: `article ${hit.article_id}` }, words) : null;
  const away = { href: link, target: "_blank", rel: "noopener noreferrer" };
  return h("a", { class: "article", title: "open the article in a new tab", ...away }, words, icon("out"));
}

function picture(hit) {
  const words = shorten(caption(hit) || "no picture", 280);
  if (!hit.thumbnail) return h("span", { class: "picture without", dir: "auto" }, words);
  const image = h("img", { src: hit.thumbnail, alt: alternative(hit), loading: "lazy", decoding: "async" });
  return h("span", { class: "picture" }, image);
}

/** The caption that was found, or the first of a figure that was. */
function text(hit) {
  const words = hit.modality === "text" ? hit.caption : caption(hit);
  return h("p", { class: "caption", dir: "auto" }, words || "no caption");
}

function actions(hit, act) {
  const attributes = { tabindex: "-1" };
  return h("div", { class: "actions" },
    iconButton("like", "More like this (m)", () => act("like", hit), attributes),
    iconButton("plus", "Add to the query (+)", () => act("add", hit), attributes),
    iconButton("minus", "Exclude from the query (−)", () => act("exclude", hit), attributes));
}

const VERBS = { m: "like", c: "like-caption", "+": "add", "=": "add", "-": "exclude", "−": "exclude" };

/** One card of `list` is in the tab order at a time; arrows move along it, letters act on it. */
export function walkable(list, act) {
  const cards = () => [...list.querySelectorAll(".card[data-id]")];
  const settle = (chosen) => {
    for (const each of cards()) {
      for (const part of each.querySelectorAll("button, a")) part.tabIndex = each === chosen ? 0 : -1;
    }
  };
  list.addEventListener("focusin", (event) => settle(event.target.closest(".card")));
  list.addEventListener("keydown", (event) => {
    const here = event.target.closest(".card");
    if (!here || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in VERBS) {
      event.preventDefault();
      return act(VERBS[event.key], here.hit);
    }
    const there = neighbour(cards(), here, event.key);
    if (!there) return;
    event.preventDefault();
    there.querySelector(".open").focus();
    there.scrollIntoView({ block: "nearest" });
  });
  return () => settle(list.querySelector(".card[data-id]"));
}

function neighbour(cards, here, pressed) {
  const place = cards.indexOf(here);
  switch (pressed) {
    case "ArrowRight": return cards[place + 1];
    case "ArrowLeft": return cards[place - 1];
    case "Home": return cards[0];
    case "End": return cards.at(-1);
    case "ArrowDown": return nearest(cards.slice(place + 1), here, 1);
    case "ArrowUp": return nearest(cards.slice(0, place).reverse(), here, -1);
    default: return undefined;
  }
}

/** In the next row below (way 1) or above (-1), the card whose middle is nearest. */
function nearest(others, here, way) {
  const middle = (box) => box.left + box.width / 2;
  const from = here.getBoundingClientRect();
  let row = null;
  let best = null;
  for (const other of others) {
    const box = other.getBoundingClientRect();
    if ((box.top - from.top) * way < 4) continue;
    row ??= box.top;
    if (Math.abs(box.top - row) > 4) break;
    const away = Math.abs(middle(box) - middle(from));
    if (!best || away < best.away) best = { other, away };
  }
  return best?.other;
}
