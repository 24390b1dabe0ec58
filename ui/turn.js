// One turn of the conversation on the page: what the patient asked, or an answer with its kind, state and buttons. Knows no network.
// @ts-check
import { button, element } from "./element.js";
import { FeedbackForm } from "./feedback.js";
import { besides, fileLinks } from "./files.js";
import { icon } from "./icons.js";
import { Said } from "./said.js";
import { put, tag } from "./words.js";

/** @typedef {import("./api.js").Kind} Kind */

const FILES = "/api/conversation/files";

const PICTURES = /** @type {Record<Kind, string>} */ ({
  quoted: "book", signed: "check", generated: "pen", unknown: "question", declined: "person", greeting: "info", emergency: "alert", contact: "phone", person: "person", trouble: "info",
});

export class PatientTurn extends HTMLElement {
  /** @param {string} text @param {import("./api.js").Attached[]} [files] @returns {PatientTurn} */
  show(text, files = []) {
    this.className = "turn asked";
    const said = besides(text, files);
    this.replaceChildren(element("h2", { class: "aside", word: "you_asked" }), ...(said ? [element("p", {}, said)] : []), ...fileLinks(files, FILES));
    return this;
  }
}

export class AssistantTurn extends HTMLElement {
  /** @type {Kind|null} */
  kind = null;
  over = false;
  stopped = false;
  #kind = element("h2", { class: "kind" });
  #body = element("div", { class: "said" });
  #state = element("p", { class: "state" });
  #buttons = element("div", { class: "buttons" });

  /**
   * @param {{id: string, heard(text: string, language: string): void, again(): void,
   *   source(citation: import("./api.js").Citation, chip: HTMLElement): void}} settings `again` asks the same question anew
   * @returns {AssistantTurn}
   */
  show({ id, heard, source, again }) {
    this.className = "turn answer";
    this.id = `answer-${id}`;
    this.message = id;
    this.again = again;
    this.said = new Said(this.#body, { heard, source });
    this.#kind.hidden = this.#buttons.hidden = true;
    this.append(this.#kind, this.#body, this.#state, this.#buttons);
    return this;
  }

  /** @param {import("./api.js").Part} part */
  add(part) {
    if (part.type === "opening") this.#open(part.kind);
    else this.state("state_writing");
    this.said?.add(part);
  }

  /** @param {string|null} key @param {Record<string, import("./words.js").Value>} [values] */
  state(key, values) {
    this.#state.hidden = !key;
    if (!key) this.#state.replaceChildren();
    else if (this.#state.firstElementChild?.getAttribute("data-word") !== key || values) {
      const words = element("span");
      put(words, key, values);
      this.#state.replaceChildren(words);
    }
  }

  /** @param {boolean} complete */
  end(complete) {
    this.over = true;
    this.said?.end();
    this.hidden = this.kind === "person" && (this.said?.empty ?? true); // a person answers: nothing more is to be said of it
    this.state(complete || this.kind === "person" ? null : this.stopped ? "state_stopped" : "state_cut");
    this.#offer();
  }

  /** It cannot be answered; the words say why. @param {string} key */
  fail(key) {
    this.over = true;
    if (!this.kind) this.#open("trouble");
    this.said?.end();
    this.state(key);
    this.#offer();
  }

  /** @param {Kind} kind */
  #open(kind) {
    this.kind = kind;
    this.dataset.kind = kind;
    this.#kind.replaceChildren(icon(PICTURES[kind] ?? "info"), element("span", { class: "aside", word: "the_answer" }), " ",
      element("span", { word: `kind_${kind}` }));
    this.#kind.hidden = false;
    this.state("state_reading");
  }

  #offer() {
    const answered = !this.said?.empty;
    this.#buttons.replaceChildren();
    if (this.kind === "person") return;
    if (answered && this.kind !== "emergency" && this.kind !== "greeting") this.#buttons.append(...new FeedbackForm().show(this.message ?? "").thumbs);
    if (answered) this.#buttons.append(this.#copy(), button("print", "print", () => this.#print()));
    this.#buttons.append(button("ask_again", "repeat", () => this.again?.()));
    this.#buttons.hidden = false;
  }

  #copy() {
    const made = button("copy", "copy", () => {
      const words = made.querySelector("span") ?? made;
      const told = navigator.clipboard?.writeText(this.said?.plain() ?? "") ?? Promise.reject();
      told.then(() => put(words, "copied"), () => put(words, "copy_failed"));
      setTimeout(() => put(words, "copy"), 2000);
    });
    return made;
  }

  /** Prints this answer alone, with the question before it. */
  #print() {
    const pages = [this, this.previousElementSibling];
    pages.forEach((page) => page?.classList.add("printed"));
    document.body.classList.add("prints-one");
    addEventListener("afterprint", () => {
      pages.forEach((page) => page?.classList.remove("printed"));
      document.body.classList.remove("prints-one");
    }, { once: true });
    print();
  }
}

export class StaffTurn extends HTMLElement {
  /** Words of a person of the clinic, or what has become of them. @param {import("./api.js").StaffWord} said @returns {StaffTurn} */
  show({ id, name, role, text, edited, deleted, files }) {
    this.className = "turn answer";
    this.id = `staff-${id}`;
    this.dataset.kind = "person";
    const kind = element("span");
    put(kind, "said_by_staff", { name, role });
    this.replaceChildren(element("h2", { class: "kind" }, icon("person"), kind),
      deleted ? element("p", { class: "state", word: "staff_word_gone" }) : element("div", { class: "said" }, element("p", {}, besides(text, files)), ...fileLinks(files, FILES)));
    if (edited && !deleted) this.append(element("p", { class: "state", word: "staff_word_changed" }));
    return this;
  }
}

customElements.define("staff-turn", StaffTurn);
customElements.define("patient-turn", PatientTurn);
customElements.define("assistant-turn", AssistantTurn);
