// Files of a conversation: links that open or save them, and a button that picks one to send. Knows no case and no patient.
// @ts-check
import { element } from "./element.js";
import { icon } from "./icons.js";
import { language, tag } from "./words.js";

/** @typedef {import("./api.js").Attached} Attached */

/** Nothing where there are none. @param {Attached[]} files @param {string} where their addresses begin so @returns {HTMLElement[]} */
export function fileLinks(files, where) {
  return files.map(({ id, name, size }) => {
    const link = element("a", { class: "file", href: `${where}/${id}`, target: "_blank", rel: "noopener" });
    link.append(icon("clip"), element("span", {}, name), " ", element("small", {}, weight(size)));
    return link;
  });
}

/** The words of a message that is nothing but its files need not be said again. @param {string} text @param {Attached[]} files */
export const besides = (text, files) => (files.length && text === files.map(({ name }) => name).join(", ") ? "" : text);

/** A press of the button chooses a file. @param {HTMLElement} press @param {HTMLInputElement} input @param {(file: File) => void} send */
export function picks(press, input, send) {
  press.addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    const file = input.files?.[0];
    input.value = "";
    if (file) send(file);
  });
}

/** @param {number} bytes */
function weight(bytes) {
  const unit = bytes < 1_000_000 ? "kilobyte" : "megabyte";
  const count = Math.max(1, Math.round(bytes / (unit === "kilobyte" ? 1e3 : 1e5))) / (unit === "kilobyte" ? 1 : 10);
  return new Intl.NumberFormat(tag(language()), { style: "unit", unit, unitDisplay: "short" }).format(count);
}
