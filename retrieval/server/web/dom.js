// Elements from values. Text is only ever set as text: captions and ids come from other people's files.

const SVG = "http://www.w3.org/2000/svg";

const PATHS = {
  close: "M6 6l12 12M18 6L6 18",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  like: "M4 5h9v9H4zM16 10h4v10H9v-3",
  left: "M14.5 5l-7 7 7 7",
  right: "M9.5 5l7 7-7 7",
  out: "M13 5h6v6M19 5l-9 9M17 14v5H5V7h5",
  picture: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.5 8.5h.01",
  light:
    "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v2.5M12 19.5V22M2 12h2.5M19.5 12H22" +
    "M5 5l1.7 1.7M17.3 17.3L19 19M19 5l-1.7 1.7M6.7 17.3L5 19",
  dark: "M19.5 14.5A8 8 0 1 1 9.5 4.5a6.5 6.5 0 0 0 10 10z",
  auto: "M12 4a8 8 0 1 0 0 16zM12 4a8 8 0 0 1 0 16",
};

/** An element with attributes (`on…` are listeners, true sets one, false leaves it out) and children (see `fill`). */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  return fill(element, ...children);
}

/** Puts children (elements and texts, in lists or not) in place of those there are; what is no child is left out. */
export function fill(element, ...children) {
  element.replaceChildren(...children.flat(2).filter((child) => child || child === 0));
  return element;
}

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

/** A button that shows an icon and is named by its label. */
export function iconButton(name, label, onclick, attributes = {}) {
  const named = { type: "button", class: "quiet round", "aria-label": label, title: label };
  return h("button", { ...named, onclick, ...attributes }, icon(name));
}

/** A button that shows words. */
export const button = (words, onclick) => h("button", { type: "button", class: "plain", onclick }, words);

export const byId = (id) => document.getElementById(id);
