"use strict";
// What is known of one point, beside it. All that comes from the collection is set as text, never as markup.

const card = document.getElementById("card");
const NAMES = ["image", "caption"];

/** An element with attributes and children; strings become text. */
function make(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

function pictureOf(figure, alt) {
  return make("img", { src: `data:image/webp;base64,${figure.picture}`, alt });
}

/** Look at a point, as a pointer over it or the focus on its line in the list does; -1 looks at none. */
function lookAt(point) {
  if (state.over === point) return;
  state.over = point;
  canvas.style.cursor = point >= 0 ? "pointer" : "";
  showCard();
  redraw();
}

let opener = canvas; // what had the focus before a card was opened from the keyboard

/** Keep a point's card open; -1 closes it. */
function openPoint(point) {
  const inside = card.contains(document.activeElement);
  state.open = point;
  state.over = -1;
  showCard();
  for (const line of document.querySelectorAll("#list button")) line.classList.toggle("open", Number(line.value) === point);
  redraw();
  if (point < 0 && inside) (opener.isConnected ? opener : canvas).focus();
}

/** The same for somebody without a pointer, who is led to the card and back. */
function openAndGo(point) {
  opener = document.activeElement;
  openPoint(point);
  if (point >= 0) card.focus();
}

function showCard() {
  const point = carded();
  card.hidden = point < 0;
  if (point < 0) return;
  const figure = figureOf(point), isOpen = point === state.open;
  card.classList.toggle("open", isOpen);
  const own = captionOf(point), kind = kindOf(point);
  const texts = kind === CAPTION ? [own, ...figure.captions.filter((text) => text !== own)] : figure.captions;
  const captions = (isOpen ? texts : texts.slice(0, 1)).filter((text) => text.trim());
  const paragraphs = captions.map((text, number) => make("p", { dir: "auto", ...(kind === CAPTION && !number ? { class: "asked" } : {}) }, text));
  card.replaceChildren(
    make("div", { class: "head" }, legendMark(kind, codeOf(point)), make("span", { class: "name" }, `${NAMES[kind]} of ${figure.id}`), ...(isOpen ? [closing()] : [])),
    ...(figure.picture ? [pictureOf(figure, "")] : []),
    make("div", { class: "captions" }, ...(paragraphs.length ? paragraphs : [make("p", { class: "soft" }, "no caption")])),
    make("p", { class: "whose" }, figure.attribution),
    ...(codeOf(point) >= 0 && state.colouring ? [make("p", { class: "whose" }, `${state.colouring.name}: ${groupName(codeOf(point))}`)] : []),
    ...(isOpen ? [ways(point)] : []),
  );
  place(point);
}

const closing = () => make("button", { type: "button", "aria-label": "Close", onclick: () => openPoint(-1) }, "×");

/** Buttons that lead to the figure's points of the other modality. */
function ways(point) {
  const others = figureOf(point).points.filter((other) => other !== point);
  const lead = (other, number) => make("button", { type: "button", onclick: () => goTo(other) }, `To its ${NAMES[kindOf(other)]}${others.length > 2 ? ` ${number + 1}` : ""}`);
  return make("div", { class: "ways" }, ...others.slice(0, 6).map(lead));
}

function goTo(point) {
  state.middle = [x[point], y[point]];
  openPoint(point);
  moved();
  card.focus();
}

/** Beside its point, where there is room and, if it can be, not over the figure's other points; on a narrow screen below or above it (map.css). */
function place(point) {
  const [width, height] = size(), [atX, atY] = onScreen(point), gap = 14;
  const onRight = atX + gap, onLeft = atX - gap - card.offsetWidth;
  const fits = (left) => left >= 8 && left + card.offsetWidth <= width - 8;
  const away = figureOf(point).points.some((other) => x[other] > x[point]) ? [onLeft, onRight] : [onRight, onLeft];
  card.style.left = `${away.find(fits) ?? Math.max(8, width - card.offsetWidth - 8)}px`;
  card.style.top = `${Math.max(8, Math.min(atY - card.offsetHeight / 3, height - card.offsetHeight - 8))}px`;
  card.classList.toggle("above", atY > height / 2);
}
