// Images of the reader's own: picked, dropped anywhere, or pasted. They stay in this page's memory.

import { byId } from "./dom.js";

/**
 * Tells `use(files, how)` of images that arrive: "ask" with them alone, or "add" them. `composing()` says whether there
 * is a query to add to.
 */
export function acceptImages(use, composing) {
  const field = byId("file");
  byId("pick").addEventListener("click", () => field.click());
  field.addEventListener("change", () => {
    use(pictures(field), "ask");
    field.value = "";
  });
  document.addEventListener("paste", (event) => {
    const files = pictures(event.clipboardData);
    if (!files.length || event.target.closest?.("dialog")) return;
    event.preventDefault();
    const among = event.target === byId("words"); // pasted into the words, it belongs to them
    use(files, composing() && among ? "add" : "ask");
  });
  acceptDrops(use, composing);
}

function acceptDrops(use, composing) {
  const veil = byId("drop");
  const [, add] = veil.children;
  let own = false; // a figure of this page that is dragged out of it
  document.addEventListener("dragstart", () => { own = true; });
  document.addEventListener("dragend", () => { own = false; });
  const foreign = (event) =>
    !own && event.dataTransfer?.types.includes("Files") && !document.querySelector("dialog:modal");
  const cover = (on) => {
    veil.hidden = !on;
    add.hidden = !composing();
  };
  document.addEventListener("dragenter", (event) => foreign(event) && cover(true));
  document.addEventListener("dragover", (event) => {
    if (!foreign(event)) return;
    event.preventDefault();
    for (const zone of veil.children) zone.classList.toggle("over", zone === event.target);
  });
  document.addEventListener("dragleave", (event) => event.relatedTarget === null && cover(false));
  document.addEventListener("drop", (event) => {
    if (!foreign(event)) return;
    event.preventDefault();
    cover(false);
    use(pictures(event.dataTransfer), event.target.dataset?.how ?? "ask");
  });
}

const isPicture = (file) => file.type.startsWith("image/") || /\.tiff?$/i.test(file.name);
const pictures = (source) => [...(source?.files ?? [])].filter(isPicture);
