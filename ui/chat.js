// The chat page: joins the line to the clinic with what the patient sees. The only module that knows all the others.
// @ts-check
import { attach, clinic, conversation, forgetUnsent, Line, needNobody, newId, setLanguage, unsent } from "./api.js";
import { offer as offerAppearance, paint, recall } from "./appearance.js";
import { AskBox } from "./ask-box.js";
import { anyOpen, open as openDialog, wire } from "./dialogs.js";
import { element, one } from "./element.js";
import { EmergencyBar } from "./emergency.js";
import { picks } from "./files.js";
import { clock, opening, weekday } from "./hours.js";
import { drawIcons } from "./icons.js";
import { share, watch } from "./idle.js";
import { atOnce, hush, politely } from "./live.js";
import { finish, finishPending, offer as offerPrivacy } from "./privacy.js";
import { SourcePanel } from "./source-panel.js";
import { StaffBar } from "./staff-bar.js";
import { AssistantTurn, PatientTurn, StaffTurn } from "./turn.js";
import { language, load, OWN_NAMES, put, speak, tag, word } from "./words.js";

/** @typedef {import("./api.js").Clinic} Clinic */

const CHOSEN = "language";

const askBox = /** @type {AskBox} */ (one("ask-box"));
const panel = /** @type {SourcePanel} */ (one("source-panel"));
const bar = /** @type {EmergencyBar} */ (one("emergency-bar"));
const people = /** @type {StaffBar} */ (one("staff-bar"));
const turns = one("#turns");
/** @type {Map<string, AssistantTurn>} */
const answers = new Map();
/** @type {Map<string, string>} */
const questions = new Map();
/** @type {Map<string, {text: string, language: string}[]>} what screen readers are still to hear of an emergency */
const urgent = new Map();
let following = true;
let takesFiles = false;
/** @type {"lost"|"offline"|null} */
let broken = null;

const line = new Line({ part, end, problem, state, staff, missed }, language);

await begin();

// ---- the start ----------------------------------------------------------------------------------------------------

async function begin() {
  recall();
  if (new URLSearchParams(location.search).has("shared")) share(true);
  drawIcons(document);
  wire();
  const [about] = await untilAnswered(() => Promise.all([clinic(), speak(firstLanguage(Object.keys(OWN_NAMES)))]));
  await furnish(about);
  await finishPending();
  recallConversation(await untilAnswered(conversation));
  one("#page").hidden = false;
  settle();
  [...turns.querySelectorAll(":scope > :not([hidden])")].at(-1)?.scrollIntoView({ block: "end" });
}

/** While the clinic is silent, the page says so and asks again. @template Reply @param {() => Promise<Reply>} ask @returns {Promise<Reply>} */
async function untilAnswered(ask) {
  const trouble = one("#unreachable");
  for (let pause = 1000; ; pause = Math.min(20_000, pause * 2)) {
    try {
      const reply = await ask();
      trouble.hidden = true;
      return reply;
    } catch {
      trouble.hidden = false;
      await new Promise((done) => setTimeout(done, pause));
    }
  }
}

/** @param {Clinic} about */
async function furnish(about) {
  paint(about.accent);
  const spoken = firstLanguage(about.languages);
  if (spoken !== language()) await speak(spoken);
  const number = element("a", { href: `tel:${about.emergency_number}` }, about.emergency_number);
  put(one("#disclosure > span:last-child"), "disclosure", { number });
  one("#clinic-name").textContent = about.name;
  document.title = word("page_title_clinic", { clinic: about.name });
  offerLanguages(about);
  offerAppearance(one("#menu"));
  offerPrivacy(about.retention_days, empty);
  takesFiles = about.files ?? false;
  examples(about);
  openOrClosed(about);
  setInterval(() => openOrClosed(about), 60_000);
  listen();
}

/** What the patient chose here before, else the first of the browser's languages that the clinic speaks. @param {string[]} offered */
function firstLanguage(offered) {
  const wished = [localStorage.getItem(CHOSEN) ?? "", ...navigator.languages].map((code) => code.split("-")[0]);
  return wished.find((code) => offered.includes(code)) ?? offered[0];
}

/** The conversation of before the reload, what is still being answered, and what was never sent. @param {import("./api.js").Conversation|null} found */
function recallConversation(found) {
  if (found) {
    line.known();
    for (const turn of found.turns) recallTurn(turn, found.files.filter(({ message_id }) => message_id === turn.message_id));
    whose(found.whose);
    for (const { message_id, role } of found.turns) if (role === "patient" && !answers.has(message_id)) resume(message_id);
  }
  for (const message of unsent()) {
    if (!answers.has(message.id)) ask(message.text ?? "", message.id, message.language);
  }
}

/** @param {import("./api.js").Turn} turn @param {import("./api.js").Attached[]} files */
function recallTurn(turn, files) {
  if (turn.role === "staff") staffTurn(staffWord(turn, files));
  else recallOurs(turn, files);
}

/** @param {import("./api.js").Turn} turn @param {import("./api.js").Attached[]} files */
function recallOurs({ message_id, role, parts, text, kind, language: spoken, complete }, files) {
  if (role === "patient") {
    asked(message_id, text, files);
    return forgetUnsent(message_id);
  }
  const made = answer(message_id, false);
  const all = parts?.length ? parts : [/** @type {const} */ ({ type: "text", text })];
  if (all[0].type !== "opening") made.add({ type: "opening", kind: kind ?? "quoted", language: spoken ?? language() });
  all.forEach((piece) => made.add(piece));
  made.end(complete);
  if (made.kind === "emergency") bar.pin(made, made.said?.calls ?? []);
  else afterEmergency(made, complete);
}

/** Every answer reminds of an emergency until the clinic closes it; one that failed says nothing about that. @param {AssistantTurn} turn @param {boolean} complete */
function afterEmergency(turn, complete) {
  if (complete && turn.kind !== "emergency" && turn.kind !== "trouble") bar.later(turn, turn.said?.calls ?? []);
}

/** A question without an answer: it is still being said, or due. @param {string} id */
function resume(id) {
  answer(id).state("state_connecting");
  line.send({ id, type: "resume" });
}

// ---- asking -------------------------------------------------------------------------------------------------------

/** @param {string} text nothing asks for a person @param {string} [id] @param {string|null} [spoken] */
function ask(text, id = newId(), spoken = localStorage.getItem(CHOSEN)) {
  following = true;
  if (people.owner === "assistant") people.show(null);
  asked(id, text);
  answer(id).state(broken ? `state_${broken}` : "state_connecting");
  line.send(text ? { id, type: "say", text, language: spoken } : { id, type: "person", language: spoken ?? language() });
  settle();
  follow(id);
}

/** @param {string} id @param {string} text @param {import("./api.js").Attached[]} [files] */
function asked(id, text, files) {
  const made = /** @type {PatientTurn} */ (document.createElement("patient-turn"));
  made.id = `question-${id}`;
  questions.set(id, text);
  turns.append(made.show(text || word("talk_to_person"), files));
  return made;
}

/** A file is a message of its own, to the people who have the conversation. @param {File} file */
async function send(file) {
  const id = newId();
  const shown = asked(id, file.name);
  put(one("#told"), "file_sending");
  settle();
  shown.scrollIntoView({ block: "nearest", behavior: "instant" });
  try {
    const kept = await attach(id, file);
    shown.show(kept.name, [kept]);
    put(one("#told"), "file_sent");
  } catch {
    shown.remove();
    put(one("#told"), "file_refused");
    settle();
  }
}

/** The place of an answer: below its question. @param {string} id @param {boolean} [heard] screen readers hear it */
function answer(id, heard = true) {
  const made = /** @type {AssistantTurn} */ (document.createElement("assistant-turn"));
  made.show({
    id,
    heard: (words, spoken) => heard && hear(id, words, spoken),
    source: (citation, chip) => panel.show(citation, chip),
    again: () => ask(questions.get(id) ?? ""),
  });
  answers.set(id, made);
  document.getElementById(`question-${id}`)?.after(made);
  return made;
}

// ---- answers come -------------------------------------------------------------------------------------------------

/** @param {string} id @param {import("./api.js").Part} part */
function part(id, part) {
  const turn = answers.get(id);
  if (!turn) return;
  turn.add(part);
  if (part.type === "opening") opened(id, part);
  if (part.type === "call" && turn.kind === "emergency") bar.pin(turn, turn.said?.calls ?? []);
  follow(id);
}

/** @param {string} id @param {import("./api.js").Opening} opening */
function opened(id, { kind, language: spoken }) {
  document.getElementById(`question-${id}`)?.querySelector("p")?.setAttribute("lang", tag(spoken));
  if (kind === "emergency") urgent.set(id, []);
  politely(word(`kind_${kind}`), language());
  void offerLanguage(spoken);
}

/** @param {string} id @param {boolean} complete */
function end(id, complete) {
  const turn = answers.get(id);
  turn?.end(complete);
  if (turn) afterEmergency(turn, complete);
  alarm(id);
  if (complete && turn?.kind !== "emergency") politely(word("answer_ready"), language());
  settle();
  follow(id);
}

/** @param {import("./api.js").Problem} problem */
function problem({ id, code, retry_after }) {
  const turn = answers.get(id ?? "");
  if (!id || !turn) return put(one("#told"), "problem_other");
  if (retry_after) return turn.state("state_wait", { seconds: Math.max(2, Math.ceil(retry_after)) });
  if (code === "too_long") askBox.fill(questions.get(id) ?? "");
  turn.fail(code === "too_long" ? "problem_too_long" : turn.said?.empty ? "problem_other" : "state_cut");
  alarm(id);
  settle();
}

/** A broken line is told once, until it stands again. @param {import("./api.js").LineState} now */
function state(now) {
  if (now === broken || (now === "connecting" && broken)) return;
  broken = now === "lost" || now === "offline" ? now : null;
  const key = { ready: "state_searching", connecting: "state_connecting", lost: "state_lost", offline: "state_offline" }[now];
  for (const turn of answers.values()) {
    if (!turn.over) turn.state(now === "ready" && turn.kind ? "state_writing" : key);
  }
  if (!broken) return;
  politely(word(key), language());
  for (const id of urgent.keys()) alarm(id);
}

// ---- people of the clinic -----------------------------------------------------------------------------------------

/** @param {import("./api.js").Whose|import("./api.js").StaffWord|import("./api.js").StaffTyping} event */
function staff(event) {
  if (event.type === "typing") return people.types(event.name);
  if (event.type === "staff") return staffSays(event);
  const news = people.owner !== event.owner;
  whose(event);
  if (news && event.owner !== "assistant") missed(); // what was said before this line was open
}

/** @param {import("./api.js").Whose} now */
function whose(now) {
  line.staffed(now.owner !== "assistant");
  one("#attach").hidden = !takesFiles || (now.owner !== "waiting" && now.owner !== "person");
  people.show(now);
}

/** @param {import("./api.js").StaffWord} said */
function staffSays(said) {
  const known = document.getElementById(`staff-${said.id}`);
  const changed = staffTurn(said);
  if (!changed) return;
  people.types(null);
  politely(changed.textContent ?? "", language());
  settle();
  if (!known && following) changed.scrollIntoView({ block: "nearest", behavior: "instant" });
}

/** One element for each word, however often it is told. @param {import("./api.js").StaffWord} said @returns {StaffTurn|null} null: nothing is new */
function staffTurn(said) {
  const known = document.getElementById(`staff-${said.id}`);
  const sign = JSON.stringify([said.text, said.edited, said.deleted, said.files.length]);
  if (known?.dataset.sign === sign) return null;
  const made = /** @type {StaffTurn} */ (known ?? document.createElement("staff-turn"));
  made.show(said).dataset.sign = sign;
  if (!known) turns.append(made);
  return made;
}

/** A word of staff from the history. @param {import("./api.js").Turn} turn @param {import("./api.js").Attached[]} files @returns {import("./api.js").StaffWord} */
function staffWord({ message_id, by_name, by_role, text, at, edited_at, deleted_at }, files) {
  return { type: "staff", id: message_id, name: by_name ?? "", role: by_role ?? "", text, at, edited: Boolean(edited_at), deleted: Boolean(deleted_at), files };
}

/** The line was away: what staff said meanwhile. */
async function missed() {
  const found = await conversation().catch(() => null);
  if (!found) return;
  for (const turn of found.turns) {
    if (turn.role === "staff") staffSays(staffWord(turn, found.files.filter(({ message_id }) => message_id === turn.message_id)));
  }
  whose(found.whose);
}

/** @param {string} id @param {string} text @param {string} spoken */
function hear(id, text, spoken) {
  const waiting = urgent.get(id);
  if (waiting) waiting.push({ text, language: spoken });
  else politely(text, spoken);
}

/** An emergency is said in one piece, before everything else; sentence by sentence each would cut off the one before. @param {string} id */
function alarm(id) {
  const waiting = urgent.get(id) ?? [];
  if (waiting.length) atOnce(waiting.map(({ text }) => text).join(" "), waiting[0].language);
  urgent.delete(id);
}

/** What is shown only while there is, or is not, a conversation. */
function settle() {
  one("#welcome").hidden = turns.childElementCount > 0;
  askBox.answering = [...answers.values()].some((turn) => !turn.over);
}

/** The end of the answer stays in sight as it grows, until its question reaches the top. @param {string} id */
function follow(id) {
  const question = document.getElementById(`question-${id}`);
  const turn = answers.get(id);
  if (!following || !question || !turn) return;
  const hidden = turn.getBoundingClientRect().bottom - askBox.getBoundingClientRect().top;
  const room = question.getBoundingClientRect().top - one("#pinned").getBoundingClientRect().bottom;
  const most = Math.trunc(room - 8);
  if (hidden > 0 || most < 0) scrollBy({ top: Math.min(Math.max(hidden + 8, 0), most), behavior: "instant" });
}

// ---- what the patient may press -----------------------------------------------------------------------------------

function listen() {
  askBox.addEventListener("ask", (event) => {
    one("#told").replaceChildren();
    ask(/** @type {CustomEvent<string>} */ (event).detail);
  });
  askBox.addEventListener("stop", stop);
  askBox.box.addEventListener("input", () => people.owner === "person" && line.typing());
  people.addEventListener("nobody", () => void needNobody().then(whose, () => put(one("#told"), "problem_other")));
  picks(one("#attach"), /** @type {HTMLInputElement} */ (one("#file")), (file) => void send(file));
  one("#person").addEventListener("click", () => ask(""));
  one("#finish").addEventListener("click", clear);
  one("#print-all").addEventListener("click", () => {
    /** @type {HTMLDialogElement} */ (one("#menu")).close();
    print();
  });
  for (const event of ["wheel", "touchmove"]) addEventListener(event, () => (following = false), { passive: true });
  addEventListener("keydown", keys);
  watch(clear, () => turns.childElementCount > 0);
}

/** @param {KeyboardEvent} event */
function keys(event) {
  const typing = event.target instanceof HTMLElement && event.target.matches("textarea, input, select");
  if (["PageUp", "ArrowUp", "Home"].includes(event.key) && !typing) following = false;
  if (event.key === "Escape" && !anyOpen() && !event.defaultPrevented) stop();
  if (event.key === "?" && !typing && !anyOpen()) openDialog("keys");
}

function stop() {
  for (const [id, turn] of answers) {
    if (turn.over) continue;
    turn.stopped = true;
    void line.stop(id);
  }
}

async function clear() {
  empty("finished");
  await finish();
}

/** @param {string} told */
function empty(told) {
  line.close();
  answers.clear();
  questions.clear();
  urgent.clear();
  hush();
  panel.close();
  bar.unpin();
  people.show(null);
  turns.replaceChildren();
  askBox.fill("");
  one("#offer").hidden = true;
  put(one("#told"), told);
  settle();
  scrollTo({ top: 0, behavior: "instant" });
  askBox.box.focus();
}

// ---- languages, examples, hours -----------------------------------------------------------------------------------

/** @param {Clinic} about */
function offerLanguages(about) {
  const menu = /** @type {HTMLSelectElement} */ (one("#language"));
  menu.append(...about.languages.map((code) => element("option", { value: code, lang: tag(code) }, OWN_NAMES[code] ?? code)));
  menu.value = language();
  menu.addEventListener("change", () => choose(menu.value, about));
}

/** @param {string} chosen @param {Clinic} about */
async function choose(chosen, about) {
  localStorage.setItem(CHOSEN, chosen);
  await speak(chosen);
  /** @type {HTMLSelectElement} */ (one("#language")).value = chosen;
  document.title = word("page_title_clinic", { clinic: about.name });
  one("#offer").hidden = true;
  examples(about);
  openOrClosed(about);
  if (turns.childElementCount) await setLanguage(chosen).catch(() => undefined);
}

/** Who writes in another language than the page's is offered the page in it, in its own words. @param {string} spoken */
async function offerLanguage(spoken) {
  if (spoken === language() || localStorage.getItem(CHOSEN)) return;
  await load(spoken);
  const offer = element("button", { type: "button", class: "plain", lang: tag(spoken) }, word("offer_language", {}, spoken));
  offer.addEventListener("click", () => {
    const menu = /** @type {HTMLSelectElement} */ (one("#language"));
    menu.value = spoken;
    menu.dispatchEvent(new Event("change"));
    askBox.box.focus();
  });
  one("#offer").replaceChildren(offer);
  one("#offer").hidden = false;
}

/** @param {Clinic} about */
function examples({ examples }) {
  const asked = examples[language()] ?? [];
  one("#examples").replaceChildren(...asked.map((question) => {
    const made = element("button", { type: "button", class: "plain" }, question);
    made.addEventListener("click", () => ask(question));
    return element("li", {}, made);
  }));
  one("#welcome h3").hidden = !asked.length;
}

/** @param {Clinic} about */
function openOrClosed({ hours }) {
  one("#hours").hidden = !hours;
  if (!hours) return;
  const now = opening(hours, new Date());
  const time = () => clock(now.time ?? "", tag(language()));
  const day = () => weekday(now.day ?? 0, tag(language()));
  one("#hours").classList.toggle("open", now.open);
  put(one("#hours span"), now.open ? "open_now" : now.time ? "closed_now" : "closed_now_plain", { time, day });
}
