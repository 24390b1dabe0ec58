// The page's own words: one file a language. Knows which word stands where, not what it is about.
// @ts-check
import { wordsOf } from "./api.js";

/** @typedef {string|number|Node|(() => string)} Value a function is asked again when the language changes */

/** @type {Record<string, Record<string, string>>} */
const tables = {};
/** @type {WeakMap<Element, Record<string, Value>>} */
const given = new WeakMap();
let current = "en";
const pages = [""];

export const OWN_NAMES = /** @type {Record<string, string>} */ ({ en: "English", es: "Español", zh: "中文", hi: "हिन्दी" });

export const language = () => current;

/** A page with words of its own says so before it speaks. @param {string} page such as "staff-" */
export const alsoFrom = (page) => void pages.push(page);

/** Loads a language and lets the whole page speak it. @param {string} wanted */
export async function speak(wanted) {
  await load(wanted);
  current = wanted;
  document.documentElement.lang = tag(wanted);
  apply(document);
}

/** @param {string} wanted */
export async function load(wanted) {
  if (tables[wanted]) return;
  const files = await Promise.all(pages.map((page) => wordsOf(wanted, page)));
  const entries = files.flatMap((file) => Object.entries(file));
  tables[wanted] = Object.fromEntries(entries.map(([key, entry]) => [key, typeof entry === "string" ? entry : entry.text]));
}

/** The words as a string. @param {string} key @param {Record<string, Value>} [values] @param {string} [spoken] */
export function word(key, values = {}, spoken = current) {
  return pieces(key, values, spoken).map((piece) => (piece instanceof Node ? piece.textContent : piece)).join("");
}

/** The words as an element's text, now and after each change of language. @param {Element} target @param {string} key @param {Record<string, Value>} [values] */
export function put(target, key, values) {
  target.setAttribute("data-word", key);
  if (values) given.set(target, values);
  else given.delete(target);
  if (tables[current]) target.replaceChildren(...pieces(key, values ?? {}, current));
}

/** The words as an element's accessible name. @param {Element} target @param {string} key */
export function label(target, key) {
  target.setAttribute("data-label", key);
  if (tables[current]) target.setAttribute("aria-label", word(key));
}

/** A language as other programs want to know it. @param {string} code */
export const tag = (code) => (code === "zh" ? "zh-Hans" : code);

/** The name of a language, in the page's language. @param {string} code */
export const nameOf = (code) => new Intl.DisplayNames([tag(current)], { type: "language" }).of(code) ?? code;

/** @param {string} iso a day, such as 2026-07-01 */
export function day(iso) {
  const date = new Date(`${iso.slice(0, 10)}T12:00:00Z`);
  if (Number.isNaN(date.getTime())) return iso;
  return new Intl.DateTimeFormat(tag(current), { dateStyle: "long", timeZone: "UTC" }).format(date);
}

/** @param {ParentNode} root */
function apply(root) {
  for (const target of root.querySelectorAll("[data-word]")) put(target, target.getAttribute("data-word") ?? "", given.get(target));
  for (const target of root.querySelectorAll("[data-label]")) label(target, target.getAttribute("data-label") ?? "");
}

/** @param {string} key @param {Record<string, Value>} values @param {string} spoken @returns {(string|Node)[]} */
function pieces(key, values, spoken) {
  const template = tables[spoken]?.[key];
  if (template === undefined) throw new Error(`No word "${key}" in ${spoken}`);
  return template.split(/(\{\w+\})/).filter(Boolean).map((piece) => {
    const value = /^\{\w+\}$/.test(piece) ? values[piece.slice(1, -1)] : piece;
    if (typeof value === "function") return value();
    return value instanceof Node ? value : String(value ?? piece);
  });
}
