// Where clauses as the facets need them: which column one is about, and which values it allows.

const CLAUSE = new RegExp(
  "^\\s*(?:`((?:[^`]|``)+)`|([^\\s=<>!~`(][^=<>!~]*?))\\s*(==|!=|!~|>=|<=|=|>|<|~|\\sin\\s|\\snot\\s+in\\s|\\sis\\s)\\s*(.*?)\\s*$",
  "s",
);
const VALUE = /\s*(?:'((?:[^']|'')*)'|"((?:[^"]|"")*)"|([^,]*?))\s*(,|$)/gy;

/** {column, sign, value, values}, or null where the clause is not understood (the server will say so). */
export function parts(clause) {
  const found = CLAUSE.exec(clause);
  if (!found) return null;
  const [, quotedName, name, sign, value] = found;
  const among = sign.trim() === "in" ? valuesOf(value.replace(/^\((.*)\)$/s, "$1")) : valuesOf(value, true);
  const column = quotedName?.replaceAll("``", "`") ?? name;
  return { column, sign: sign.trim().replace("==", "="), value: among.length === 1 ? among[0] : value, values: among };
}

/** The values of a list, without their quotes; a lone value may hold commas. */
function valuesOf(text, alone = false) {
  const found = [...text.matchAll(VALUE)].filter((each, place) => each[0] || !place);
  const values = found.map((each) => each[1]?.replaceAll("''", "'") ?? each[2]?.replaceAll('""', '"') ?? each[3]);
  const bare = found.some((each) => each[3] !== undefined);
  return alone && (bare || values.length !== 1) ? [text] : values;
}

/** A column's name and a value as a clause has them: in quotes where they hold what the language uses. */
export const named = (column) =>
  /[=<>!~`'"()]|\s(in|is|not|like|between)\s|^not\s/i.test(column) ? `\`${column.replaceAll("`", "``")}\`` : column;
const UNCLEAR = /^['"(]|\)|\s(and|or)\s.*([=<>~]|\s(in|is|like|between)\s)|^$|^\s|\s$/is;
export const quoted = (value, among = false) =>
  UNCLEAR.test(value) || (among && value.includes(",")) ? `'${value.replaceAll("'", "''")}'` : value;

/** The clauses about a column, and all the others. */
export const own = (where, column) => where.filter((clause) => parts(clause)?.column === column);
export const others = (where, column) => where.filter((clause) => parts(clause)?.column !== column);

/** The values that clauses about one column let through by name. */
export const chosen = (clauses) =>
  clauses.map(parts).flatMap(({ sign, values }) => (sign === "in" || sign === "=" ? values : []));

/** The clauses that let exactly these values of a column through: none for no values. */
export function choosing(column, values) {
  if (!values.length) return [];
  const written = values.map((value) => quoted(value, values.length > 1));
  return [values.length === 1 ? `${named(column)} = ${written[0]}` : `${named(column)} in ${written.join(",")}`];
}

/** The value of the one clause of that sign, else empty. */
export const bound = (clauses, sign) => clauses.map(parts).find((each) => each.sign === sign)?.value ?? "";
