// Where a sentence comes from: a panel beside the conversation, a sheet over it on small screens. Knows one citation at a time.
// @ts-check
import { documentText } from "./api.js";
import { cut, rendered, surroundings } from "./document-text.js";
import { element, one } from "./element.js";
import { icon } from "./icons.js";
import { day, language, nameOf, put, tag } from "./words.js";

/** @typedef {import("./api.js").Citation} Citation */

const BESIDE = matchMedia("(min-width: 68em)");

export class SourcePanel extends HTMLElement {
  /** @type {HTMLElement|null} */
  #chip = null;
  /** @type {Citation|null} */
  #shown = null;

  connectedCallback() {
    this.dialog.addEventListener("close", () => this.#closed());
    this.dialog.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.dialog.close();
    });
  }

  get dialog() {
    return /** @type {HTMLDialogElement} */ (one("dialog", this));
  }

  /** @param {Citation} citation @param {HTMLElement} chip */
  async show(citation, chip) {
    if (this.dialog.open) this.dialog.close();
    this.#chip = chip;
    this.#shown = citation;
    chip.setAttribute("aria-expanded", "true");
    put(one("h2", this), "source_number", { number: citation.number });
    this.#about(citation);
    put(one(".surroundings", this).appendChild(element("p", { class: "state" })), "source_loading");
    document.body.classList.toggle("panel-open", BESIDE.matches);
    if (BESIDE.matches) this.dialog.show();
    else this.dialog.showModal();
    one("h2", this).focus();
    await this.#load(citation);
  }

  close() {
    this.dialog.close();
  }

  /** @param {Citation} citation */
  async #load(citation) {
    const found = await documentText(citation.document).catch(() => undefined);
    if (this.#shown !== citation) return;
    const text = one(".surroundings", this);
    text.lang = tag(citation.language);
    if (found && found.revision === citation.revision && cut(found, citation.span) === citation.quote)
      text.replaceChildren(rendered(found, surroundings(found, citation.span), { span: citation.span, top: 3, pages: false }));
    else text.replaceChildren(...this.#quoted(citation, found ? "source_changed" : found === null ? "source_gone" : "source_failed"));
    text.querySelector("mark")?.scrollIntoView({ block: "nearest" });
  }

  /** @param {Citation} citation */
  #about({ document, title, heading, page, valid_from, language: written, span }) {
    const facts = element("ul", { class: "facts" });
    const section = (heading ?? []).filter((piece) => piece !== title).join(" › ");
    if (section) put(facts.appendChild(element("li")), "source_section", { section: element("span", { lang: tag(written) }, section) });
    if (page) put(facts.appendChild(element("li")), "source_page", { page });
    if (valid_from) put(facts.appendChild(element("li")), "source_date", { date: () => day(valid_from) });
    if (written !== language()) put(facts.appendChild(element("li")), "source_language", { language: () => nameOf(written) });
    const address = `/documents/${encodeURIComponent(document)}?start=${span.start}&end=${span.end}`;
    const link = element("a", { class: "plain", href: address, target: "_blank", rel: "noopener" }, icon("open"),
      element("span", { word: "open_document" }), element("span", { class: "aside", word: "opens_new_tab" }));
    one(".about", this).replaceChildren(element("p", { class: "title", lang: tag(written) }, title), facts);
    one(".surroundings", this).replaceChildren();
    one(".further", this).replaceChildren(link);
  }

  /** @param {Citation} citation @param {string} why @returns {Node[]} */
  #quoted(citation, why) {
    return [element("p", { class: "notice", lang: tag(language()), word: why }), element("p", {}, element("mark", {}, citation.quote))];
  }

  #closed() {
    document.body.classList.remove("panel-open");
    this.#chip?.setAttribute("aria-expanded", "false");
    this.#chip?.focus();
    this.#shown = null;
  }
}

customElements.define("source-panel", SourcePanel);
