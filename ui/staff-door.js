// Signing in and choosing a password. Knows no case.
// @ts-check
import { Refused } from "./api.js";
import { one } from "./element.js";
import { choosePassword, session, signIn } from "./staff-api.js";
import { put } from "./words.js";

export class StaffDoor extends HTMLElement {
  #name = "";

  connectedCallback() {
    this.#sign.addEventListener("submit", (event) => this.#submit(event, this.#sign, () => this.#in()));
    this.#choose.addEventListener("submit", (event) => this.#submit(event, this.#choose, () => this.#chosen()));
    one(".cancel", this.#choose).addEventListener("click", () => this.dispatchEvent(new Event("cancelled")));
    for (const box of this.querySelectorAll(".show")) box.addEventListener("change", () => this.#show(/** @type {HTMLInputElement} */ (box)));
  }

  get #sign() {
    return /** @type {HTMLFormElement} */ (one("#sign-in", this));
  }

  get #choose() {
    return /** @type {HTMLFormElement} */ (one("#choose", this));
  }

  /** @param {string} [why] a word's key: why one must sign in again */
  ask(why) {
    this.#open(this.#sign);
    if (why) put(one(".told", this.#sign), why);
    (why ? one("h1", this.#sign) : field("#name")).focus();
  }

  /** @param {string} name @param {boolean} first with a one-time password: the old one was just used, and there is no way round */
  change(name, first) {
    this.#name = name;
    this.#open(this.#choose);
    one(".old", this).hidden = first;
    field("#old").required = !first;
    one(".cancel", this).hidden = first;
    /** @type {HTMLInputElement} */ (this.#choose.elements.namedItem("username")).value = name;
    one(".told", this.#choose).dataset.calm = "yes";
    put(one(".told", this.#choose), first ? "staff_must_change" : "staff_change_hint");
    one("h1", this.#choose).focus();
  }

  close() {
    this.hidden = true;
    this.#sign.reset();
    this.#choose.reset();
  }

  /** @param {HTMLFormElement} form */
  #open(form) {
    this.hidden = false;
    this.#sign.hidden = form !== this.#sign;
    this.#choose.hidden = form !== this.#choose;
    for (const told of this.querySelectorAll(".told")) told.replaceChildren();
    form.reset();
    for (const box of this.querySelectorAll(".show")) this.#show(/** @type {HTMLInputElement} */ (box));
  }

  /** @param {SubmitEvent} event @param {HTMLFormElement} form @param {() => Promise<void>} work */
  async #submit(event, form, work) {
    event.preventDefault();
    const press = /** @type {HTMLButtonElement} */ (form.querySelector("[type=submit]"));
    press.disabled = true;
    await work().catch((error) => this.#refused(form, error));
    press.disabled = false;
  }

  async #in() {
    this.#name = field("#name").value;
    this.#opened(await signIn(this.#name, field("#password").value));
  }

  async #chosen() {
    await choosePassword(field("#new").value, field("#old").value);
    this.#opened(await session());
  }

  /** @param {import("./staff-api.js").Session} found */
  #opened(found) {
    if (found.must_change) return this.change(found.member.id, true);
    this.close();
    this.dispatchEvent(new CustomEvent("opened", { detail: found }));
  }

  /** @param {HTMLFormElement} form @param {unknown} error */
  #refused(form, error) {
    const { status, problem } = error instanceof Refused ? error : { status: 0, problem: null };
    const told = one(".told", form);
    delete told.dataset.calm;
    if (status === 401) return this.ask("staff_signed_out");
    if (status === 429 || (status === 503 && problem?.retry_after)) return wait(told, problem?.retry_after ?? 5);
    if (status === 403) put(told, form === this.#sign ? "staff_wrong" : "staff_wrong_old");
    else put(told, status === 400 ? "staff_weak" : "staff_no_answer");
  }

  /** @param {HTMLInputElement} box */
  #show(box) {
    for (const input of box.closest("form")?.querySelectorAll("input:is([type=password], [data-shown])") ?? []) {
      input.setAttribute("type", box.checked ? "text" : "password");
      input.toggleAttribute("data-shown", box.checked);
    }
  }
}

/** @param {HTMLElement} told @param {number} seconds */
function wait(told, seconds) {
  put(told, "staff_wait", { seconds: Math.max(2, Math.ceil(seconds)) });
}

/** @param {string} id */
const field = (id) => /** @type {HTMLInputElement} */ (one(id));

customElements.define("staff-door", StaffDoor);
