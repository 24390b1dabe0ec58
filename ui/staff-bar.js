// Whose the conversation is, above the box: the queue's, a person's, and that they are writing. Knows no words of theirs.
// @ts-check
import { one } from "./element.js";
import { put, tag, language } from "./words.js";

const TYPING_FOR = 6000;

export class StaffBar extends HTMLElement {
  /** @type {import("./api.js").Whose["owner"]} */
  owner = "assistant";
  /** @type {import("./api.js").Whose|null} */
  #now = null;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #typing;

  connectedCallback() {
    one("button", this).addEventListener("click", () => this.dispatchEvent(new Event("nobody")));
  }

  /** @param {import("./api.js").Whose|null} now null: there is no conversation */
  show(now) {
    clearTimeout(this.#typing);
    this.#now = now;
    const before = this.owner;
    this.owner = now?.owner ?? "assistant";
    this.dataset.owner = this.owner;
    one("button", this).hidden = this.owner !== "waiting" && this.owner !== "later";
    this.hidden = this.owner === "assistant" && (before === "assistant" || !now);
    this.#tell(false);
  }

  /** @param {string|null} name null: no longer */
  types(name) {
    clearTimeout(this.#typing);
    if (this.owner !== "person") return;
    this.#tell(name !== null);
    if (name !== null) this.#typing = setTimeout(() => this.#tell(false), TYPING_FOR);
  }

  /** @param {boolean} typing */
  #tell(typing) {
    const now = this.#now;
    const told = one("p", this);
    if (!now || this.hidden) return told.replaceChildren();
    const name = now.name ?? "";
    if (now.owner === "person") put(told, typing ? "person_typing" : "person_answers", { name });
    else if (now.owner === "later") put(told, "person_later", { time: () => moment(now.until) });
    else if (now.owner === "waiting") put(told, now.place > 1 ? "waiting_place" : "waiting_next", { place: now.place });
    else put(told, "assistant_answers");
  }
}

/** @param {string|null} iso */
function moment(iso) {
  return iso ? new Intl.DateTimeFormat(tag(language()), { weekday: "long", hour: "numeric", minute: "2-digit" }).format(new Date(iso)) : "";
}

customElements.define("staff-bar", StaffBar);
