// Clears the screen of a shared device when nobody uses it, after a countdown that anyone can stop. Knows no conversation.
// @ts-check
import { one } from "./element.js";
import { put } from "./words.js";

const QUIET_FOR = 5 * 60_000;
const COUNTED = 60_000;
const USED = "used-at";

/** @param {() => void} clear @param {() => boolean} something there is something to clear */
export function watch(clear, something) {
  const dialog = /** @type {HTMLDialogElement} */ (one("#still-there"));
  const used = () => localStorage.setItem(USED, String(Date.now()));
  for (const event of ["pointerdown", "keydown", "scroll"]) addEventListener(event, () => dialog.open || used(), { passive: true, capture: true });
  dialog.addEventListener("close", used);
  one("#clear-now", dialog).addEventListener("click", () => {
    dialog.close();
    clear();
  });
  if (!localStorage.getItem(USED)) used();
  setInterval(() => tick(dialog, clear, something), 1000);
  tick(dialog, clear, something);
}

/** @returns {boolean} this device is used by several people */
export const shared = () => localStorage.getItem("shared") === "yes";

/** @param {boolean} yes */
export function share(yes) {
  localStorage.setItem("shared", yes ? "yes" : "no");
}

/** @param {HTMLDialogElement} dialog @param {() => void} clear @param {() => boolean} something */
function tick(dialog, clear, something) {
  if (!shared() || !something()) return;
  const left = Number(localStorage.getItem(USED)) + QUIET_FOR - Date.now();
  if (left > COUNTED) return;
  if (left <= 0) {
    dialog.close();
    return clear();
  }
  if (!dialog.open) dialog.showModal();
  const seconds = Math.ceil(left / 1000);
  put(one(".countdown", dialog), "clears_in", { time: `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}` });
}
