// The window about what is kept: delete it, or clear the screen of a shared device. Knows no turns.
// @ts-check
import { deleteConversation, openConversation } from "./api.js";
import { one } from "./element.js";
import { share, shared } from "./idle.js";
import { language, put } from "./words.js";

const PENDING = "finish-again";

/** @param {number} days how long the clinic keeps a conversation @param {(told: string) => void} emptied the page must be emptied, and say so */
export function offer(days, emptied) {
  const dialog = /** @type {HTMLDialogElement} */ (one("#privacy"));
  const sure = one(".sure", dialog);
  const tick = /** @type {HTMLInputElement} */ (one("#shared"));
  put(one("#privacy-kept"), "privacy_kept", { days });
  put(one("#privacy-finish"), "finish_explained", { days });
  tick.checked = shared();
  foot(days);
  tick.addEventListener("change", () => {
    share(tick.checked);
    foot(days);
  });
  one("#delete").addEventListener("click", () => {
    sure.hidden = false;
    one("#delete-yes").focus();
  });
  one("#delete-no").addEventListener("click", () => {
    sure.hidden = true;
    one("#delete").focus();
  });
  one("#delete-yes").addEventListener("click", () => remove(dialog, emptied));
  dialog.addEventListener("close", () => {
    sure.hidden = true;
    one(".told", dialog).replaceChildren();
  });
}

/** A new, empty conversation takes the place of this one in this browser. Without a connection it does so as soon as there is one. */
export async function finish() {
  localStorage.setItem(PENDING, "yes");
  await openConversation(language()).then(() => localStorage.removeItem(PENDING), () => undefined);
}

/** Before anything is shown: was a conversation finished while the clinic could not be reached? */
export const finishPending = async () => (localStorage.getItem(PENDING) ? finish() : undefined);

/** @param {HTMLDialogElement} dialog @param {(told: string) => void} emptied */
async function remove(dialog, emptied) {
  try {
    await deleteConversation();
  } catch {
    return put(one(".told", dialog), "delete_failed");
  }
  dialog.close();
  emptied("deleted");
}

/** @param {number} days */
function foot(days) {
  if (shared()) put(one("#kept"), "shared_line");
  else put(one("#kept"), "privacy_line", { days });
}
