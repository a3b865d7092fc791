// One index and its answer: asked, waited for, shown, or explained. The page has one pane, or two to compare.

import * as api from "./api.js";
import { button, byId, fill, h } from "./dom.js";
import { articleLink, card, key, update, walkable } from "./figures.js";
import { failed, nothingAsked, nothingFound, unshared, waiting } from "./notices.js";
import { request } from "./query.js";
import { asks, FIRST } from "./state.js";
import { count } from "./words.js";

const MOST = 200; // hits of one search, where the server does not say
const FORMATS = { csv: "Table (CSV)", jsonl: "JSON lines" };

export class Pane {
  /**
   * `page`: {act(verb, hit, pane), change(part), choose(pane, name), answered(pane), renew(),
   * supply(key), forget(keys), locked(retry), files: Map of key → File, indexes()}.
   */
  constructor(page, name) {
    this.page = page;
    this.hits = [];
    this.turn = 0;
    this.head = h("div", { class: "pane-head" });
    this.notice = h("div", { class: "notice" });
    this.body = h("div", { class: "answer" });
    const more = button("Show more", () => page.change({ k: this.state.k + FIRST }));
    this.more = h("div", { class: "more", hidden: true }, more);
    this.element = h("section", { class: "pane", "aria-label": name }, this.head, this.notice, this.body, this.more);
    this.first = walkable(this.body, (verb, hit) => page.act(verb, hit, this));
  }

  /** Shows what `state` asks of the index `about`. Asks again only where that differs from what is shown or asked. */
  async show(state, about) {
    this.state = state;
    this.about = about;
    const asked = request(state);
    asked.body.k = Math.min(asked.body.k, this.most);
    if (!about.panels) delete asked.body.panels;
    const said = JSON.stringify([about.name, about.digest, asked, asks(state)]);
    if (said === this.said) return;
    this.said = said;
    this.stop?.abort();
    const turn = ++this.turn;
    if (!asks(state)) return this.settle(nothingAsked(about));
    const missing = Object.values(asked.images).filter((image) => !this.page.files.has(image));
    if (missing.length) return this.settle(unshared(missing, this.page));
    this.stop = new AbortController();
    this.wait();
    try {
      const named = Object.entries(asked.images).map(([name, image]) => [name, this.page.files.get(image)]);
      const files = Object.fromEntries(named);
      const answer = await api.search(about.name, asked.body, files, this.stop.signal);
      if (turn === this.turn) this.fill(answer);
    } catch (error) {
      if (error.name !== "AbortError" && turn === this.turn) this.fail(error);
    }
  }

  /** Hits that the index gives at most. */
  get most() {
    return this.about.max_k ?? MOST;
  }

  /** Asks the same again: after an error, or of an index that was built anew. */
  again() {
    this.said = null;
    return this.show(this.state, this.about);
  }

  /** No answer to show, but a notice. */
  settle(notice) {
    this.hits = [];
    this.element.setAttribute("aria-busy", "false");
    fill(this.notice, notice);
    this.body.replaceChildren();
    this.more.hidden = true;
    this.header();
    this.page.answered(this);
  }

  /** The last answer stays until the next one is there; where there was none, empty frames hold its place. */
  wait() {
    this.element.setAttribute("aria-busy", "true");
    if (this.hits.length) return;
    this.notice.replaceChildren();
    this.body.replaceChildren(waiting(this.state.target));
  }

  fail(error) {
    this.answer = null;
    if (error.status === 401) this.page.locked(() => this.again());
    this.settle(failed(error, () => this.again()));
  }

  fill(answer) {
    this.answer = answer;
    if (!answer.hits.length) return this.settle(nothingFound(this.state, this.page.change, answer.nearest));
    this.element.setAttribute("aria-busy", "false");
    this.remark(answer.query_cut ? "These words are more than the encoder reads; the end of them was not asked." : "");
    this.hits = answer.hits;
    this.lay();
    this.header();
    this.more.hidden = answer.hits.length < this.state.k || this.state.k >= this.most;
    this.page.answered(this);
    if (answer.digest !== this.about.digest) this.page.renew();
  }

  /** A line above the figures; none for no words. */
  remark(words) {
    fill(this.notice, words && h("p", { class: "remark", role: "status" }, words));
  }

  /** Puts the hits in their order. A figure that was there already keeps its element, so that nothing flickers. */
  lay() {
    const focused = this.body.contains(document.activeElement) ? document.activeElement.closest(".card") : null;
    const old = new Map([...this.body.querySelectorAll(".card[data-id]")].map((each) => [key(each.hit), each]));
    const act = (verb, hit) => this.page.act(verb, hit, this);
    const made = this.hits.map((hit) => {
      const same = old.get(key(hit));
      old.delete(key(hit));
      return same ? update(same, hit, this.answer.mode) : card(hit, this.answer.mode, act);
    });
    fill(this.body, Number(this.state.perArticle) > 1 ? this.byArticle(made) : this.list(made));
    this.first();
    if (made.includes(focused)) focused.querySelector(".open").focus({ preventScroll: true });
  }

  list(cards) {
    return h("ol", { class: this.state.target === "text" ? "captions" : "grid", role: "list" }, cards);
  }

  /** A section for each article, in the order of their best figures; what belongs to none stands alone. */
  byArticle(cards) {
    const groups = new Map();
    for (const each of cards) {
      const article = each.hit.article_id ?? `\u0000${each.hit.figure_id}`;
      groups.set(article, [...(groups.get(article) ?? []), each]);
    }
    const sections = [...groups.values()].map((some) => this.article(some));
    return h("div", { class: this.state.target === "text" ? "articles listed" : "articles" }, sections);
  }

  /** As wide as its figures together, which figures.css makes of `--ratio` and `--gaps`. */
  article(cards) {
    const [{ hit }] = cards;
    const heading = articleLink(hit, hit.article_id ?? "") ?? h("span", {}, "of no article");
    const size = h("small", {}, count(cards.length, this.state.target === "text" ? "caption" : "figure"));
    const section = h("section", {}, h("h2", {}, heading, size), this.list(cards));
    const ratios = cards.map((each) => Number(each.style.getPropertyValue("--ratio")));
    section.style.setProperty("--ratio", ratios.reduce((sum, each) => sum + each, 0));
    section.style.setProperty("--gaps", cards.length - 1);
    return section;
  }

  header() {
    const { name, figures, encoder } = this.about;
    const found = this.hits.length ? this.found() : { words: count(figures, "figure") };
    const options = this.page.indexes().map((each) => h("option", { selected: each.name === name }, each.name));
    const onchange = (event) => this.page.choose(this, event.target.value);
    fill(this.head,
      options.length > 1 ? h("select", { "aria-label": "Index", onchange }, options) : h("strong", {}, name),
      h("span", { class: "found" }, found.words, h("span", { class: "both" })),
      h("span", { class: "encoder", title: "encoder" }, encoder),
      found.save);
  }

  found() {
    const captions = this.state.target === "text";
    const all = captions ? count(this.about.captions, "caption") : count(this.about.figures, "figure");
    const time = Math.max(1, Math.round(this.answer.milliseconds.total));
    const save = (format) => () => {
      menu.open = false;
      this.export(format);
    };
    const forms = Object.entries(FORMATS).map(([format, name]) =>
      h("button", { type: "button", class: "quiet", onclick: save(format) }, name));
    const summary = h("summary", { title: "Save what is shown, with attribution" }, "Save");
    const menu = h("details", { class: "menu" }, summary, h("div", {}, forms));
    return { words: `${this.hits.length} of ${all} in ${time} ms`, save: menu };
  }

  async export(format) {
    try {
      const ids = new Set(this.hits.map((hit) => hit.figure_id));
      const { name, blob } = await api.exported(this.about.name, format, [...ids]);
      const address = URL.createObjectURL(blob);
      h("a", { href: address, download: name }).click();
      setTimeout(() => URL.revokeObjectURL(address), 10_000);
      byId("status").textContent = `Saved ${name}`;
    } catch (error) {
      fill(this.notice, failed(error, () => this.export(format)));
    }
  }
}

/** Marks in each pane which figures the other one found too. Returns how many they share. */
export function markShared([one, other]) {
  const ranks = [one, other].map((pane) => new Map(pane.hits.toReversed().map((hit) => [hit.figure_id, hit.rank])));
  [one, other].forEach((pane, place) => {
    for (const each of pane.body.querySelectorAll(".card[data-id]")) {
      const rank = ranks[1 - place].get(each.hit.figure_id);
      const mark = each.querySelector(".elsewhere");
      mark.hidden = rank === undefined;
      mark.textContent = rank === undefined ? "" : rank === each.hit.rank ? "same rank there" : `rank ${rank} there`;
      each.classList.toggle("shared", rank !== undefined);
    }
  });
  return [...ranks[0].keys()].filter((id) => ranks[1].has(id)).length;
}
