// Makes elements out of names and words, never out of markup. Knows nothing of the page.
// @ts-check
import { icon } from "./icons.js";
import { label, put } from "./words.js";

/**
 * An element with attributes and children. Two attributes are ours: `word` (its text, by key) and `label` (its accessible name, by key).
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag @param {Record<string, string|number|null|undefined>} [attributes] @param {...(Node|string)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined) continue;
    if (name === "word") put(made, String(value));
    else if (name === "label") label(made, String(value));
    else made.setAttribute(name, String(value));
  }
  made.append(...children);
  return made;
}

/** A button with an icon and its word. @param {string} key @param {string} picture @param {() => void} act @param {string} [look] */
export function button(key, picture, act, look = "quiet") {
  const made = element("button", { type: "button", class: look }, icon(picture), element("span", { word: key }));
  made.addEventListener("click", act);
  return made;
}

/** The element that must be there. @param {string} selector @param {ParentNode} [root] @returns {HTMLElement} */
export function one(selector, root = document) {
  const found = root.querySelector(selector);
  if (!(found instanceof HTMLElement)) throw new Error(`The page has no ${selector}`);
  return found;
}
