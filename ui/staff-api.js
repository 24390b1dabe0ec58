// What the staff page asks of the clinic, and the line on which it hears that something happened. Knows no element of the page.
// @ts-check
import { ask, newId, putFile } from "./api.js";

/**
 * @typedef {{id: string, name: string, role: string, level: number, on_duty: boolean}} Member
 * @typedef {{member: Member, must_change: boolean, ends_at: string, idle_ends_at: string}} Session
 * @typedef {"waiting"|"person"|"snoozed"|"returned"|"resolved"} CaseState
 * @typedef {{id: number, conversation: string, state: CaseState, reason: string, urgency: 0|1|2, kinds: string[], language: string, channel: string,
 *   site: string|null, opened_at: string, level: number, accepted_by: string|null, accepted_name: string|null, accepted_at: string|null,
 *   snoozed_until: string|null, closed_at: string|null, closed_by: string|null, unread: number, version: number, summary: string, suggested: string}} Case
 * @typedef {{me: Member, cases: Case[], closed: Case[], seq: number, now: string}} Queue
 * @typedef {{id: number, by: string, text: string, at: string}} Note
 * @typedef {{at: string, event: string, by: string|null, detail: string}} CaseEvent
 * @typedef {{id: number, kind: "voicemail"|"call", seconds: number, at: string}} Recording
 * @typedef {{case: Case, place: number, turns: import("./api.js").Turn[], why: Record<string, {rule: string, kind: string}>, notes: Note[],
 *   events: CaseEvent[], files: import("./api.js").Attached[], recordings: Recording[], seq: number}} CaseView
 * @typedef {{seq: number, case_id: number, conversation: string, what: string, by: string|null, name: string|null, message_id: string|null}} Happened
 * @typedef {{news(happened: Happened): void, caughtUp(): void, state(state: "ready"|"lost"): void, signedOut(): void}} Listener
 */

const PING_EVERY = 20_000;
const PONG_WITHIN = 10_000;
const FIRST_PAUSE = 400;
const LONGEST_PAUSE = 15_000;
const SIGNED_OUT = 4401;
const HERE_EVERY = 60_000;

/** @returns {Promise<Session>} */
export const session = () => ask("GET", "/api/staff/session");
/** @param {string} name @param {string} password @returns {Promise<Session>} */
export const signIn = (name, password) => ask("POST", "/api/staff/session", { name, password });
export const signOut = () => ask("DELETE", "/api/staff/session");
/** @param {string} fresh @param {string} old */
export const choosePassword = (fresh, old) => ask("POST", "/api/staff/password", { new: fresh, old });
/** @param {boolean} on_duty */
export const setDuty = (on_duty) => ask("PUT", "/api/staff/duty", { on_duty });
/** @returns {Promise<Queue>} */
export const queue = () => ask("GET", "/api/staff/queue");
/** @param {number} id @returns {Promise<CaseView>} */
export const caseView = (id) => ask("GET", `/api/staff/cases/${id}`);
/** @param {number} id @param {number} version @returns {Promise<Case>} */
export const accept = (id, version) => ask("POST", `/api/staff/cases/${id}/accept`, { version });
/** @param {number} id @param {{id: string, text: string}} word */
export const reply = (id, word) => ask("POST", `/api/staff/cases/${id}/reply`, word);
/** A file is a word of its own. @param {number} id @param {File} file */
export const attach = (id, file) => putFile(`/api/staff/cases/${id}/files/${newId()}`, file);
/** @param {number} id @param {string} text */
export const note = (id, text) => ask("POST", `/api/staff/cases/${id}/note`, { text });
/** @param {number} id @param {"return"|"resolve"|"leave"|"wake"|"read"} act @returns {Promise<Case>} */
export const act = (id, act) => ask("POST", `/api/staff/cases/${id}/${act}`);
/** @param {number} id @param {number} minutes @returns {Promise<Case>} */
export const snooze = (id, minutes) => ask("POST", `/api/staff/cases/${id}/snooze`, { minutes });
/** @param {string} word @param {string} text */
export const edit = (word, text) => ask("PUT", `/api/staff/words/${word}`, { text });
/** @param {string} word */
export const takeBack = (word) => ask("DELETE", `/api/staff/words/${word}`);

/** A session ends when nobody uses the page: what this page asks by itself does not count, a touch does. */
export function staysWhileUsed() {
  let told = Date.now();
  const here = () => {
    if (Date.now() - told < HERE_EVERY) return;
    told = Date.now();
    void ask("PUT", "/api/staff/session").catch(() => undefined);
  };
  for (const event of ["pointerdown", "keydown"]) addEventListener(event, here, { passive: true, capture: true });
}

/** Hears what happens, and comes back by itself. What was missed meanwhile is asked for anew: see `caughtUp`. */
export class StaffLine {
  /** @type {WebSocket|null} */
  #socket = null;
  #wanted = false;
  #failures = 0;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #timer;
  #typed = 0;

  /** @param {Listener} listener */
  constructor(listener) {
    this.listener = listener;
    addEventListener("online", () => this.#wanted && !this.#socket && this.#dial());
  }

  open() {
    this.#wanted = true;
    if (!this.#socket) this.#dial();
  }

  close() {
    this.#wanted = false;
    clearTimeout(this.#timer);
    this.#let(this.#socket);
  }

  /** Somebody writes to the patient of this case; told every few seconds at most. @param {number} id */
  typing(id) {
    if (Date.now() - this.#typed < 3000 || this.#socket?.readyState !== WebSocket.OPEN) return;
    this.#typed = Date.now();
    this.#socket.send(JSON.stringify({ type: "typing", case: id }));
  }

  #dial() {
    clearTimeout(this.#timer);
    const socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/api/staff/live`);
    this.#socket = socket;
    this.#timer = setTimeout(() => this.#lost(socket), PONG_WITHIN);
    socket.onmessage = (event) => this.#heard(socket, JSON.parse(event.data));
    socket.onclose = ({ code }) => (code === SIGNED_OUT ? this.#over(socket) : this.#lost(socket));
  }

  /** @param {WebSocket} socket @param {any} frame */
  #heard(socket, frame) {
    this.#failures = 0;
    this.#beat(socket);
    if (frame.type === "hello") {
      this.listener.state("ready");
      this.listener.caughtUp();
    }
    if (frame.type === "news") this.listener.news(frame.happened);
  }

  /** A half-open line looks alive: ask now and then. @param {WebSocket} socket */
  #beat(socket) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      socket.send('{"type":"ping"}');
      this.#timer = setTimeout(() => this.#lost(socket), PONG_WITHIN);
    }, PING_EVERY);
  }

  /** The same as a refused knock: only a question tells whether one is still signed in. @param {WebSocket} socket */
  async #lost(socket) {
    if (!this.#let(socket) || !this.#wanted) return;
    this.listener.state("lost");
    const pause = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** this.#failures++) * (0.5 + Math.random());
    this.#timer = setTimeout(() => this.#again(), pause);
  }

  async #again() {
    const told = await session().catch((error) => error);
    if (!this.#wanted || this.#socket) return;
    if (told.status === 401) this.#end();
    else this.#dial();
  }

  /** @param {WebSocket} socket */
  #over(socket) {
    if (this.#let(socket)) this.#end();
  }

  #end() {
    this.close();
    this.listener.signedOut();
  }

  /** @param {WebSocket|null} socket @returns {boolean} it was ours */
  #let(socket) {
    if (!socket || this.#socket !== socket) return false;
    this.#socket = null;
    clearTimeout(this.#timer);
    socket.onmessage = socket.onclose = null;
    socket.close();
    return true;
  }
}

/** The page's own files are kept for a bad moment; nothing else is. */
export function install() {
  if (!("serviceWorker" in navigator)) return;
  const file = "/staff-worker.js";
  const types = /** @type {any} */ (window).trustedTypes;
  const script = types ? types.createPolicy("staff-worker", { createScriptURL: () => file }).createScriptURL(file) : file;
  void navigator.serviceWorker.register(script, { scope: "/staff" }).catch(() => undefined);
}
