// Where clauses as the facets need them: which column one is about, and which values it allows.

const CLAUSE = /^\s*([^\s=<>!~][^=<>!~]*?)\s*(==|!=|!~|>=|<=|=|>|<|~|\sin\s|\snot\s+in\s|\sis\s)\s*(.*?)\s*$/s;

/** {column, sign, value}, or null where the clause is not understood (the server will say so). */
export function parts(clause) {
  const found = CLAUSE.exec(clause);
  return found && { column: found[1], sign: found[2].trim().replace("==", "="), value: found[3] };
}

/** The clauses about a column, and all the others. */
export const own = (where, column) => where.filter((clause) => parts(clause)?.column === column);
export const others = (where, column) => where.filter((clause) => parts(clause)?.column !== column);

/** The values that clauses about one column let through by name. */
export function chosen(clauses) {
  return clauses.map(parts).flatMap(({ sign, value }) => {
    if (sign === "in") return value.split(",").map((each) => each.trim());
    return sign === "=" ? [value] : [];
  });
}

/** The clauses that let exactly these values of a column through: none for no values. */
export function choosing(column, values) {
  if (!values.length) return [];
  return [values.length === 1 ? `${column} = ${values[0]}` : `${column} in ${values.join(",")}`];
}

/** `in` parts its values at commas, so a value that holds one can only be asked for alone. */
export const onlyAlone = (value) => String(value).includes(",");

/** The value of the one clause of that sign, else empty. */
export const bound = (clauses, sign) => clauses.map(parts).find((each) => each.sign === sign)?.value ?? "";
