// Who waits, the most urgent first, then who has waited longest; a key moves through it. Knows no conversation's words.
// @ts-check
import { element, one } from "./element.js";
import { icon } from "./icons.js";
import { nameOf, put, tag, word } from "./words.js";

/** @typedef {import("./staff-api.js").Case} Case */

const REASONS = /** @type {Record<string, string>} */ ({
  asked: "staff_reason_asked", emergency: "staff_reason_emergency", failed: "staff_reason_failed", unsure: "staff_reason_unsure",
  anger: "staff_reason_anger", topic: "staff_reason_topic", tool: "staff_reason_tool", staff: "staff_reason_staff",
});
const CHANNELS = /** @type {Record<string, string>} */ ({ web: "staff_channel_web", sms: "staff_channel_sms", phone: "staff_channel_phone", terminal: "staff_channel_web" });

/** @param {Case} of */
export const reason = (of) => word(REASONS[of.reason] ?? "staff_reason_asked");
/** @param {Case} of */
export const channel = (of) => word(CHANNELS[of.channel] ?? "staff_channel_web");

/** Whose a case is, in words. @param {Case} of @param {string} me @returns {[string, Record<string, import("./words.js").Value>]} */
export function whose(of, me) {
  if (of.state === "person") return of.accepted_by === me ? ["staff_whose_you", {}] : ["staff_whose_other", { name: of.accepted_name ?? "" }];
  if (of.state === "snoozed") return ["staff_whose_later", { time: () => clock(of.snoozed_until ?? "") }];
  return [{ waiting: "staff_whose_nobody", returned: "staff_whose_assistant", resolved: "staff_whose_done" }[of.state], {}];
}

/** @param {string} iso */
export const clock = (iso) => new Intl.DateTimeFormat(tag(document.documentElement.lang), { hour: "numeric", minute: "2-digit" }).format(new Date(iso));

export class StaffQueue extends HTMLElement {
  /** @type {Map<number, HTMLElement>} */
  #items = new Map();
  #me = "";
  #late = 0;
  /** @type {Case[]} */
  #cases = [];

  connectedCallback() {
    setInterval(() => this.#tick(), 5000);
  }

  /** @param {import("./staff-api.js").Queue} queue @param {number|null} opened */
  show({ me, cases, closed, now }, opened) {
    this.#me = me.id;
    this.#late = Date.now() - Date.parse(now);
    this.#cases = cases;
    const had = this.#focused;
    const gone = new Set(this.#items.keys());
    one("ul.open", this).replaceChildren(...cases.map((each) => this.#item(each, opened, gone)));
    one("ul.closed", this).replaceChildren(...closed.map((each) => this.#item(each, opened, gone)));
    for (const id of gone) this.#items.delete(id);
    one(".empty", this).hidden = cases.length > 0;
    one("details", this).hidden = !closed.length;
    one(".off-duty", this).hidden = me.on_duty;
    if (had !== null) this.#items.get(had)?.focus();
    this.#tick();
  }

  /** Marks the one that is open. @param {number|null} opened */
  mark(opened) {
    for (const [id, item] of this.#items) current(item, id === opened);
  }

  /** @param {1|-1} step @param {number|null} opened */
  move(step, opened) {
    const all = /** @type {HTMLElement[]} */ ([...this.querySelectorAll("li > button")]).filter((item) => item.checkVisibility());
    const from = this.#focused ?? opened;
    const at = all.findIndex((item) => item === (from === null ? undefined : this.#items.get(from)));
    all[at < 0 ? 0 : Math.min(all.length - 1, Math.max(0, at + step))]?.focus();
  }

  /** @param {number|null} id */
  focusOn(id) {
    (this.#items.get(id ?? -1) ?? one("h2", this)).focus();
  }

  clear() {
    this.#items.clear();
    this.#cases = [];
    for (const list of this.querySelectorAll("ul")) list.replaceChildren();
  }

  get #focused() {
    for (const [id, item] of this.#items) if (item === document.activeElement) return id;
    return null;
  }

  /** @param {Case} of @param {number|null} opened @param {Set<number>} gone */
  #item(of, opened, gone) {
    gone.delete(of.id);
    const item = this.#items.get(of.id) ?? this.#made(of.id);
    const [key, values] = whose(of, this.#me);
    item.dataset.urgency = of.closed_at ? "" : String(of.urgency);
    item.dataset.state = of.state;
    const state = element("span", { class: "state" });
    put(state, key, values);
    item.replaceChildren(
      element("span", { class: "why" }, ...(of.urgency === 0 && !of.closed_at ? [icon("alert")] : []), element("strong", {}, reason(of)),
        ...(of.unread && !of.closed_at ? [element("span", { class: "unread" }, element("span", { "aria-hidden": "true" }, String(of.unread)), element("span", { class: "aside" }, word("staff_unread", { count: of.unread })))] : [])),
      element("span", { class: "since" }),
      element("span", { class: "about" }, [channel(of), nameOf(of.language), of.site].filter(Boolean).join(" · ")),
      state);
    current(item, of.id === opened);
    return element("li", {}, item);
  }

  /** @param {number} id */
  #made(id) {
    const item = element("button", { type: "button", class: "item" });
    item.addEventListener("click", () => this.dispatchEvent(new CustomEvent("opens", { detail: id })));
    this.#items.set(id, item);
    return item;
  }

  /** How long each has waited, by the clinic's clock. */
  #tick() {
    for (const of of this.#cases) {
      const since = this.#items.get(of.id)?.querySelector(".since");
      if (since) since.textContent = waited(Date.now() - this.#late - Date.parse(of.opened_at));
    }
  }
}

/** @param {number} milliseconds */
function waited(milliseconds) {
  const minutes = Math.floor(milliseconds / 60_000);
  if (minutes < 1) return word("staff_just_now");
  return minutes < 90 ? word("staff_minutes", { count: minutes }) : word("staff_hours", { count: Math.round(minutes / 60) });
}

/** @param {HTMLElement} item @param {boolean} yes */
function current(item, yes) {
  if (yes) item.setAttribute("aria-current", "true");
  else item.removeAttribute("aria-current");
}

customElements.define("staff-queue", StaffQueue);
