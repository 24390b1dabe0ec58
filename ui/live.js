// What screen readers hear while the page changes: sentences, never tokens. Knows nothing of answers.
// @ts-check
import { element, one } from "./element.js";
import { tag } from "./words.js";

const KEPT = 20;

/** Heard when the reader is free. @param {string} text @param {string} language */
export function politely(text, language) {
  const region = one("#heard");
  region.append(element("p", { lang: tag(language) }, text));
  while (region.childElementCount > KEPT) region.firstElementChild?.remove();
}

/** Heard at once, whatever is being read. @param {string} text @param {string} language */
export function atOnce(text, language) {
  one("#heard-at-once").replaceChildren(element("p", { lang: tag(language) }, text));
}

/** Nothing of a finished conversation stays behind. */
export function hush() {
  one("#heard").replaceChildren();
  one("#heard-at-once").replaceChildren();
}
