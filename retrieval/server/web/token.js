// A server that wants a token is given one here.

import { useToken } from "./api.js";
import { h } from "./dom.js";

/** Asks the reader for the token, then tries again. */
export function askForToken(retry) {
  if (document.querySelector("dialog.token")) return;
  const named = { "aria-labelledby": "token-title" };
  const field = h("input", { type: "password", autocomplete: "current-password", required: true, ...named });
  const title = h("h2", { id: "token-title" }, "This server wants a token");
  const form = h("form", { method: "dialog" }, title, field, h("button", { class: "plain" }, "Go on"));
  const dialog = h("dialog", { class: "help token", ...named }, form);
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (!field.value) return;
    useToken(field.value);
    retry();
  });
  document.body.append(dialog);
  dialog.showModal();
}
