"use strict";
// Search, legend and the list of what is in view, which says all that the canvas shows.

const PAGE = 30; // lines of the list at a time
const byId = (id) => document.getElementById(id);
let listed = PAGE, waiting = 0;

/** A mark of the legend, drawn as on the map. */
function legendMark(kind, code, both = false) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "mark");
  svg.setAttribute("viewBox", "-8 -8 16 16");
  svg.setAttribute("aria-hidden", "true");
  const shape = document.createElementNS("http://www.w3.org/2000/svg", both ? "rect" : kind === IMAGE ? "circle" : "path");
  const paint = `var(${colourName(kind, code)})`;
  if (both) for (const [key, value] of Object.entries({ x: -6, y: -6, width: 12, height: 12, rx: 2 })) shape.setAttribute(key, value);
  else if (kind === IMAGE) shape.setAttribute("r", 5.5);
  else shape.setAttribute("d", "M-4.5-4.5 4.5 4.5M-4.5 4.5 4.5-4.5");
  shape.style.fill = both || kind === IMAGE ? paint : "none";
  shape.style.stroke = both || kind === IMAGE ? "var(--mark-edge)" : paint;
  shape.style.strokeWidth = both || kind === IMAGE ? 0.8 : 2.6;
  svg.append(shape);
  return svg;
}

function groupName(code) {
  if (code === OTHER || code === MISSING) return code === OTHER ? "other values" : "no value";
  return state.colouring.groups[code][0];
}

/** A line of a legend that shows or hides what it names. */
function toggle(symbol, name, number, set, key) {
  const line = make("button", { type: "button", "aria-pressed": String(!set.has(key)) }, symbol,
    make("span", { class: "name", dir: "auto" }, name), make("span", { class: "number" }, number.toLocaleString("en")));
  line.addEventListener("click", () => {
    if (!set.delete(key)) set.add(key);
    line.setAttribute("aria-pressed", String(!set.has(key)));
    changed();
  });
  return line;
}

function showLegends() {
  const numbers = [data.images, points - data.images];
  byId("kinds").replaceChildren(...[IMAGE, CAPTION].filter((kind) => numbers[kind]).map(
    (kind) => toggle(legendMark(kind, OTHER), `${NAMES[kind]}s`, numbers[kind], state.withoutKinds, kind)));
  if (!state.colouring) return byId("groups").replaceChildren();
  const { groups, codes } = state.colouring;
  const lines = groups.map(([, number], code) => [code, number]);
  for (const code of [OTHER, MISSING]) {
    const number = codes.filter((one) => one === code).length;
    if (number) lines.push([code, number]);
  }
  byId("groups").replaceChildren(...lines.map(
    ([code, number]) => toggle(legendMark(IMAGE, code, true), groupName(code), number, state.without, code)));
}

function colourBy(number) {
  state.colouring = data.colourings[number] ?? null;
  state.without.clear();
  marks = {};
  showLegends();
  changed();
}

/** After another word, toggle or colouring. */
function changed() {
  const found = sift();
  byId("found").textContent = state.words.length ? `${found.toLocaleString("en")} of ${figures.length.toLocaleString("en")} figures` : "";
  if (state.open >= 0 && state.shown[state.open] === HIDDEN) openPoint(-1);
  showCard();
  moved();
}

/** After any movement: draw, keep the card at its point, and list anew once the hands rest. */
function moved() {
  redraw();
  if (carded() >= 0) place(carded());
  clearTimeout(waiting);
  waiting = setTimeout(() => { listed = PAGE; listInView(); }, 150);
}

function listInView() {
  const [middleX, middleY] = state.middle;
  const away = (point) => (x[point] - middleX) ** 2 + (y[point] - middleY) ** 2;
  const seen = inView().filter((point) => state.shown[point] === SHOWN).map((point) => [away(point), point]).sort(([one], [other]) => one - other);
  byId("count").textContent = seen.length ? `${seen.length.toLocaleString("en")}, from the middle outwards` : "nothing";
  byId("list").replaceChildren(...seen.slice(0, listed).map(([, point]) => line(point)));
  byId("more").hidden = seen.length <= listed;
}

function line(point) {
  const figure = figureOf(point), kind = kindOf(point);
  const symbol = kind === IMAGE && figure.picture ? pictureOf(figure, "") : legendMark(kind, codeOf(point));
  const words = captionOf(point).slice(0, 200) || figure.id;
  const open = make("button", {
    type: "button", value: point, class: point === state.open ? "open" : "", onclick: () => openAndGo(point),
    onfocus: () => lookAt(point), onblur: () => lookAt(-1), onmouseenter: () => lookAt(point), onmouseleave: () => lookAt(-1),
  }, make("span", { class: "plate" }, symbol), make("span", { class: "words", dir: "auto" }, make("span", { class: "unseen" }, `${NAMES[kind]}: `), words));
  return make("li", {}, open);
}

byId("more").addEventListener("click", () => {
  const before = listed;
  listed += PAGE;
  listInView();
  byId("list").children[before]?.querySelector("button").focus();
});
byId("words").addEventListener("input", (event) => {
  state.words = event.target.value.toLocaleLowerCase().split(/\s+/).filter(Boolean);
  changed();
});
byId("pictures").addEventListener("change", (event) => { state.pictures = event.target.checked; redraw(); });
byId("colour").addEventListener("change", (event) => colourBy(Number(event.target.value)));
