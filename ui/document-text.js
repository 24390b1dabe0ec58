// A document's text as elements, with one stretch of it marked. Knows nothing of answers; offsets are Unicode code points, as the server counts.
// @ts-check
import { element } from "./element.js";
import { put } from "./words.js";

/**
 * @typedef {import("./api.js").DocumentText} DocumentText
 * @typedef {import("./api.js").Block} Block
 * @typedef {{start: number, end: number}} Span
 */

const AROUND = 2;

/** The words of a span. JavaScript counts UTF-16 units, the server code points. @param {DocumentText} document @param {Span} span */
export function cut({ text }, { start, end }) {
  return Array.from(text).slice(start, end).join("");
}

/** The blocks around a span, not past its own heading. @param {DocumentText} document @param {Span} span @returns {Block[]} */
export function surroundings({ blocks }, span) {
  const touched = blocks.flatMap((block, index) => (touches(block, span) ? [index] : []));
  if (!touched.length) return [];
  let first = touched[0];
  let last = touched[touched.length - 1];
  for (let step = 0; step < AROUND && first > 0 && blocks[first].kind !== "heading"; step++) first--;
  for (let step = 0; step < AROUND && last + 1 < blocks.length && blocks[last + 1].kind !== "heading"; step++) last++;
  return blocks.slice(first, last + 1);
}

/**
 * Blocks as headings, paragraphs, lists and rows; page numbers where a page begins.
 * @param {DocumentText} document @param {Block[]} blocks @param {{span: Span|null, top: number, pages: boolean}} how `top` is the level of the highest heading
 */
export function rendered({ text }, blocks, { span, top, pages }) {
  const points = Array.from(text);
  const made = window.document.createDocumentFragment();
  let page = /** @type {number|null|undefined} */ (null);
  /** @type {HTMLElement|null} */
  let list = null;
  /** @type {number[]} levels of the headings above */
  const above = [];
  for (const block of blocks) {
    if (pages && block.page && block.page !== page) {
      put(made.appendChild(element("p", { class: "page-number" })), "source_page", { page: block.page });
      list = null;
    }
    page = block.page;
    const words = marked(points, block, span);
    const grouped = block.kind === "item" || block.kind === "row";
    if (grouped && list?.className !== `${block.kind}s`) made.append((list = element("ul", { class: `${block.kind}s` })));
    if (grouped) list?.append(element("li", {}, ...words));
    else made.append(element(block.kind === "heading" ? heading(block, above, top) : "p", {}, ...words));
    if (!grouped) list = null;
  }
  return made;
}

/** Documents skip levels; a page must not. @param {Block} block @param {number[]} above @param {number} top @returns {"h2"|"h3"|"h4"|"h5"|"h6"} */
function heading({ level }, above, top) {
  while (above.length && above[above.length - 1] >= (level ?? 1)) above.pop();
  above.push(level ?? 1);
  return /** @type {"h2"} */ (`h${Math.min(6, top + above.length - 1)}`);
}

/** @param {string[]} points @param {Block} block @param {Span|null} span @returns {(string|Node)[]} */
function marked(points, block, span) {
  const say = (/** @type {number} */ from, /** @type {number} */ to) => points.slice(from, to).join("");
  if (!span || !touches(block, span)) return [say(block.start, block.end)];
  const start = Math.max(block.start, span.start);
  const end = Math.min(block.end, span.end);
  const mark = element("mark", {}, element("span", { class: "aside", word: "marked_begins" }), say(start, end));
  return [say(block.start, start), mark, say(end, block.end)];
}

/** @param {Block} block @param {Span} span */
const touches = (block, span) => block.start < span.end && span.start < block.end;
