"use strict";
// The canvas: marks for points, pictures where there is room for them, lines between a figure's own points.

const brush = canvas.getContext("2d");
const PICTURES = 400; // images in view; of more no picture is drawn, because they would hide the map
const KEPT = 600; // decoded pictures
const decoded = new Map();
let pictures = []; // drawn now: {point, x, y, width, height}
let marks = {}; // of the present colours and size
let asked = false;

const paints = new Map(); // of the present theme

/** A colour of the page's style as a canvas understands it: style.css says both themes' at once. */
function colour(name) {
  if (!paints.has(name)) {
    canvas.style.color = `var(${name})`;
    paints.set(name, getComputedStyle(canvas).color);
  }
  return paints.get(name);
}

/** The name of the colour of a group, as style.css and map.css know it. */
function colourName(kind, code) {
  if (!state.colouring) return kind === IMAGE ? "--image" : "--caption";
  if (code === OTHER || code === MISSING) return code === OTHER ? "--other" : "--missing";
  const last = state.colouring.groups.length - 1;
  return state.colouring.ordered ? `--r${last ? Math.round((code * 6) / last) : 3}` : `--g${code}`;
}

/** How far a mark reaches from its middle: smaller for many points, larger when near. */
function radius() {
  const plain = points > 12000 ? 1.8 : points > 3000 ? 2.4 : 3;
  return Math.min(6, plain * Math.max(1, state.scale) ** 0.3);
}

/** Half the side of a mark's canvas, in whole device pixels: a mark that need not be resampled is drawn much faster. */
const halfOf = (reach) => Math.ceil((reach + 1.5) * devicePixelRatio) / devicePixelRatio;

/** One mark as a little canvas: a disc is an image, a cross a caption. Kept until colours, size or screen change. */
function mark(kind, code, reach) {
  const now = `${reach} ${devicePixelRatio}`;
  if (marks.now !== now) marks = { now, [IMAGE]: new Map(), [CAPTION]: new Map() };
  if (!marks[kind].has(code)) marks[kind].set(code, drawMark(kind, code, reach));
  return marks[kind].get(code);
}

function drawMark(kind, code, reach) {
  const own = document.createElement("canvas"), half = halfOf(reach);
  own.width = own.height = 2 * half * devicePixelRatio;
  const pen = own.getContext("2d");
  pen.scale(devicePixelRatio, devicePixelRatio);
  pen.translate(half, half);
  pen.lineCap = "round";
  pen.beginPath();
  if (kind === IMAGE) {
    pen.arc(0, 0, reach, 0, 2 * Math.PI);
    pen.fillStyle = colour(colourName(kind, code));
    pen.fill();
    pen.strokeStyle = colour("--mark-edge");
    pen.lineWidth = 0.6;
    pen.stroke();
  } else {
    const arm = reach;
    pen.moveTo(-arm, -arm); pen.lineTo(arm, arm); pen.moveTo(-arm, arm); pen.lineTo(arm, -arm);
    pen.strokeStyle = colour("--mark-edge");
    pen.lineWidth = reach * 0.6 + 0.6;
    pen.stroke();
    pen.strokeStyle = colour(colourName(kind, code));
    pen.lineWidth = reach * 0.6;
    pen.stroke();
  }
  return own;
}

/** The points that are not hidden and stand on the canvas or so many pixels beside it. */
function inView(margin = 0) {
  const { width, height, scale, left, top } = layout(), found = [];
  for (let point = 0; point < points; point++) {
    if (state.shown[point] === HIDDEN) continue;
    const right = x[point] * scale + left, down = y[point] * scale + top;
    if (right >= -margin && right <= width + margin && down >= -margin && down <= height + margin) found.push(point);
  }
  return found;
}

/** Ask for a drawing at the next frame, however often. */
function redraw() {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => { asked = false; draw(); });
}

function draw() {
  const { width, height } = layout(), ratio = devicePixelRatio;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    [canvas.width, canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
  }
  brush.setTransform(ratio, 0, 0, ratio, 0, 0);
  brush.clearRect(0, 0, width, height);
  const seen = inView(40);
  const layers = { 0.13: [], 0.5: [], 0.92: [] }; // what the words do not find, what has no group, the rest
  for (const point of seen) layers[state.shown[point] === FAINT ? 0.13 : codeOf(point) < 0 ? 0.5 : 0.92].push(point);
  for (const [opacity, those] of Object.entries(layers)) {
    brush.globalAlpha = opacity;
    for (const kind of [CAPTION, IMAGE]) drawMarks(those.filter((point) => kindOf(point) === kind), kind);
  }
  brush.globalAlpha = 1;
  drawPictures(seen);
  for (const point of new Set([state.open, state.over])) if (point >= 0) drawTies(point);
}

function drawMarks(those, kind) {
  const { scale, left, top } = layout(), reach = radius(), ratio = devicePixelRatio, half = halfOf(reach);
  for (const point of those) {
    const right = Math.round((x[point] * scale + left - half) * ratio) / ratio;
    const down = Math.round((y[point] * scale + top - half) * ratio) / ratio;
    brush.drawImage(mark(kind, codeOf(point), reach), right, down, 2 * half, 2 * half);
  }
}

/** Pictures on the discs of images, as many as do not lie on each other. */
function drawPictures(seen) {
  pictures = [];
  const images = seen.filter((point) => state.shown[point] === SHOWN && kindOf(point) === IMAGE && figureOf(point).picture);
  if (!state.pictures || images.length > PICTURES) return;
  const side = images.length > 100 ? 40 : 64;
  for (const point of images) {
    const image = picture(point);
    if (!image.naturalWidth) continue;
    const [atX, atY] = onScreen(point), shrink = side / Math.max(image.naturalWidth, image.naturalHeight);
    const one = { point, x: atX, y: atY, width: image.naturalWidth * shrink, height: image.naturalHeight * shrink };
    const apart = (other) => Math.abs(other.x - atX) * 2 > other.width + one.width || Math.abs(other.y - atY) * 2 > other.height + one.height;
    if (!pictures.every(apart)) continue;
    pictures.push(one);
    const left = atX - one.width / 2, top = atY - one.height / 2;
    brush.drawImage(image, left, top, one.width, one.height);
    brush.strokeStyle = colour(colourName(IMAGE, codeOf(point)));
    brush.lineWidth = 2;
    brush.strokeRect(left, top, one.width, one.height);
  }
}

function picture(point) {
  const figure = figureOf(point);
  if (!decoded.has(figure)) {
    if (decoded.size >= KEPT) decoded.delete(decoded.keys().next().value);
    const image = new Image();
    image.onload = redraw;
    image.src = `data:image/webp;base64,${figure.picture}`;
    decoded.set(figure, image);
  }
  return decoded.get(figure);
}

/** Lines from a point to its figure's points of the other modality, and a ring round each. */
function drawTies(point) {
  const from = onScreen(point), reach = radius();
  const others = figureOf(point).points.filter((other) => kindOf(other) !== kindOf(point));
  brush.strokeStyle = colour("--ink");
  for (const other of [...others, point]) {
    const [atX, atY] = onScreen(other);
    brush.beginPath();
    brush.lineWidth = 1.3;
    brush.moveTo(...from);
    brush.lineTo(atX, atY);
    brush.stroke();
    drawMarks([other], kindOf(other));
    brush.beginPath();
    brush.lineWidth = other === point ? 2.4 : 1.6;
    brush.arc(atX, atY, reach + 4, 0, 2 * Math.PI);
    brush.stroke();
  }
}
