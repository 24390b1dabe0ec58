// One case: what was said, and what may be done; every button says what the patient will see. Knows no network.
// @ts-check
import { button, element, one } from "./element.js";
import { newId } from "./api.js";
import { picks } from "./files.js";
import { politely } from "./live.js";
import { channel, reason, whose } from "./staff-queue.js";
import { heard, noteOf, recordingOf, sending, turnOf } from "./staff-turn.js";
import { label, language, nameOf, put } from "./words.js";

/**
 * @typedef {import("./staff-api.js").CaseView} CaseView
 * @typedef {import("./staff-api.js").Case} Case
 * @typedef {{id: string, case: number, text: string, failed: boolean}} Pending
 * @typedef {"accept"|"return"|"resolve"|"later"|"leave"|"wake"} Act
 * @typedef {{act(act: Act): void, reply(pending: Pending): void, note(text: string): Promise<void>, edit(id: string, text: string): Promise<void>,
 *   takeBack(id: string): void, attach(file: File): void, typing(): void, source(citation: import("./api.js").Citation, chip: HTMLElement): void}} Acts
 */

/** What each act is called, its picture, its key, and what the patient sees of it. @type {Record<Act, [string, string, string, string]>} */
const BUTTONS = {
  accept: ["staff_accept", "check", "a", "staff_sees_accept"],
  return: ["staff_return", "repeat", "g", "staff_sees_return"],
  resolve: ["staff_resolve", "check", "e", "staff_sees_resolve"],
  later: ["staff_later", "clock", "", "staff_sees_later"],
  leave: ["staff_leave", "person", "", "staff_sees_leave"],
  wake: ["staff_wake", "repeat", "", "staff_sees_leave"],
};
const TYPING_FOR = 6000;

export class StaffCase extends HTMLElement {
  /** @type {CaseView|null} */
  view = null;
  /** @type {import("./staff-api.js").Member|null} */
  me = null;
  /** @type {Acts|undefined} */
  acts;
  /** @type {Map<string, [string, HTMLElement]>} what is shown, by what it was made of */
  #shown = new Map();
  /** @type {Map<string, Pending>} */
  #pending = new Map();
  /** @type {Map<string, string>} half-written words, by case and kind */
  #drafts = new Map();
  #atEnd = true;
  /** The room there was: a scroll because of less of it is nobody's wish. */
  #height = 0;
  /** @type {string|null} the word that is being changed */
  #changes = null;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #typing;

  connectedCallback() {
    one("form.write", this).addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#send();
    });
    this.box.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
      event.preventDefault();
      void this.#send();
    });
    this.box.addEventListener("input", () => {
      this.#drafts.set(this.#draftKey, this.box.value);
      if (this.mode === "reply") this.acts?.typing();
    });
    for (const radio of this.#modes) radio.addEventListener("change", () => this.#turned());
    const list = one(".turns", this);
    list.addEventListener("scroll", () => {
      if (list.clientHeight === this.#height) this.#atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 60;
    }, { passive: true });
    new ResizeObserver(() => {
      this.#height = list.clientHeight;
      this.#stay();
    }).observe(list);
    picks(one(".attach", this), /** @type {HTMLInputElement} */ (one("[type=file]", this)), (file) => this.acts?.attach(file));
    one(".suggested button", this).addEventListener("click", () => this.#useSuggested());
  }

  get box() {
    return /** @type {HTMLTextAreaElement} */ (one("#words", this));
  }

  get #modes() {
    return /** @type {NodeListOf<HTMLInputElement>} */ (this.querySelectorAll("[name=mode]"));
  }

  /** @returns {"reply"|"note"} */
  get mode() {
    return [...this.#modes].find(({ checked }) => checked)?.value === "note" ? "note" : "reply";
  }

  get #draftKey() {
    return `${this.view?.case.id} ${this.mode}`;
  }

  /** @param {CaseView} view @param {import("./staff-api.js").Member} me */
  show(view, me) {
    const other = this.view?.case.id !== view.case.id;
    this.view = view;
    this.me = me;
    this.hidden = false;
    if (other) this.#begin();
    this.#head(view.case);
    this.#turns(other);
    this.#offer(view.case);
    this.#words();
  }

  clear() {
    this.view = null;
    this.hidden = true;
    this.#begin();
  }

  /** Whoever comes next to this device finds nothing. */
  forget() {
    this.clear();
    this.#drafts.clear();
    this.#pending.clear();
  }

  /** @param {string} key @param {Record<string, import("./words.js").Value>} [values] */
  tell(key, values) {
    put(one(".told", this), key, values);
  }

  /** @param {"reply"|"note"} mode */
  write(mode) {
    for (const radio of this.#modes) radio.checked = radio.value === mode;
    this.#turned();
    this.box.focus();
  }

  patientTypes() {
    const told = one(".typing", this);
    told.hidden = false;
    clearTimeout(this.#typing);
    this.#typing = setTimeout(() => (told.hidden = true), TYPING_FOR);
  }

  /** @param {Pending} pending */
  sent(pending) {
    this.#pending.delete(pending.id);
    this.#turns(false);
  }

  /** @param {Pending} pending */
  unsent(pending) {
    this.#pending.set(pending.id, { ...pending, failed: true });
    this.#turns(false);
  }

  /** What did not go out while there was no connection goes out now. */
  sendAgain() {
    for (const pending of this.#pending.values()) if (pending.failed) this.#go(pending);
  }

  get isMine() {
    return this.view?.case.state === "person" && this.view.case.accepted_by === this.me?.id;
  }

  #begin() {
    this.#shown.clear();
    this.#changes = null;
    one(".turns", this).replaceChildren();
    one(".told", this).replaceChildren();
    one(".typing", this).hidden = true;
    for (const radio of this.#modes) radio.checked = radio.value === "reply";
    this.box.value = this.#drafts.get(this.#draftKey) ?? "";
  }

  /** @param {Case} of */
  #head(of) {
    put(one(".case-title", this), "staff_case_title", { number: of.id, reason: () => reason(of) });
    const [key, values] = whose(of, this.me?.id ?? "");
    const state = element("strong");
    put(state, key, values);
    one(".whose", this).replaceChildren(state, ` · ${channel(of)} · ${nameOf(of.language)}`);
    one(".whose", this).dataset.state = this.isMine ? "mine" : of.state;
  }

  /** @param {boolean} other another case than before: nothing of it is read aloud, its end is shown */
  #turns(other) {
    if (!this.view || !this.acts) return;
    const { turns, notes, recordings, why, files, case: of } = this.view;
    const list = one(".turns", this);
    const told = new Map(this.#shown);
    const mine = (/** @type {import("./api.js").Turn} */ turn) => turn.by_name === this.me?.name && turn.by_role === this.me?.role;
    const made = /** @type {{at: string, node: HTMLElement}[]} */ ([]);
    for (const turn of turns) {
      const key = `${turn.role} ${turn.message_id}`;
      const its = files.filter(({ message_id }) => message_id === turn.message_id);
      const danger = turn.role === "patient" ? why[turn.message_id] : undefined;
      made.push({ at: turn.at, node: this.#kept(key, [turn, danger, its, language()], () => turnOf(turn, danger, mine(turn), this.#turnActs, its, `/api/staff/cases/${of.id}/files`)) });
      if (!other && !told.has(key) && !mine(turn)) politely(heard(turn), turn.role === "patient" ? turn.language ?? language() : language());
      this.#pending.delete(turn.message_id);
    }
    const inTime = (/** @type {string} */ when, /** @type {HTMLElement} */ node) => made.splice(made.findLastIndex(({ at }) => at <= when) + 1, 0, { at: when, node });
    for (const sound of recordings) inTime(sound.at, this.#kept(`recording ${sound.id}`, sound, () => recordingOf(sound, `/api/staff/cases/${of.id}/recordings`)));
    for (const note of notes) inTime(note.at, this.#kept(`note ${note.id}`, [note, language()], () => noteOf(note)));
    const waiting = [...this.#pending.values()].filter((pending) => pending.case === of.id);
    const had = document.activeElement;
    list.replaceChildren(...made.map(({ node }) => node), ...waiting.map((pending) => sending(pending.text, pending.failed, () => this.#go(pending))));
    if (had instanceof HTMLElement && had !== list && list.contains(had)) had.focus({ preventScroll: true }); // what is put back has lost it
    this.#atEnd ||= other;
    this.#stay();
  }

  /** An element stays the same while what it shows does: focus and selection are not lost. @param {string} key @param {unknown} of @param {() => HTMLElement} make */
  #kept(key, of, make) {
    const said = JSON.stringify(of);
    const had = this.#shown.get(key);
    if (had && had[0] === said) return had[1];
    const made = make();
    this.#shown.set(key, [said, made]);
    return made;
  }

  /** Whoever reads the newest words goes on reading them when there are more, or less room. */
  #stay() {
    const list = one(".turns", this);
    if (this.#atEnd) list.scrollTop = list.scrollHeight;
  }

  get #turnActs() {
    return {
      source: (/** @type {import("./api.js").Citation} */ citation, /** @type {HTMLElement} */ chip) => this.acts?.source(citation, chip),
      edit: (/** @type {string} */ id, /** @type {string} */ text) => this.#change(id, text),
      takeBack: (/** @type {string} */ id) => this.acts?.takeBack(id),
    };
  }

  /** @param {Case} of */
  #offer(of) {
    /** @type {Record<import("./staff-api.js").CaseState, Act[]>} */
    const possible = { waiting: ["accept", "return", "resolve", "later"], person: ["return", "resolve", "later", "leave"], snoozed: ["accept", "wake", "return", "resolve"], returned: [], resolved: [] };
    const offered = possible[of.state].filter((act) => act !== "leave" || this.isMine);
    const row = one(".acts", this);
    const sign = `${offered} ${language()}`;
    if (row.dataset.sign === sign) return;
    const had = document.activeElement instanceof HTMLElement ? document.activeElement.dataset.act : undefined;
    row.dataset.sign = sign;
    row.replaceChildren(...offered.map((act) => this.#button(act)));
    if (had) (/** @type {HTMLElement|null} */ (row.querySelector(`[data-act=${had}]`)) ?? one(".case-title", this)).focus();
  }

  /** @param {Act} act */
  #button(act) {
    const [name, picture, key, sees] = BUTTONS[act];
    const made = button(name, picture, () => this.acts?.act(act), act === "accept" ? "strong act" : "plain act");
    made.dataset.act = act;
    if (key) made.setAttribute("aria-keyshortcuts", key);
    if (key) made.append(element("kbd", { "aria-hidden": "true" }, key));
    made.append(element("small", { word: sees }));
    return made;
  }

  #words() {
    const of = this.view?.case;
    if (!of) return;
    const note = this.mode === "note";
    one("form.write", this).dataset.mode = this.mode;
    label(this.box, note ? "staff_note_label" : this.#changes ? "staff_edit_label" : "staff_reply_label");
    put(one("[type=submit] span", this), note ? "staff_note_save" : this.#changes ? "staff_edit_save" : "staff_send");
    const taking = !this.isMine;
    const key = note ? "staff_sees_note" : this.#changes ? "staff_sees_edit" : !taking ? "staff_sees_reply"
      : of.state === "person" ? "staff_sees_reply_from" : "staff_sees_reply_takes";
    put(one("#will-see", this), key, { me: this.me?.name ?? "", role: this.me?.role ?? "", name: of.accepted_name ?? "", language: () => nameOf(of.language) });
    one(".attach", this).hidden = note || Boolean(this.#changes) || of.channel === "sms";
    one(".suggested", this).hidden = note || !of.suggested || Boolean(this.#changes) || Boolean(of.closed_at);
    one(".suggested .draft", this).textContent = of.suggested;
  }

  #turned() {
    this.#changes = null;
    this.box.value = this.#drafts.get(this.#draftKey) ?? "";
    this.#words();
  }

  #useSuggested() {
    this.box.value = [this.box.value.trim(), this.view?.case.suggested].filter(Boolean).join("\n");
    this.#drafts.set(this.#draftKey, this.box.value);
    this.box.focus();
  }

  /** @param {string} id @param {string} text */
  #change(id, text) {
    this.write("reply");
    this.#changes = id;
    this.box.value = text;
    this.#words();
  }

  async #send() {
    const text = this.box.value.trim();
    if (!text || !this.view) return this.box.focus();
    if (this.mode === "note") await this.acts?.note(text);
    else if (this.#changes) await this.acts?.edit(this.#changes, text);
    else this.#go({ id: newId(), case: this.view.case.id, text, failed: false });
    this.#drafts.delete(this.#draftKey);
    this.#turned();
  }

  /** @param {Pending} pending */
  #go(pending) {
    const going = { ...pending, failed: false };
    this.#pending.set(pending.id, going);
    this.#turns(false);
    this.#atEnd = true;
    this.#stay();
    this.acts?.reply(going);
  }
}


customElements.define("staff-case", StaffCase);
