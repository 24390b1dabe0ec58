// Where the patient types. Tells the page what was asked and keeps what is half written; knows no answers.
// @ts-check
import { one } from "./element.js";

const DRAFT = "draft";

export class AskBox extends HTMLElement {
  connectedCallback() {
    this.box.value = sessionStorage.getItem(DRAFT) ?? "";
    this.box.addEventListener("input", () => this.#keep());
    this.box.addEventListener("keydown", (event) => this.#key(event));
    one("form", this).addEventListener("submit", (event) => {
      event.preventDefault();
      this.#ask();
    });
    one("#stop", this).addEventListener("click", () => this.dispatchEvent(new Event("stop")));
  }

  get box() {
    return /** @type {HTMLTextAreaElement} */ (one("textarea", this));
  }

  /** @param {string} text */
  fill(text) {
    this.box.value = text;
    this.#keep();
  }

  /** @param {boolean} answering something can be stopped */
  set answering(answering) {
    const stop = one("#stop", this);
    if (!answering && document.activeElement === stop) this.box.focus();
    stop.hidden = !answering;
  }

  #ask() {
    const text = this.box.value.trim();
    if (!text) return this.box.focus();
    this.fill("");
    this.dispatchEvent(new CustomEvent("ask", { detail: text }));
  }

  /** Enter sends, but not while a Chinese or Hindi keyboard is still composing a word. @param {KeyboardEvent} event */
  #key(event) {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    this.#ask();
  }

  #keep() {
    if (this.box.value) sessionStorage.setItem(DRAFT, this.box.value);
    else sessionStorage.removeItem(DRAFT);
  }
}

customElements.define("ask-box", AskBox);
