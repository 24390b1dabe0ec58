// The bar with the emergency number that stays on the screen while the emergency answer itself is out of sight. Knows only that answer.
// @ts-check
import { button, element } from "./element.js";
import { callButton } from "./said.js";
import { tag } from "./words.js";

export class EmergencyBar extends HTMLElement {
  /** @type {IntersectionObserver|undefined} */
  #watch;

  /** @param {HTMLElement} card @param {import("./api.js").Call[]} calls */
  pin(card, calls) {
    this.#watch?.disconnect();
    const language = card.querySelector(".said")?.getAttribute("lang") ?? tag("en");
    const first = element("div", { class: "calls", lang: language }, ...calls.slice(0, 1).map(callButton));
    this.replaceChildren(element("p", {}, element("strong", { word: "emergency_call_now" })), first,
      button("emergency_show", "send", () => card.scrollIntoView({ block: "start" })));
    this.#watch = new IntersectionObserver(([seen]) => (this.hidden = seen.isIntersecting), { rootMargin: "-15% 0px -20%" });
    this.#watch.observe(card.querySelector(".calls") ?? card);
  }

  unpin() {
    this.#watch?.disconnect();
    this.hidden = true;
    this.replaceChildren();
  }
}

customElements.define("emergency-bar", EmergencyBar);
