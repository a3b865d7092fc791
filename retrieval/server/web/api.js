// The HTTP API as functions. Every failure is an ApiError whose message can be shown as it is.

export class ApiError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

const TRIES = 4;
let token = "";

/** Who has a token gives it once; it stays in memory. */
export function useToken(value) {
  token = value;
}

const of = (index) => `api/indexes/${encodeURIComponent(index)}`;

export const indexes = (signal) => json("api/indexes", { signal });
export const figure = (index, id, signal) => json(`${of(index)}/figure?${new URLSearchParams({ id })}`, { signal });

/** The address of a figure's small picture. */
export const thumbnail = (index, id) => `${of(index)}/thumbnail?${new URLSearchParams({ id })}`;

export function facets(index, where, limit, signal) {
  const asked = new URLSearchParams({ limit });
  for (const clause of where) asked.append("where", clause);
  return json(`${of(index)}/facets?${asked}`, { signal });
}

/** One search; `files` (operand's name → File) go along where the question has images. */
export function search(index, body, files, signal) {
  if (!Object.keys(files).length) return json(`${of(index)}/search`, { ...posting(body), signal });
  const form = new FormData();
  form.append("query", JSON.stringify(body));
  for (const [name, file] of Object.entries(files)) form.append(name, file, name);
  return json(`${of(index)}/search/upload`, { method: "POST", body: form, signal });
}

/** The figures `ids` of an index as a file to keep: {name, blob}. */
export async function exported(index, format, ids) {
  const answer = await ask(`api/export?${new URLSearchParams({ index, format })}`, posting({ ids }));
  return { name: `${index}.${format}`, blob: await answer.blob() };
}

const JSON_TYPE = { "Content-Type": "application/json" };
const posting = (body) => ({ method: "POST", headers: JSON_TYPE, body: JSON.stringify(body) });

const json = async (path, options) => (await ask(path, options)).json();

async function ask(path, options) {
  const headers = { ...options.headers, ...(token && { Authorization: `Bearer ${token}` }) };
  for (let tried = 1; ; tried++) {
    const answer = await reached(path, { ...options, headers });
    if (answer.ok) return answer;
    const wait = Number(answer.headers.get("Retry-After"));
    if (answer.status !== 503 || !wait || tried === TRIES) throw new ApiError(await sentence(answer), answer.status);
    await pause(Math.min(wait, 10) * 1000, options.signal);
  }
}

async function reached(path, options) {
  try {
    return await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("The server cannot be reached; is retrieval serve still running?", 0);
  }
}

async function sentence(answer) {
  const said = await answer.json().catch(() => null);
  return typeof said?.error === "string" ? said.error : `The server answered ${answer.status} ${answer.statusText}.`;
}

function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => reject(new DOMException("stopped", "AbortError"));
    const timer = setTimeout(() => { signal?.removeEventListener("abort", stop); resolve(); }, milliseconds);
    signal?.addEventListener("abort", () => { clearTimeout(timer); stop(); }, { once: true });
  });
}
