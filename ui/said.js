// Shows the parts of one answer as they come, and lets them be heard sentence by sentence. Knows no network and no buttons but sources and calls.
// @ts-check
import { element } from "./element.js";
import { icon } from "./icons.js";
import { day, language, put, tag, word } from "./words.js";

/**
 * @typedef {import("./api.js").Part} Part
 * @typedef {import("./api.js").Citation} Citation
 * @typedef {{voice: string, language: string, box: HTMLElement, text: Text, chips: HTMLElement|null}} Paragraph
 * @typedef {{heard(text: string, language: string): void, source(citation: Citation, chip: HTMLElement): void}} Listener
 */

export class Said {
  /** @type {Paragraph|null} the one that still grows */
  #paragraph = null;
  /** @type {Part[]} */
  #parts = [];
  #unheard = "";
  #unheardLanguage = "";
  #language = "en";

  /** @param {HTMLElement} root @param {Listener} listener */
  constructor(root, listener) {
    this.root = root;
    this.listener = listener;
  }

  /** @type {import("./api.js").Call[]} the numbers offered so far */
  get calls() {
    return this.#parts.filter((part) => part.type === "call");
  }

  get empty() {
    return !this.#parts.some((part) => part.type !== "opening");
  }

  /** @param {Part} part */
  add(part) {
    this.#parts.push(part);
    if (part.type === "opening") this.#open(part.language);
    else if (part.type === "text") this.#text(part);
    else if (part.type === "citation") this.#cite(part);
    else if (part.type === "signature") this.#sign(part);
    else if (part.type === "notice") this.#notice(part);
    else if (part.type === "call") this.#call(part);
  }

  /** What has not been heard yet is a sentence too. */
  end() {
    this.#paragraph = null;
    this.#hear();
  }

  /** The answer as plain text with its sources below, for the clipboard. */
  plain() {
    const said = this.#parts.map((part) => {
      if (part.type === "text") return part.cites ? `${part.text} [${part.cites}]` : part.text;
      if (part.type === "citation") return ` [${part.number}]\n`;
      if (part.type === "signature") return `\n${word("signed_line", signer(part))}\n`;
      if (part.type === "notice") return `\n${part.text}\n`;
      return part.type === "call" ? `\n${part.label}: ${part.number}\n` : "";
    });
    const sources = this.#parts.filter((part) => part.type === "citation").map((part) => `[${part.number}] ${place(part)}`);
    return [said.join("").replace(/[ \t]*\n\s*/g, "\n").trim(), ...new Set(sources)].join("\n");
  }

  /** @param {string} language */
  #open(language) {
    this.#language = language;
    this.root.lang = tag(language);
  }

  /** @param {import("./api.js").Words} part */
  #text({ text, voice = "ours", language, cites }) {
    const spoken = language ?? this.#language;
    const lines = voice === "quote" ? [text] : text.split(/\n+/);
    lines.forEach((line, index) => {
      if (index > 0) this.#close();
      if (this.#paragraph && (this.#paragraph.voice !== voice || this.#paragraph.language !== spoken)) this.#close();
      if (!this.#paragraph && !line.trim()) return;
      this.#paragraph ??= this.#begin(voice, spoken);
      this.#paragraph.text.appendData(this.#paragraph.text.length || this.#paragraph.chips ? line : line.trimStart());
      this.#listen(line, spoken);
    });
    if (cites) this.#mark(cites);
  }

  /** @param {string} voice @param {string} language @returns {Paragraph} */
  #begin(voice, language) {
    const box = element(voice === "quote" ? "blockquote" : "p", { class: voice, lang: language === this.#language ? null : tag(language) });
    const text = document.createTextNode("");
    box.append(text);
    this.root.append(box);
    return { voice, language, box, text, chips: null };
  }

  #close() {
    this.#paragraph = null;
    this.#hear();
  }

  /** Its number where the words end, and a button below the paragraph. @param {Citation} citation */
  #cite(citation) {
    const paragraph = this.#mark(citation.number);
    if (!paragraph.chips) {
      paragraph.chips = element("div", { class: "chips" });
      paragraph.box.after(paragraph.chips);
    }
    paragraph.chips.append(this.#chip(citation));
    this.#paragraph = paragraph.voice === "quote" ? null : paragraph;
    this.#hear();
  }

  /** A source's number where the words end. @param {number} number @returns {Paragraph} */
  #mark(number) {
    const paragraph = this.#paragraph ?? this.#begin("ours", this.#language);
    paragraph.text.data = paragraph.text.data.trimEnd();
    const next = document.createTextNode("");
    paragraph.box.append(element("sup", { "aria-hidden": "true" }, `\u2060${number}`), next); // word joiner: never alone on a line
    paragraph.text = next;
    return paragraph;
  }

  /** @param {Citation} citation */
  #chip(citation) {
    const chip = element("button", { type: "button", class: "chip", "aria-haspopup": "dialog" },
      element("span", { class: "aside", word: "source" }), " ",
      element("span", { class: "number" }, String(citation.number)), " ",
      element("span", { class: "title", lang: tag(citation.language) }, place(citation)));
    chip.addEventListener("click", () => this.listener.source(citation, chip));
    return chip;
  }

  /** Who answers for the words above, and until when. @param {import("./api.js").Signature} signature */
  #sign(signature) {
    this.#close();
    const words = element("span");
    put(words, "signed_line", signer(signature));
    this.root.append(element("p", { class: "notice signature" }, icon("pen"), words));
    this.listener.heard(words.textContent ?? "", language());
  }

  /** @param {import("./api.js").Notice} notice */
  #notice({ code, text }) {
    this.#close();
    const urgent = code === "emergency";
    this.root.append(element("p", { class: urgent ? "notice urgent" : "notice" }, icon(urgent ? "alert" : "info"), element("span", {}, text)));
    this.listener.heard(text, this.#language);
  }

  /** @param {import("./api.js").Call} call */
  #call(call) {
    this.#close();
    const last = this.root.lastElementChild;
    const row = last?.classList.contains("calls") ? last : this.root.appendChild(element("div", { class: "calls" }));
    row.append(callButton(call));
    this.listener.heard(`${call.label} ${call.number}`, this.#language);
  }

  /** @param {string} text @param {string} language */
  #listen(text, language) {
    if (this.#unheardLanguage !== language) this.#hear();
    this.#unheardLanguage = language;
    this.#unheard += text;
    const sentences = [...new Intl.Segmenter(tag(language), { granularity: "sentence" }).segment(this.#unheard)].map(({ segment }) => segment);
    this.#unheard = sentences.pop() ?? "";
    for (const sentence of sentences) this.listener.heard(sentence.trim(), language);
  }

  #hear() {
    if (this.#unheard.trim()) this.listener.heard(this.#unheard.trim(), this.#unheardLanguage);
    this.#unheard = "";
  }
}

/** What a signature's line is filled with. @param {import("./api.js").Signature} signature @returns {Record<string, import("./words.js").Value>} */
function signer({ signed_by, role, signed_on, valid_until }) {
  return { name: signed_by, role, date: () => day(signed_on), until: () => day(valid_until) };
}

/** Where a citation comes from, in few words: the document and the nearest heading. @param {Citation} citation */
function place({ title, heading }) {
  const nearest = heading?.[heading.length - 1];
  return nearest && nearest !== title ? `${title} › ${nearest}` : title;
}

/** A number to press. @param {import("./api.js").Call} call */
export function callButton({ label, number, urgent }) {
  const dial = number.replace(/\s*(ext|x)\b.*$/i, "").replace(/[^+\d*#]/g, "");
  const [before, after] = label.includes(number) ? label.split(number) : [`${label} `, ""];
  const said = element("span", {}, before, element("bdi", { class: "number", dir: "ltr" }, number), after);
  return element("a", { class: urgent ? "call urgent" : "call", href: `tel:${dial}` },
    icon("phone"), said);
}
