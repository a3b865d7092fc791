"use strict";
// The first drawing, and what follows the window and the theme.

byId("colour").replaceChildren(
  ...[["-1", "image or caption"], ...data.colourings.map(({ name }, number) => [String(number), name])].map(
    ([value, name]) => make("option", { value }, name)));
byId("colour").value = data.colourings.length ? "0" : "-1";
byId("colours").hidden = !data.colourings.length;
byId("pictures-line").hidden = !figures.some((figure) => figure.picture);
colourBy(data.colourings.length ? 0 : -1);
showEverything();
new ResizeObserver(moved).observe(canvas);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { paints.clear(); marks = {}; redraw(); });
