// All that goes over the network, and nothing else: requests, and the line on which answers arrive. Knows no element of the page.
// @ts-check

/**
 * @typedef {"quoted"|"signed"|"generated"|"unknown"|"declined"|"greeting"|"emergency"|"contact"|"person"|"trouble"} Kind
 * @typedef {{type: "opening", kind: Kind, language: string}} Opening
 * @typedef {{type: "text", text: string, voice?: "ours"|"told"|"quote"|"written", language?: string|null, cites?: number|null}} Words
 * @typedef {{type: "citation", number: number, document: string, revision: number, title: string, heading?: string[], page?: number|null,
 *   language: string, span: {start: number, end: number}, quote: string, valid_from?: string|null}} Citation
 * @typedef {{type: "signature", answer: string, version: number, signed_by: string, role: string, signed_on: string, valid_until: string}} Signature
 * @typedef {{type: "notice", code: string, text: string}} Notice
 * @typedef {{type: "call", label: string, number: string, urgent?: boolean}} Call
 * @typedef {Opening|Words|Citation|Signature|Notice|Call} Part
 *
 * @typedef {{message_id: string, role: "patient"|"assistant"|"system"|"staff", text: string, parts: Part[]|null, kind: Kind|null, language: string|null,
 *   complete: boolean, at: string, by_name?: string|null, by_role?: string|null, edited_at?: string|null, deleted_at?: string|null}} Turn
 * @typedef {{id: string, message_id: string, name: string, media_type: string, size: number}} Attached
 * What the line tells of staff: whose the conversation is, a word of theirs (new, changed or taken back: the id tells), that they are writing.
 * @typedef {{type: "owner", owner: "assistant"|"waiting"|"person"|"later", place: number, name: string|null, until: string|null}} Whose
 * @typedef {{type: "staff", id: string, name: string, role: string, text: string, at: string, edited: boolean, deleted: boolean, files: Attached[]}} StaffWord
 * @typedef {{type: "typing", name: string|null}} StaffTyping
 *
 * @typedef {{id: string, language: string|null, turns: Turn[], live: {message_id: string, last_seq: number}|null, whose: Whose, files: Attached[]}} Conversation
 * @typedef {{timezone: string, week: Record<string, [string, string][]>, holidays?: Record<string, [string, string][]>}} Hours
 * @typedef {{name: string, languages: string[], emergency_number: string, phone?: string|null, hours?: Hours|null,
 *   examples: Record<string, string[]>, retention_days: number, accent?: string, files?: boolean}} Clinic
 * @typedef {{kind: "heading"|"paragraph"|"item"|"row", level?: number|null, start: number, end: number, page?: number|null}} Block
 * @typedef {{id: string, revision: number, title: string, language: string, valid_from?: string|null, text: string, blocks: Block[]}} DocumentText
 * @typedef {{type: "problem", id: string|null, title: string, detail: string, code: string, retry_after?: number|null}} Problem
 *
 * @typedef {{id: string, type: "say"|"person"|"resume", text?: string, language?: string|null}} Message
 * @typedef {"ready"|"connecting"|"lost"|"offline"} LineState
 * @typedef {{part(id: string, part: Part): void, end(id: string, complete: boolean): void, problem(problem: Problem): void,
 *   state(state: LineState): void, staff(event: Whose|StaffWord|StaffTyping): void, missed(): void}} Listener
 */

const JSON_HEADERS = { "content-type": "application/json" };
const OPENED = "conversation";
const FIRST_PAUSE = 400;
const LONGEST_PAUSE = 20_000;
const OPENS_WITHIN = 10_000;
const PING_EVERY = 25_000;
const PONG_WITHIN = 10_000;
const LOOK_EVERY = 5000;
const TYPING_EVERY = 3000;

/** A reply that is not a success. Status 0: nobody answered. */
export class Refused extends Error {
  /** @param {number} status @param {Problem} problem */
  constructor(status, problem) {
    super(problem.title);
    this.status = status;
    this.problem = problem;
  }
}

/** @returns {Promise<Clinic>} */
export const clinic = () => ask("GET", "/api/clinic");

/** @param {string} language @param {string} [page] of one page only: "staff-" @returns {Promise<Record<string, string|{text: string}>>} */
export const wordsOf = (language, page = "") => ask("GET", `/words/${page}${language}.json`);

/** The conversation this browser is in, or null. Its cookie cannot be seen from here; a note tells whether it is worth asking. @returns {Promise<Conversation|null>} */
export async function conversation() {
  const found = localStorage.getItem(OPENED) ? await orNull(ask("GET", "/api/conversation")) : null;
  if (!found) localStorage.removeItem(OPENED);
  return found;
}

/** @param {string} language */
export async function openConversation(language) {
  await ask("POST", "/api/conversations", { language });
  localStorage.setItem(OPENED, "yes");
}

/** A file of the patient's, for the people who have the conversation. @param {string} id @param {File} file @returns {Promise<Attached>} */
export const attach = (id, file) => putFile(`/api/conversation/files/${id}`, file);

/** The patient waits for nobody any more. @returns {Promise<Whose>} */
export const needNobody = () => ask("DELETE", "/api/conversation/person");

export const deleteConversation = () => orNull(ask("DELETE", "/api/conversation"));

/** @param {string} language */
export const setLanguage = (language) => ask("PUT", "/api/conversation/language", { language });

/** @param {string} id @param {boolean} up @param {string} [reason] */
export const feedback = (id, up, reason) => ask("PUT", `/api/conversation/messages/${id}/feedback`, reason ? { up, reason } : { up });

/** @param {string} id @returns {Promise<DocumentText|null>} null when the clinic no longer has it */
export const documentText = (id) => orNull(ask("GET", `/api/documents/${encodeURIComponent(id)}`));

/** A new message's name; also on pages without TLS, where crypto.randomUUID is missing. */
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/**
 * The line to the clinic: messages go out, answers come in, each event once and in order, whatever the network does.
 * A WebSocket; where none can be opened, requests and server-sent events. It is opened when there is something to say.
 */
export class Line {
  /** @type {Map<string, Message & {seq: number, asked: boolean}>} messages whose answer has not ended */
  #open = new Map();
  /** @type {WebSocket|null} */
  #socket = null;
  /** @type {Map<string, EventSource>} */
  #streams = new Map();
  #streaming = false;
  #connecting = false;
  #known = false;
  #failures = 0;
  #staffed = false;
  #typed = 0;
  /** @type {ReturnType<typeof setInterval>|undefined} */
  #looking;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #retry;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #beat;

  /** @param {Listener} listener @param {() => string} language the page's language, for a new conversation */
  constructor(listener, language) {
    this.listener = listener;
    this.language = language;
    addEventListener("online", () => this.#needed && this.#connect());
    addEventListener("offline", () => this.#needed && this.listener.state("offline"));
  }

  /** This browser already has a conversation. */
  known() {
    this.#known = true;
  }

  /** While staff have the conversation, or will have it, the line stays open: they may speak at any time. @param {boolean} yes */
  staffed(yes) {
    if (this.#staffed === yes) return;
    this.#staffed = yes;
    clearInterval(this.#looking);
    if (!yes) return;
    this.#looking = setInterval(() => this.#streaming && this.listener.missed(), LOOK_EVERY);
    if (!this.#socket && !this.#streaming) void this.#connect();
  }

  /** The patient is writing. */
  typing() {
    if (!this.#staffed || Date.now() - this.#typed < TYPING_EVERY || this.#socket?.readyState !== WebSocket.OPEN) return;
    this.#typed = Date.now();
    this.#write({ type: "typing" });
  }

  get #needed() {
    return this.#open.size > 0 || this.#staffed;
  }

  /** @param {Message} message */
  send(message) {
    this.#open.set(message.id, { ...message, seq: 0, asked: false });
    keep(message);
    this.#transmit(message.id);
  }

  /** Without a connection, what has not been sent stays unsent. @param {string} id */
  async stop(id) {
    if (!this.#open.has(id)) return;
    if (this.#socket?.readyState === WebSocket.OPEN) return this.#write({ type: "stop", id });
    if (this.#streams.has(id)) return void (await ask("POST", `/api/conversation/messages/${id}/stop`).catch(() => undefined));
    this.#close(id);
    forgetUnsent(id);
    this.listener.end(id, false);
  }

  /** Forget everything: the conversation is over. */
  close() {
    this.#open.clear();
    this.staffed(false);
    this.#known = false;
    this.#streams.forEach((stream) => stream.close());
    this.#streams.clear();
    clearTimeout(this.#retry);
    this.#socket?.close();
    this.#socket = null;
    forgetUnsent();
  }

  /** @param {string} id */
  #transmit(id) {
    const message = this.#open.get(id);
    if (!message) return;
    if (this.#streaming && this.#known) void this.#stream(message);
    else if (this.#socket?.readyState === WebSocket.OPEN) this.#say(message);
    else void this.#connect();
  }

  /** @param {Message & {seq: number}} message */
  #say(message) {
    const { id, type, text, language, seq } = message;
    if (type === "resume" || seq > 0) this.#write({ type: "resume", id, after: seq });
    else this.#write(type === "say" ? { type, id, text, language: language ?? null } : { type, id, language: language ?? null });
  }

  /** @param {object} frame */
  #write(frame) {
    this.#socket?.send(JSON.stringify(frame));
  }

  async #connect() {
    if (this.#connecting) return;
    this.#connecting = true;
    clearTimeout(this.#retry);
    this.listener.state("connecting");
    try {
      if (!this.#known) await openConversation(this.language());
      this.#known = true;
      if (this.#streaming) this.#all();
      else await this.#dial();
    } catch (error) {
      this.#again(error instanceof Refused ? (error.problem.retry_after ?? 0) * 1000 : 0);
    } finally {
      this.#connecting = false;
    }
  }

  /** Opens the socket. Where that fails while the server does answer, the network between forbids sockets. */
  async #dial() {
    const socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/api/conversation/socket`);
    this.#socket = socket;
    const tired = setTimeout(() => socket.close(), OPENS_WITHIN);
    const opened = await new Promise((done) => {
      socket.onopen = () => done(true);
      socket.onclose = () => done(false);
    });
    clearTimeout(tired);
    if (!opened) {
      this.#socket = null;
      this.#known = (await conversation()) !== null;
      this.#streaming = this.#known;
      return this.#streaming ? this.#all() : this.#again(FIRST_PAUSE);
    }
    socket.onmessage = (event) => this.#heard(JSON.parse(event.data));
    socket.onclose = () => this.#dropped(socket);
    this.#listen(socket);
    this.#all();
  }

  #all() {
    this.listener.state("ready");
    if (this.#staffed) this.listener.missed();
    for (const id of [...this.#open.keys()]) this.#transmit(id);
  }

  /** A half-open line looks alive: ask now and then. @param {WebSocket} socket */
  #listen(socket) {
    clearTimeout(this.#beat);
    this.#beat = setTimeout(() => {
      if (this.#socket !== socket) return;
      this.#write({ type: "ping" });
      this.#beat = setTimeout(() => this.#dropped(socket), PONG_WITHIN);
    }, PING_EVERY);
  }

  /** @param {WebSocket} socket */
  #dropped(socket) {
    if (this.#socket !== socket) return;
    this.#socket = null;
    socket.onmessage = socket.onclose = null;
    socket.close();
    clearTimeout(this.#beat);
    this.#again(0);
  }

  /** Tries again later, if there is anything to wait for. @param {number} least milliseconds */
  #again(least) {
    if (!this.#needed) return;
    clearTimeout(this.#retry);
    this.listener.state(navigator.onLine ? "lost" : "offline");
    const pause = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** this.#failures++) * (0.5 + Math.random());
    this.#retry = setTimeout(() => this.#connect(), Math.max(least, pause));
  }

  /** @param {any} event */
  #heard(event) {
    this.#failures = 0;
    if (this.#socket) this.#listen(this.#socket);
    if (event.type === "problem") return this.#give(event);
    if (["owner", "staff", "typing"].includes(event.type)) return this.listener.staff(event);
    if (event.type !== "part" && event.type !== "end") return;
    const message = this.#open.get(event.id);
    if (!message || event.seq <= message.seq) return;
    if (event.seq > message.seq + 1) return this.#gap(message);
    message.seq = event.seq;
    message.asked = false;
    forgetUnsent(event.id);
    if (event.type === "part") return this.listener.part(event.id, event.part);
    this.#close(event.id);
    this.listener.end(event.id, event.complete);
  }

  /** An event is missing: ask once for what follows the last one we have. @param {Message & {seq: number, asked: boolean}} message */
  #gap(message) {
    if (message.asked) return;
    message.asked = true;
    this.#streams.get(message.id)?.close();
    this.#streams.delete(message.id);
    if (this.#streaming) void this.#stream(message);
    else this.#write({ type: "resume", id: message.id, after: message.seq });
  }

  /** @param {string} id */
  #close(id) {
    this.#open.delete(id);
    this.#streams.get(id)?.close();
    this.#streams.delete(id);
  }

  /** A problem with one message ends it here; with a pause named, the same message is sent again after it. @param {Problem} problem */
  #give(problem) {
    const message = problem.id ? this.#open.get(problem.id) : undefined;
    if (message && problem.retry_after) setTimeout(() => this.#transmit(message.id), problem.retry_after * 1000);
    else if (message) {
      this.#close(message.id);
      forgetUnsent(message.id);
    }
    this.listener.problem(problem);
  }

  /** @param {Message & {seq: number}} message */
  async #stream(message) {
    if (this.#streams.has(message.id)) return;
    try {
      if (message.seq === 0 && message.type !== "resume") await this.#post(message);
    } catch (error) {
      if (error instanceof Refused && error.status) this.#give({ ...error.problem, id: message.id });
      else this.#again(0);
      return;
    }
    const stream = new EventSource(`/api/conversation/events?message_id=${message.id}&after=${message.seq}`);
    this.#streams.set(message.id, stream);
    for (const name of ["message", "part", "end", "problem"])
      stream.addEventListener(name, (event) => this.#heard(JSON.parse(/** @type {MessageEvent} */ (event).data)));
    stream.onerror = () => {
      stream.close();
      this.#streams.delete(message.id);
      this.#again(0);
    };
  }

  /** @param {Message} message */
  #post({ id, type, text, language }) {
    if (type === "person") return ask("POST", "/api/conversation/person", { id, language: language ?? null });
    return ask("POST", "/api/conversation/messages", { id, text, language: language ?? null });
  }
}

// ---- messages that are not known to have arrived; they outlive a reload, not the tab ----------------------------------

const UNSENT = "unsent";

/** @returns {Message[]} */
export const unsent = () => JSON.parse(sessionStorage.getItem(UNSENT) ?? "[]");

/** @param {Message} message */
function keep(message) {
  if (message.type === "resume") return;
  write([...unsent().filter(({ id }) => id !== message.id), message]);
}

/** @param {string} [id] one message; without it, all of them */
export function forgetUnsent(id) {
  write(id ? unsent().filter((message) => message.id !== id) : []);
}

/** @param {Message[]} messages */
function write(messages) {
  if (messages.length) sessionStorage.setItem(UNSENT, JSON.stringify(messages));
  else sessionStorage.removeItem(UNSENT);
}

// ---- one request --------------------------------------------------------------------------------------------------

/** @param {string} method @param {string} path @param {object} [body] @returns {Promise<any>} */
export const ask = (method, path, body) => fetched(path, { method, headers: body && JSON_HEADERS, body: body && JSON.stringify(body) });

/** @param {string} path @param {File} file @returns {Promise<any>} */
export const putFile = (path, file) =>
  fetched(`${path}?name=${encodeURIComponent(file.name)}`, { method: "PUT", headers: { "content-type": "application/octet-stream" }, body: file });

/** @param {string} path @param {RequestInit} request @returns {Promise<any>} */
async function fetched(path, request) {
  const reply = await fetch(path, request).catch(() => null);
  if (!reply) throw new Refused(0, { type: "problem", id: null, title: "No connection", detail: "", code: "offline" });
  if (!reply.ok) throw new Refused(reply.status, await problemOf(reply));
  return reply.status === 204 ? null : reply.json();
}

/** @param {Response} reply @returns {Promise<Problem>} */
async function problemOf(reply) {
  const told = await reply.json().catch(() => ({}));
  const wait = Number(told.retry_after ?? reply.headers.get("retry-after")) || null;
  return { type: "problem", id: null, title: told.title ?? reply.statusText, detail: told.detail ?? "", code: told.code ?? "", retry_after: wait };
}

/** @template T @param {Promise<T>} reply @returns {Promise<T|null>} null for 404 */
function orNull(reply) {
  return reply.catch((error) => {
    if (error instanceof Refused && error.status === 404) return null;
    throw error;
  });
}
