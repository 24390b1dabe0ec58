// What is known beside the conversation: why it is here, who the patient is as far as known, sources, what happened. Knows no network.
// @ts-check
import { element, one } from "./element.js";
import { channel, clock, reason } from "./staff-queue.js";
import { nameOf, put } from "./words.js";

/** @typedef {import("./api.js").Citation} Citation */

const EVENTS = /** @type {Record<string, string>} */ ({
  ask: "staff_event_ask", accept: "staff_event_accept", give_back: "staff_event_return", resolve: "staff_event_resolve", snooze: "staff_event_snooze",
  wake: "staff_event_wake", leave: "staff_event_leave", patient_returns: "staff_event_patient_returns", level: "staff_event_level",
});

export class StaffSide extends HTMLElement {
  /** @param {import("./staff-api.js").CaseView} view @param {(citation: Citation, chip: HTMLElement) => void} open */
  show(view, open) {
    this.hidden = false;
    const of = view.case;
    one(".facts-of-case", this).replaceChildren(
      section("staff_why", fact("staff_fact_reason", reason(of)), ...of.kinds.map((kind) => fact("staff_fact_danger", kind)),
        ...view.events.filter(({ event, detail }) => event === "ask" && detail.includes("=")).slice(-1).map(({ detail }) => fact("staff_fact_detail", detail)),
        ...(of.summary ? [element("p", { class: "summary" }, of.summary)] : [])),
      section("staff_patient", fact("staff_fact_language", nameOf(of.language)), fact("staff_fact_channel", channel(of)),
        ...(of.site ? [fact("staff_fact_site", of.site)] : []), element("p", { class: "hint", word: "staff_identity" })),
      section("staff_sources", ...sources(view.turns, open)),
      section("staff_history", element("ul", { class: "events" }, ...view.events.filter(({ event }) => EVENTS[event]).map(happened))));
  }

  clear() {
    this.hidden = true;
    one(".facts-of-case", this).replaceChildren();
  }
}

/** @param {string} key @param {...Node} children */
const section = (key, ...children) => element("section", {}, element("h2", { word: key }), ...children);

/** @param {string} key @param {string} value */
function fact(key, value) {
  const made = element("p", { class: "fact" });
  put(made, key, { value: element("strong", {}, value) });
  return made;
}

/** Each document once, the newest first. @param {import("./api.js").Turn[]} turns @param {(citation: Citation, chip: HTMLElement) => void} open */
function sources(turns, open) {
  /** @type {Map<string, Citation>} */
  const found = new Map();
  for (const { parts } of turns) for (const part of parts ?? []) if (part.type === "citation") found.set(`${part.document} ${part.span.start}`, part);
  if (!found.size) return [element("p", { class: "hint", word: "staff_no_sources" })];
  return [element("ul", { class: "sources" }, ...[...found.values()].reverse().map((citation) => {
    const chip = element("button", { type: "button", class: "plain", "aria-haspopup": "dialog" }, citation.title);
    chip.addEventListener("click", () => open(citation, chip));
    return element("li", {}, chip);
  }))];
}

/** @param {import("./staff-api.js").CaseEvent} one */
function happened({ at, event, by, detail }) {
  const made = element("li");
  put(made, EVENTS[event], { time: () => clock(at), name: by ?? "", level: detail });
  return made;
}

customElements.define("staff-side", StaffSide);
