"use strict";
// Where the map stands under the canvas, and the hands that move it.

const canvas = document.getElementById("map");
const REACH = 18; // pixels between a finger or a pointer and the mark that it means
const FARTHEST = 0.8, NEAREST = 400;
const STEP = 60; // pixels that an arrow key moves the map

const size = () => [canvas.clientWidth, canvas.clientHeight];
const extent = [x, y].map((axis) => axis.reduce((most, value) => Math.max(most, value), 0));

/** How the map lies under the canvas now: a place is (x · scale + left, y · scale + top). Asked once for many points. */
function layout() {
  const [width, height] = size();
  const scale = Math.max(50, Math.min(width, height) - 48) * state.scale;
  return { width, height, scale, left: width / 2 - state.middle[0] * scale, top: height / 2 - state.middle[1] * scale };
}

function onScreen(point) {
  const { scale, left, top } = layout();
  return [x[point] * scale + left, y[point] * scale + top];
}

function showEverything() {
  const [width, height] = size(), side = Math.min(width, height) - 48;
  state.middle = [extent[0] / 2, extent[1] / 2];
  state.scale = Math.min((width - 48) / (side * (extent[0] || 1)), (height - 48) / (side * (extent[1] || 1)));
  moved();
}

function move(right, down) {
  const { scale } = layout();
  state.middle = [state.middle[0] - right / scale, state.middle[1] - down / scale];
  moved();
}

/** Zoom by a factor about a place of the canvas, which keeps the point under it. */
function zoom(factor, place = size().map((side) => side / 2)) {
  const before = layout().scale;
  state.scale = Math.min(NEAREST, Math.max(FARTHEST, state.scale * factor));
  const after = layout().scale;
  size().forEach((side, axis) => {
    state.middle[axis] += (place[axis] - side / 2) * (1 / before - 1 / after);
  });
  moved();
}

/** The shown point nearest to a place of the canvas, or -1 where none is within reach; a drawn picture reaches farther. */
function pointAt([right, down], reach = REACH) {
  const drawn = state.pictures && pictures.findLast((one) => Math.abs(right - one.x) <= one.width / 2 && Math.abs(down - one.y) <= one.height / 2);
  if (drawn && reach === REACH) return drawn.point;
  const { scale, left, top } = layout();
  let best = -1, least = reach * reach;
  for (let point = 0; point < points; point++) {
    if (state.shown[point] !== SHOWN) continue;
    const distance = (x[point] * scale + left - right) ** 2 + (y[point] * scale + top - down) ** 2;
    if (distance <= least) [best, least] = [point, distance];
  }
  return best;
}

const placeOf = (event) => {
  const box = canvas.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
};

const held = new Map(); // pointers that are down, and where
let wandered = 0; // pixels since the first went down: a click does not wander

canvas.addEventListener("pointerdown", (event) => {
  canvas.setPointerCapture(event.pointerId);
  if (!held.size) wandered = 0;
  held.set(event.pointerId, placeOf(event));
});

canvas.addEventListener("pointermove", (event) => {
  const place = placeOf(event), before = held.get(event.pointerId);
  if (!before) {
    if (event.pointerType === "mouse") lookAt(pointAt(place));
    return;
  }
  const other = [...held].find(([id]) => id !== event.pointerId)?.[1];
  if (other) {
    const apart = (one) => Math.hypot(one[0] - other[0], one[1] - other[1]) || 1;
    move((place[0] - before[0]) / 2, (place[1] - before[1]) / 2);
    zoom(apart(place) / apart(before), [(place[0] + other[0]) / 2, (place[1] + other[1]) / 2]);
  } else if (held.size === 1) {
    move(place[0] - before[0], place[1] - before[1]);
  }
  wandered += Math.hypot(place[0] - before[0], place[1] - before[1]);
  held.set(event.pointerId, place);
});

canvas.addEventListener("pointerup", (event) => {
  if (held.size === 1 && wandered < 6) openPoint(pointAt(placeOf(event)));
  held.delete(event.pointerId);
});
canvas.addEventListener("pointercancel", (event) => held.delete(event.pointerId));
canvas.addEventListener("pointerleave", () => lookAt(-1));
canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  const pixels = event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 30 : 1);
  zoom(Math.exp(-pixels * (event.ctrlKey ? 0.01 : 0.0018)), placeOf(event));
}, { passive: false });

const KEYS = {
  ArrowLeft: () => move(STEP, 0), ArrowRight: () => move(-STEP, 0), ArrowUp: () => move(0, STEP), ArrowDown: () => move(0, -STEP),
  "+": () => zoom(1.4), "=": () => zoom(1.4), "-": () => zoom(1 / 1.4), 0: showEverything,
  Enter: () => openAndGo(pointAt(size().map((side) => side / 2), Infinity)),
};
canvas.addEventListener("keydown", (event) => {
  if (!KEYS[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  KEYS[event.key]();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") openPoint(-1);
});
document.getElementById("nearer").addEventListener("click", () => zoom(1.6));
document.getElementById("farther").addEventListener("click", () => zoom(1 / 1.6));
document.getElementById("everything").addEventListener("click", showEverything);
