// What stands where figures would: nothing asked yet, nothing found, an error, an image that a link could not carry.

import { button, h } from "./dom.js";
import { count } from "./words.js";

const notice = (title, ...rest) => h("div", { class: "state" }, h("h2", {}, title), rest);
const key = (...names) => names.map((name) => h("kbd", {}, name));

export function nothingAsked(about) {
  const held = ["image", "caption", "article"].filter((one) => about[`${one}s`]);
  const holds = held.map((one) => count(about[`${one}s`], one)).join(", ");
  return h("div", { class: "state start" },
    h("h2", {}, "What should the figure show?"),
    h("p", {}, "Write what you are looking for, or drop, paste or pick an image."),
    h("p", { class: "facts" }, `${about.name}: ${holds}. Encoder ${about.encoder}.`),
    h("p", { class: "keys" }, key("/"), " search ", key("←", "→", "↑", "↓"), " move ", key("Enter"), " open ",
      key("m"), " more like this ", key("?"), " all keys"));
}

export function failed(error, retry) {
  const box = notice("That did not work", h("p", {}, error.message), button("Try again", retry));
  box.setAttribute("role", "alert");
  return box;
}

/** The server has only just been started; `retry` is called in a moment. */
export function opening(retry) {
  setTimeout(retry, 1000);
  return notice("One moment", h("p", {}, "The server is opening its indexes."));
}

/** Which restrictions could be given up, each with its button. */
export function nothingFound(state, change, nearest) {
  const without = (clause) => change({ where: state.where.filter((each) => each !== clause) });
  const ways = state.where.map((clause) => button(`Without ${clause}`, () => without(clause)));
  if (state.minPercentile) ways.push(button("Weaker ones too", () => change({ minPercentile: "" })));
  if (state.mode === "lexical") ways.push(button("Rank by meaning, not by words", () => change({ mode: "dense" })));
  const title = `No ${state.target === "text" ? "captions" : "figures"} found`;
  if (!ways.length) return notice(title, h("p", {}, "Ask with other words, or with an image."));
  return notice(title,
    h("p", {}, `Nothing fulfils everything that is asked for${nearest ? ` (${nearest})` : ""}. Give up one condition:`),
    h("p", { class: "ways" }, ways));
}

export function unshared(missing, page) {
  return notice("This link was made with an image of someone's own",
    h("p", {}, "An image that was dropped, pasted or picked is never stored, so a link cannot carry it. " +
      "With the same image you get the same answer."),
    h("p", { class: "ways" },
      button("Pick the image", () => page.supply(missing[0])),
      button("Ask without it", () => page.forget(missing))));
}

/** Empty frames where the first answer will stand. */
export function waiting(target) {
  const ratios = [1.4, 1, 1.7, 0.8, 1.3, 1.5, 1, 1.2, 1.8, 1.1, 0.9, 1.4];
  const layout = target === "text" ? "captions" : "grid";
  return h("div", { class: `${layout} waiting`, "aria-hidden": "true" }, ratios.map((ratio) => {
    const frame = h("div", { class: "card" }, h("span", { class: "picture" }), h("p", { class: "caption" }));
    frame.style.setProperty("--ratio", ratio);
    return frame;
  }));
}
