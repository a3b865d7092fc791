// How numbers, ids and licences are worded.

export const count = (number, one, many = `${one}s`) => `${number.toLocaleString("en")} ${number === 1 ? one : many}`;

/** "top 0.17 %": the share of what could have been found that scores as high. Empty where the server does not know. */
export function standing(percentile) {
  if (typeof percentile !== "number") return "";
  const top = 100 - percentile;
  if (top > 50) return "lower half";
  if (top < 0.01) return "top 0.01 %";
  return `top ${top < 1 ? Number(top.toPrecision(2)) : top < 10 ? top.toFixed(1) : Math.round(top)} %`;
}

/** What the standing is made of, for those who want the number. */
export function measure(hit, mode) {
  const name = !mode || mode === "dense" ? "cosine" : `score (${mode})`;
  const said = `${name} ${Number(hit.score).toFixed(3)}`;
  if (typeof hit.percentile !== "number") return said;
  const kind = hit.modality === "text" ? "captions" : "figures";
  return `${said}, higher than for ${hit.percentile.toFixed(2)} % of the index's ${kind}`;
}

export const shorten = (text, length) => (text.length > length ? `${text.slice(0, length - 1).trimEnd()}…` : text);

const first = (metadata, names) => {
  const given = Object.entries(metadata ?? {}).filter(([, value]) => value !== null && value !== "");
  return String(given.find(([name]) => names.includes(name.toLowerCase()))?.[1] ?? "");
};

export const label = (hit) => first(hit.metadata, ["figure_label", "label"]);
export const licence = (hit) => first(hit.metadata, ["licence", "license", "license_code"]);
/** "panel B"; a panel without a letter is called "panel 2" already. */
export const panel = ({ panel: name }) => (!name || name.startsWith("panel") ? name || "" : `panel ${name}`);
export const caption = (hit) => hit.captions?.[0] || hit.caption || "";
export const alternative = (hit) => shorten(caption(hit) || `Figure ${hit.figure_id}, which has no caption`, 200);

/** Only a web address becomes a link, whatever a collection says. */
export const safeLink = (url) => (typeof url === "string" && /^https?:\/\//i.test(url) ? url : null);
