// One thing said, as staff see it: by the patient, the assistant with its kind and sources, or staff. Knows no network.
// @ts-check
import { button, element } from "./element.js";
import { besides, fileLinks } from "./files.js";
import { icon } from "./icons.js";
import { Said } from "./said.js";
import { clock } from "./staff-queue.js";
import { put, tag, word } from "./words.js";

/**
 * @typedef {import("./api.js").Turn} Turn
 * @typedef {{source(citation: import("./api.js").Citation, chip: HTMLElement): void, edit(id: string, text: string): void, takeBack(id: string): void}} Acts
 */

/**
 * @param {Turn} turn @param {{rule: string, kind: string}|undefined} why @param {boolean} mine @param {Acts} acts
 * @param {import("./api.js").Attached[]} files @param {string} where their addresses begin so
 */
export function turnOf(turn, why, mine, acts, files, where) {
  if (turn.role === "assistant" || turn.role === "system") return assistant(turn, acts);
  const said = { ...turn, text: besides(turn.text, files) };
  const made = turn.role === "patient" ? patient(said, why, files.length > 0) : staff(said, mine, acts);
  if (!turn.deleted_at) made.querySelector("h3")?.after(...fileLinks(files, where));
  return made;
}

/** A reply that the clinic has not acknowledged yet. @param {string} text @param {boolean} failed @param {() => void} again */
export function sending(text, failed, again) {
  const made = element("article", { class: "turn of-staff pending" }, element("p", { class: "words" }, text),
    element("p", { class: "state", word: failed ? "staff_not_sent" : "staff_sending" }));
  if (failed) made.append(button("staff_send_again", "repeat", again));
  return made;
}

/** A private note, in its place in time. @param {import("./staff-api.js").Note} note */
export function noteOf({ by, text, at }) {
  const head = element("h3");
  put(head, "staff_note_by", { name: by, time: () => clock(at) });
  return element("article", { class: "turn note" }, head, element("p", { class: "words" }, text));
}

/** A voice message or recorded call, to be heard where it was said. @param {import("./staff-api.js").Recording} recording @param {string} where addresses begin so */
export function recordingOf({ id, kind, seconds, at }, where) {
  const name = element("h3", { id: `recording-${id}` });
  const what = () => word(kind === "voicemail" ? "staff_voice_message" : "staff_recorded_call");
  if (seconds) put(name, "staff_recording", { what, seconds: Math.max(1, Math.round(seconds)), time: () => clock(at) });
  else put(name, "staff_recording_unmeasured", { what, time: () => clock(at) });
  const told = element("p", { class: "state", role: "status" });
  const player = element("audio", { controls: "", controlslist: "nodownload", preload: "none", src: `${where}/${id}`, "aria-labelledby": name.id });
  player.addEventListener("error", () => put(told, "staff_recording_gone"));
  return element("article", { class: "turn recording" }, name, player, told);
}

/** @param {Turn} turn @param {{rule: string, kind: string}|undefined} why @param {boolean} onlyFiles */
function patient({ text, language, at }, why, onlyFiles) {
  const made = element("article", { class: "turn of-patient" }, head("staff_patient_said", at));
  if (text) made.append(element("p", { class: "words", lang: language ? tag(language) : null }, text));
  else if (!onlyFiles) made.append(element("p", { class: "words", word: "staff_pressed_person" }));
  if (why) {
    const told = element("span");
    put(told, "staff_rule", { kind: why.kind, rule: why.rule });
    made.append(element("p", { class: "notice urgent" }, icon("alert"), told));
  }
  return made;
}

/** @param {Turn} turn @param {Acts} acts */
function assistant({ parts, text, kind, complete, at }, { source }) {
  const body = element("div", { class: "said" });
  const said = new Said(body, { heard: () => undefined, source });
  const all = parts?.length ? parts : [/** @type {const} */ ({ type: "text", text })];
  all.forEach((part) => said.add(part));
  said.end();
  const made = element("article", { class: "turn answer", "data-kind": kind },
    element("h3", { class: "kind" }, element("span", { word: "staff_assistant" }), " · ", element("span", { word: `kind_${kind ?? "trouble"}` }), " · ", clock(at)), body);
  if (!complete) made.append(element("p", { class: "state", word: "staff_answer_cut" }));
  made.hidden = kind === "person" && said.empty; // it was silent: a person answers
  return made;
}

/** @param {Turn} turn @param {boolean} mine @param {Acts} acts */
function staff({ message_id, text, at, by_name, by_role, edited_at, deleted_at }, mine, { edit, takeBack }) {
  const head = element("h3");
  put(head, "staff_said_by", { name: by_name ?? "", role: by_role ?? "", time: () => clock(at) });
  const made = element("article", { class: "turn of-staff" }, head);
  if (deleted_at) made.append(element("p", { class: "state", word: "staff_taken_back" }));
  else made.append(element("p", { class: "words" }, text));
  if (edited_at && !deleted_at) made.append(element("p", { class: "state", word: "staff_edited" }));
  if (mine && !deleted_at) made.append(element("div", { class: "buttons" },
    button("staff_edit", "pen", () => edit(message_id, text)), button("staff_take_back", "wipe", () => takeBack(message_id))));
  return made;
}

/** @param {string} key @param {string} at */
function head(key, at) {
  const made = element("h3");
  put(made, key, { time: () => clock(at) });
  return made;
}

/** What a screen reader hears of something new. @param {Turn} turn */
export function heard({ role, text, by_name }) {
  if (role === "patient") return `${word("staff_patient_said", { time: "" })} ${text || word("staff_pressed_person")}`;
  return role === "staff" ? `${by_name}: ${text}` : word("staff_assistant_answered");
}
