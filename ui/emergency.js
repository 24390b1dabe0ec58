// The bar with the emergency number, on the screen while neither the emergency answer nor a later reminder of it is in sight. Knows only these.
// @ts-check
import { button, element } from "./element.js";
import { callButton } from "./said.js";
import { tag } from "./words.js";

export class EmergencyBar extends HTMLElement {
  /** @type {IntersectionObserver|undefined} */
  #watch;
  /** @type {HTMLElement|undefined} the emergency answer */
  #card;
  /** @type {Set<Element>} rows of emergency numbers that are in sight */
  #seen = new Set();

  /** @param {HTMLElement} card @param {import("./api.js").Call[]} calls */
  pin(card, calls) {
    this.#watch?.disconnect();
    this.#card = card;
    const language = card.querySelector(".said")?.getAttribute("lang") ?? tag("en");
    const first = element("div", { class: "calls", lang: language }, ...calls.slice(0, 1).map(callButton));
    this.replaceChildren(element("p", {}, element("strong", { word: "emergency_call_now" })), first,
      button("emergency_show", "send", () => card.scrollIntoView({ block: "start" })));
    this.#seen.clear();
    this.#watch = new IntersectionObserver((rows) => this.#look(rows), { rootMargin: "-15% 0px -20%" });
    this.#watch.observe(card.querySelector(".calls") ?? card);
  }

  /** An answer below reminds of the emergency too, until the clinic has closed it. @param {HTMLElement} answer @param {import("./api.js").Call[]} calls */
  later(answer, calls) {
    if (!((this.#card?.compareDocumentPosition(answer) ?? 0) & Node.DOCUMENT_POSITION_FOLLOWING)) return;
    const row = calls.some(({ urgent }) => urgent) && answer.querySelector(".calls");
    if (row) this.#watch?.observe(row);
    else this.unpin();
  }

  unpin() {
    this.#watch?.disconnect();
    this.#card = undefined;
    this.hidden = true;
    this.replaceChildren();
  }

  /** @param {IntersectionObserverEntry[]} rows */
  #look(rows) {
    for (const { target, isIntersecting } of rows) this.#seen[isIntersecting ? "add" : "delete"](target);
    this.hidden = this.#seen.size > 0;
  }
}

customElements.define("emergency-bar", EmergencyBar);
