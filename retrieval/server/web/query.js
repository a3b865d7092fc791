// What the HTTP API is sent for a question: terms become a combine expression, so that nobody needs its grammar.

const quoted = (text) => (text.includes('"') ? `'${text.replaceAll("'", "’")}'` : `"${text}"`);

const operand = ({ kind, value }) => (kind === "text" ? quoted(value) : `${kind}:${quoted(value)}`);

/** The words in the box count as one more term. */
export function allTerms(state) {
  const words = state.text.trim();
  return words ? [{ sign: "+", weight: 1, kind: "text", value: words }, ...state.terms] : state.terms;
}

/** `+ 2 * "axial CT" - 1 * figure:"f7"`. Every weight is said: where none is, one is looked for inside the quotes. */
export const expression = (terms) =>
  terms.map((term) => `${term.sign} ${term.weight} * ${operand(term)}`).join(" ");

function question(terms) {
  const [only] = terms;
  const plain = terms.length === 1 && only.sign === "+" && only.weight === 1;
  if (plain && only.kind === "text") return { text: only.value }; // literal: "T1 - weighted" is no algebra
  if (plain && only.kind === "figure") return { figure: only.value };
  if (plain && only.kind === "image") return {};
  return { combine: expression(terms) };
}

/** Panels are ranked by meaning alone, and each figure is a hit once. */
export const canUsePanels = (state) => ["", "dense"].includes(state.mode) && !state.unique;

/**
 * The body of a search, and the keys of the images that must go with it (name of the operand → key).
 * @returns {{body: object, images: Record<string, string>}}
 */
export function request(state) {
  const terms = allTerms(state);
  const body = { ...question(terms), target: state.target, k: state.k };
  if (state.where.length) body.where = state.where;
  if (state.mode) body.mode = state.mode;
  if (state.perArticle) body.per_article = Number(state.perArticle);
  if (state.unique) body.unique = true;
  if (state.panels && canUsePanels(state)) body.panels = true;
  if (state.minPercentile && state.mode !== "lexical") body.min_percentile = Number(state.minPercentile);
  const alone = !("combine" in body);
  const keys = terms.filter((term) => term.kind === "image").map((term) => term.value);
  return { body, images: Object.fromEntries(keys.map((key) => [alone ? "image" : key, key])) };
}
