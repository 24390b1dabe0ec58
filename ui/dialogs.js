// Windows over the page: who opens them, what closes them. Knows nothing of what stands in them.
// @ts-check
import { one } from "./element.js";

/** Buttons with data-opens open that window, those with data-closes close their own. */
export function wire() {
  for (const opener of document.querySelectorAll("[data-opens]")) {
    opener.addEventListener("click", () => open(opener.getAttribute("data-opens") ?? ""));
  }
  for (const closer of document.querySelectorAll("[data-closes]")) closer.addEventListener("click", () => closer.closest("dialog")?.close());
  for (const dialog of document.querySelectorAll("dialog")) {
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog && dialog.matches(":modal") && outside(event, dialog)) dialog.close();
    });
  }
}

/** One window at a time; the browser gives the focus back when it closes. @param {string} id */
export function open(id) {
  for (const other of document.querySelectorAll("dialog")) if (other.open) other.close();
  const dialog = one(`#${id}`);
  if (dialog instanceof HTMLDialogElement) dialog.showModal();
}

/** @returns {boolean} */
export const anyOpen = () => [...document.querySelectorAll("dialog")].some((dialog) => dialog.open);

/** @param {MouseEvent} event @param {HTMLDialogElement} dialog */
function outside({ clientX, clientY }, dialog) {
  const box = dialog.getBoundingClientRect();
  return clientX < box.left || clientX > box.right || clientY < box.top || clientY > box.bottom;
}
