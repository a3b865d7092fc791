// One figure enlarged: all its captions, where it is from and on what terms, and how to go on from it.

import * as api from "./api.js";
import { byId, fill, h, icon, iconButton } from "./dom.js";
import { articleLink } from "./figures.js";
import { failed } from "./notices.js";
import { alternative, caption, label, measure, safeLink, standing } from "./words.js";

export class Viewer {
  /** `page`: {act(verb, hit, pane), change(part, how), leave()}. */
  constructor(page) {
    this.page = page;
    this.dialog = byId("viewer");
    this.dialog.addEventListener("cancel", (event) => { event.preventDefault(); page.leave(); });
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && page.leave());
    this.dialog.addEventListener("close", () => this.shown && page.leave()); // a second Esc closes it without asking
    this.dialog.addEventListener("keydown", (event) => this.key(event));
  }

  /** Opens the figure that `state` says, from the hits of `pane` or, where it is not among them, from the server. */
  async show(state, pane) {
    if (!state.open) return this.close();
    if (state.open === this.shown) return this.ends();
    this.shown = state.open;
    this.pane = pane;
    const hit = pane.hits.find((each) => each.figure_id === state.open);
    if (hit) return this.fill(hit);
    try {
      const found = await api.figure(pane.about.name, state.open);
      if (this.shown === state.open) this.fill(found);
    } catch (error) {
      if (this.shown === state.open) this.present(this.bar(""), failed(error, () => this.again(state)));
    }
  }

  again(state) {
    this.shown = "";
    this.show(state, this.pane);
  }

  close() {
    const was = this.shown;
    this.shown = "";
    if (!this.dialog.open) return;
    this.dialog.close();
    const cards = [...this.pane.body.querySelectorAll(".card[data-id]")];
    cards.find((card) => card.dataset.id === was)?.querySelector(".open").focus();
  }

  fill(hit) {
    this.hit = hit;
    const way = (words, verb, name) => {
      const onclick = () => this.page.act(verb, hit, this.pane);
      return h("button", { type: "button", class: "plain", onclick }, icon(name), words);
    };
    const ways = (title, ...buttons) => h("div", { class: "next" }, h("p", {}, title), buttons);
    this.present(
      this.bar(label(hit) || hit.figure_id),
      h("div", { class: "look" }, large(hit)),
      h("div", { class: "tell" },
        captions(hit),
        ways("More like this", way("By image", "like", "like"), way("By caption", "like-caption", "like")),
        ways("In the query", way("Add", "add", "plus"), way("Exclude", "exclude", "minus")),
        facts(hit, this.pane.answer?.mode)),
      h("div", { class: "terms-of-use" },
        h("p", { class: "attribution", dir: "auto" }, hit.attribution || "licence unknown"),
        safeLink(hit.link) && articleLink(hit, "Open the article")));
    this.ends();
  }

  bar(title) {
    this.before = iconButton("left", "Previous figure (←)", () => this.step(-1));
    this.after = iconButton("right", "Next figure (→)", () => this.step(1));
    const leave = iconButton("close", "Close (Esc)", () => this.page.leave(), { class: "quiet round leave" });
    const heading = h("h2", { id: "viewer-title", dir: "auto" }, title || "Figure");
    return h("div", { class: "dialog-head" }, heading, this.before, this.after, leave);
  }

  /** Shows the parts; the focus stays on the button that it was on, or is on the one that closes. */
  present(...parts) {
    const focused = this.dialog.contains(document.activeElement) ? document.activeElement.ariaLabel : null;
    fill(this.dialog, parts);
    if (!this.dialog.open) this.dialog.showModal();
    const same = [...this.dialog.querySelectorAll("[aria-label]")].find((each) => each.ariaLabel === focused);
    (same ?? this.dialog.querySelector(".leave")).focus();
  }

  ends() {
    if (!this.before) return;
    const place = this.place();
    this.before.disabled = place <= 0;
    this.after.disabled = place < 0 || place >= this.pane.hits.length - 1;
  }

  place() {
    return this.pane.hits.findIndex((each) => each.figure_id === this.shown);
  }

  step(way) {
    const next = this.place() < 0 ? undefined : this.pane.hits[this.place() + way];
    if (next) this.page.change({ open: next.figure_id }, "replace");
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.hit) return;
    const verb = { m: "like", c: "like-caption", "+": "add", "-": "exclude" }[event.key];
    if (event.key === "ArrowLeft") this.step(-1);
    else if (event.key === "ArrowRight") this.step(1);
    else if (verb) this.page.act(verb, this.hit, this.pane);
    else return;
    event.preventDefault();
  }
}

function large(hit) {
  const source = hit.original || hit.thumbnail;
  if (!source) return h("p", { class: "remark" }, "This index holds no picture of the figure, only its caption.");
  const image = h("img", { src: source, alt: alternative(hit), width: hit.width, height: hit.height });
  if (hit.original) {
    image.addEventListener("error", () => hit.thumbnail && image.setAttribute("src", hit.thumbnail), { once: true });
    return image;
  }
  const size = hit.width ? `; the original is ${hit.width} × ${hit.height}` : "";
  return [image, h("p", { class: "remark" }, `The small picture that the index keeps${size}.`)];
}

function captions(hit) {
  const all = hit.captions?.length ? hit.captions : [caption(hit)].filter(Boolean);
  if (!all.length) return h("p", { class: "remark" }, "This figure has no caption.");
  const matched = (text) => hit.modality === "text" && all.length > 1 && text === hit.caption;
  return all.map((text) => h("p", { class: matched(text) ? "full matched" : "full", dir: "auto" }, text));
}

function facts(hit, mode) {
  const place = [hit.rank, standing(hit.percentile)].filter(Boolean).join(", ");
  const { width, height, ...metadata } = hit.metadata ?? {};
  const known = {
    rank: hit.rank && `${place} (${measure(hit, mode)})`,
    panel: hit.panel,
    figure: hit.figure_id,
    article: hit.article_id,
    size: hit.width && `${hit.width} × ${hit.height}`,
    file: hit.source_uri,
    ...metadata,
  };
  const rows = Object.entries(known).filter(([, value]) => (value ?? "") !== "");
  const named = (name) => h("dt", {}, name.replaceAll("_", " "));
  return h("dl", {}, rows.map(([name, value]) => h("div", {}, named(name), h("dd", { dir: "auto" }, worded(value)))));
}

function worded(value) {
  const link = safeLink(value);
  return link ? h("a", { href: link, target: "_blank", rel: "noopener noreferrer" }, link) : String(value);
}
