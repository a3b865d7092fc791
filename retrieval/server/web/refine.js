// The panel of conditions: how to rank and to group, and filters with counts.

import * as api from "./api.js";
import { others, parts } from "./clauses.js";
import { byId, fill, h } from "./dom.js";
import { FEW, fieldsOf, inOrder, MANY } from "./facets.js";
import { failed } from "./notices.js";
import { canUsePanels } from "./query.js";

const MODES = { dense: "meaning", lexical: "words", hybrid: "meaning and words" };

export class Refine {
  /** `page`: {change(part)}. Beside the figures on a wide screen, over them on a narrow one. */
  constructor(page) {
    this.page = page;
    this.panel = byId("refine");
    this.wide = matchMedia("(min-width: 60rem)");
    this.unfolded = new Set();
    const set = (id, name, from = "value") =>
      byId(id).addEventListener("change", (event) => page.change({ [name]: event.target[from] }));
    set("mode", "mode");
    set("per-article", "perArticle");
    set("min-percentile", "minPercentile");
    set("unique", "unique", "checked");
    set("panels", "panels", "checked");
    this.listen();
  }

  listen() {
    const { panel } = this;
    byId("refine-button").addEventListener("click", () => (panel.open ? panel.close() : this.open()));
    byId("refine-close").addEventListener("click", () => panel.close());
    panel.addEventListener("close", () => this.closed());
    panel.addEventListener("keydown", (event) => event.key === "Escape" && panel.close());
    panel.addEventListener("click", (event) => event.target === panel && panel.matches(":modal") && panel.close());
    this.wide.addEventListener("change", () => panel.open && (panel.close(), this.open()));
  }

  open() {
    if (this.wide.matches) this.panel.show();
    else this.panel.showModal();
    byId("refine-button").setAttribute("aria-expanded", "true");
    byId("refine-close").focus();
    this.count();
  }

  closed() {
    byId("refine-button").setAttribute("aria-expanded", "false");
    byId("refine-button").focus();
  }

  /** The fields say what `state` says; counts are asked for while the panel is open. */
  show(state, about) {
    this.state = state;
    this.about = about;
    const modes = about.modes?.length ? about.modes : ["dense"];
    const option = (mode) => h("option", { value: mode === "dense" ? "" : mode }, MODES[mode] ?? mode);
    fill(byId("mode"), modes.map(option));
    byId("mode").closest("label").hidden = modes.length < 2;
    byId("per-article").closest("label").hidden = about.articles === null;
    choose(byId("mode"), state.mode === "dense" ? "" : state.mode);
    choose(byId("per-article"), state.perArticle);
    choose(byId("min-percentile"), state.minPercentile);
    byId("min-percentile").disabled = state.mode === "lexical"; // which knows no cosines to compare
    byId("unique").checked = state.unique;
    byId("panels").checked = state.panels;
    byId("panels").disabled = !canUsePanels(state);
    byId("panels").closest("label").hidden = !about.panels;
    const { mode, perArticle, minPercentile, unique, panels } = state;
    const inForce = [...state.where, mode, perArticle, minPercentile, unique, panels && about.panels].filter(Boolean);
    fill(byId("refine-button"), "Refine", inForce.length > 0 && h("span", { class: "badge" }, inForce.length));
    if (this.panel.open) this.count();
  }

  /** Asks for counts, unless they are those of the last time. */
  async count() {
    if (!this.state) return; // not known yet what can be asked
    const said = JSON.stringify([this.about.name, this.about.digest, this.state.where, [...this.unfolded]]);
    if (said === this.said) return;
    this.said = said;
    this.stop?.abort();
    this.stop = new AbortController();
    try {
      this.lay(await this.counted(this.stop.signal));
    } catch (error) {
      if (error.name === "AbortError") return;
      this.said = null;
      fill(byId("facets"), failed(error, () => this.count()));
    }
  }

  /** A column with clauses of its own is counted as if they were not there, so that its other values show. */
  async counted(signal) {
    const { where } = this.state;
    const { name, columns } = this.about;
    const limit = this.unfolded.size ? MANY : FEW;
    const asked = [...new Set(where.map((clause) => parts(clause)?.column))].filter((column) => column in columns);
    const conditions = [where, ...asked.map((column) => others(where, column))];
    const [all, ...each] = await Promise.all(conditions.map((some) => api.facets(name, some, limit, signal)));
    return { ...all, ...Object.fromEntries(asked.map((column, place) => [column, each[place][column]])) };
  }

  lay(facets) {
    if (this.ordered !== this.about.digest) this.order = inOrder(facets); // once: they stay put while one filters
    this.ordered = this.about.digest;
    const inside = byId("facets");
    const focused = inside.contains(document.activeElement) ? document.activeElement.id : null;
    const boxes = this.order.map((column) => facets[column] && fieldsOf(column, facets[column], {
      where: () => this.state.where,
      put: (where) => this.page.change({ where }),
      unfolded: this.unfolded.has(column),
      fold: () => this.fold(column),
    }));
    fill(inside, boxes);
    if (!inside.childElementCount) fill(inside, h("p", { class: "remark" }, "This index has no columns to filter by."));
    if (focused) byId(focused)?.focus();
  }

  fold(column) {
    if (!this.unfolded.delete(column)) this.unfolded.add(column);
    this.count();
  }
}

/** A select that shows a value, even one of an address that it does not offer. */
function choose(select, value) {
  if (![...select.options].some((option) => option.value === value)) select.append(h("option", { value }, value));
  select.value = value;
}
