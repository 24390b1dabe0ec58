// Thumbs up and down below an answer, with a reason if the patient likes. Knows one answer only.
// @ts-check
import { feedback } from "./api.js";
import { button, element } from "./element.js";
import { put } from "./words.js";

export class FeedbackForm extends HTMLElement {
  #up = false;
  #message = "";
  #told = element("p", { class: "told", role: "status" });
  #reason = element("textarea", { rows: 2, maxlength: 500 });
  #form = element("form", { class: "reason", hidden: "" });
  #thumbs = [button("helpful", "up", () => this.#choose(true)), button("not_helpful", "down", () => this.#choose(false))];

  /** @param {string} message @returns {FeedbackForm} */
  show(message) {
    this.#message = message;
    this.#reason.id = `reason-${message}`;
    this.#reason.setAttribute("aria-describedby", `hint-${message}`);
    this.#form.append(element("label", { for: this.#reason.id, word: "feedback_reason" }), this.#reason,
      element("p", { class: "hint", id: `hint-${message}`, word: "feedback_hint" }),
      element("button", { type: "submit", class: "plain", word: "feedback_send" }));
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#send(this.#reason.value.trim());
    });
    this.append(this.#told, this.#form);
    this.#thumbs.forEach((thumb) => thumb.setAttribute("aria-pressed", "false"));
    return this;
  }

  /** The two buttons and what opens below them, for a row of buttons. @returns {HTMLElement[]} */
  get thumbs() {
    return [...this.#thumbs, this];
  }

  /** @param {boolean} up */
  async #choose(up) {
    this.#up = up;
    if (!(await this.#send(""))) return;
    this.#thumbs.forEach((thumb, index) => thumb.setAttribute("aria-pressed", String(up === (index === 0))));
    this.#form.hidden = false;
  }

  /** @param {string} reason */
  async #send(reason) {
    try {
      await feedback(this.#message, this.#up, reason);
    } catch {
      put(this.#told, "feedback_failed");
      return false;
    }
    put(this.#told, "feedback_thanks");
    if (reason) this.#form.hidden = true;
    return true;
  }
}

customElements.define("feedback-form", FeedbackForm);
