"use strict";
// What the page holds, as the scripts use it: points, figures, groups, and what the reader chose.

const data = JSON.parse(document.getElementById("data").textContent);
const GRID = 65535;
const IMAGE = 0, CAPTION = 1;
const OTHER = -1, MISSING = -2;
const HIDDEN = 0, FAINT = 1, SHOWN = 2;

const points = data.figure.length;
const x = Float32Array.from(data.x, (value) => value / GRID);
const y = Float32Array.from(data.y, (value) => value / GRID);
const kindOf = (point) => (point < data.images ? IMAGE : CAPTION);

const figures = data.figures.map(([id, captions, attribution, picture]) => ({
  id, captions, attribution, picture, points: [], text: captions.join("\n").toLocaleLowerCase(),
}));
data.figure.forEach((figure, point) => figures[figure].points.push(point));
const figureOf = (point) => figures[data.figure[point]];

/** The caption that a point stands for; of an image the figure's first. */
function captionOf(point) {
  const figure = figureOf(point);
  if (kindOf(point) === IMAGE) return figure.captions.find((text) => text.trim()) ?? "";
  const own = figure.points.filter((other) => kindOf(other) === CAPTION);
  return figure.captions[own.indexOf(point)] ?? "";
}

const state = {
  middle: [0.5, 0.5], scale: 1,
  over: -1, open: -1,
  words: [], colouring: null, without: new Set(), withoutKinds: new Set(), pictures: true,
  shown: new Uint8Array(points).fill(SHOWN),
};

/** The point that the card is about, or -1: what was opened stays until it is closed. */
const carded = () => (state.open >= 0 ? state.open : state.over);
const codeOf = (point) => (state.colouring ? state.colouring.codes[data.figure[point]] : 0);

/** Work out anew which points are shown, faint or hidden; gives how many figures hold the words. */
function sift() {
  const holds = figures.map((figure) => state.words.every((word) => figure.text.includes(word)));
  for (let point = 0; point < points; point++) {
    const hidden = state.withoutKinds.has(kindOf(point)) || (state.colouring && state.without.has(codeOf(point)));
    state.shown[point] = hidden ? HIDDEN : holds[data.figure[point]] ? SHOWN : FAINT;
  }
  return holds.filter(Boolean).length;
}
