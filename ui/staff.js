// The staff page: joins the clinic's line with what a member of staff sees and does. The only module that knows all the others of it.
// @ts-check
import { clinic, Refused } from "./api.js";
import { offer as offerAppearance, paint, recall } from "./appearance.js";
import { anyOpen, open as openDialog, wire } from "./dialogs.js";
import { element, one } from "./element.js";
import { drawIcons } from "./icons.js";
import { atOnce, hush } from "./live.js";
import { SourcePanel } from "./source-panel.js";
import { chime, emergencies, mute, muted, ready as readyToSound } from "./staff-alarm.js";
import * as desk from "./staff-api.js";
import { StaffCase } from "./staff-case.js";
import { StaffDoor } from "./staff-door.js";
import { StaffQueue } from "./staff-queue.js";
import { StaffSide } from "./staff-side.js";
import { alsoFrom, language, OWN_NAMES, put, speak, tag, word } from "./words.js";

/** @typedef {import("./staff-case.js").Act} Act */

const CHOSEN = "staff-language";
const DONE = { accept: "staff_did_accept", return: "staff_did_return", resolve: "staff_did_resolve", leave: "staff_did_leave", wake: "staff_did_wake" };
const KEYS = "staff-keys";

const door = /** @type {StaffDoor} */ (one("staff-door"));
const list = /** @type {StaffQueue} */ (one("staff-queue"));
const shown = /** @type {StaffCase} */ (one("staff-case"));
const side = /** @type {StaffSide} */ (one("staff-side"));
const panel = /** @type {SourcePanel} */ (one("source-panel"));
/** @type {import("./staff-api.js").Member|null} */
let me = null;
/** @type {import("./staff-api.js").Queue|null} */
let queue = null;
/** @type {number|null} */
let opened = null;
let looking = Promise.resolve();
let lookAgain = false;
/** @type {number|null} */
let known = null;

const line = new desk.StaffLine({ news, caughtUp, state, signedOut: () => signedOut("staff_signed_out") });

await begin();

// ---- the start and the end ----------------------------------------------------------------------------------------

async function begin() {
  recall();
  alsoFrom("staff-");
  drawIcons(document);
  const [about] = await untilAnswered(() => Promise.all([clinic(), speak(firstLanguage())]));
  furnish(about);
  const found = await untilAnswered(() => desk.session().catch(notSignedIn));
  if (!found) door.ask();
  else if (found.must_change) door.change(found.member.id, true);
  else await enter(found);
}

/** @param {unknown} error */
function notSignedIn(error) {
  if (error instanceof Refused && error.status === 401) return null;
  throw error;
}

/** @template Reply @param {() => Promise<Reply>} ask @returns {Promise<Reply>} */
async function untilAnswered(ask) {
  for (let pause = 1000; ; pause = Math.min(20_000, pause * 2)) {
    try {
      const reply = await ask();
      one("#unreachable").hidden = true;
      return reply;
    } catch {
      one("#unreachable").hidden = false;
      await new Promise((done) => setTimeout(done, pause));
    }
  }
}

function firstLanguage() {
  const wished = [localStorage.getItem(CHOSEN) ?? "", ...navigator.languages].map((code) => code.split("-")[0]);
  return wished.find((code) => code in OWN_NAMES) ?? "en";
}

/** @param {import("./api.js").Clinic} about */
function furnish(about) {
  paint(about.accent);
  one("#clinic-name").textContent = about.name;
  one(".door-name > span:last-child").textContent = about.name;
  wire();
  offerAppearance(one("#menu"));
  offerLanguages();
  listen();
  desk.install();
  desk.staysWhileUsed();
  readyToSound();
  showSound();
  title(0);
}

/** @param {import("./staff-api.js").Session} session */
async function enter(session) {
  me = session.member;
  door.close();
  one("#desk").hidden = false;
  put(one("#who"), "staff_you_are", { name: me.name, role: me.role });
  document.body.dataset.view = "queue";
  line.open();
  await look();
  list.focusOn(queue?.cases[0]?.id ?? null);
}

/** Nothing of a patient stays on the screen. @param {string} [why] */
function signedOut(why) {
  line.close();
  me = queue = opened = known = null;
  emergencies(0);
  hush();
  for (const dialog of document.querySelectorAll("dialog")) dialog.close();
  panel.close();
  list.clear();
  shown.forget();
  side.clear();
  one("#desk").hidden = true;
  one("#emergency-told").replaceChildren();
  title(0);
  door.ask(why);
}

// ---- what happens -------------------------------------------------------------------------------------------------

/** @param {import("./staff-api.js").Happened} happened */
function news({ what, by, case_id }) {
  if (what === "typing") {
    if (case_id === opened && by === null) shown.patientTypes();
    return;
  }
  void look();
}

function caughtUp() {
  void look();
  shown.sendAgain();
}

/** @param {"ready"|"lost"} now */
function state(now) {
  one("#line").dataset.state = now;
  put(one("#line span"), now === "ready" ? "staff_line_ready" : "staff_line_lost");
}

/** Shows what is true now; several wishes at once are one look. */
function look() {
  if (lookAgain) return looking;
  lookAgain = true;
  looking = looking.then(async () => {
    lookAgain = false;
    if (me) await lookNow().catch(failed);
  });
  return looking;
}

async function lookNow() {
  const [now, view] = await Promise.all([desk.queue(), opened === null ? null : desk.caseView(opened)]);
  if (!me) return;
  me = now.me;
  queue = now;
  list.show(now, opened);
  duty(now.me.on_duty);
  alarms(now.cases);
  if (view && view.case.id === opened) display(view);
}

/** @param {import("./staff-api.js").CaseView} view */
function display(view) {
  if (!me) return;
  shown.show(view, me);
  side.show(view, source);
  one("#nothing-open").hidden = true;
  if (view.case.unread && document.visibilityState === "visible" && document.hasFocus()) void desk.act(view.case.id, "read").then(look, () => undefined);
}

/** @param {import("./staff-api.js").Case[]} cases */
function alarms(cases) {
  const waiting = cases.filter(({ state }) => state === "waiting");
  const urgent = waiting.filter(({ urgency }) => urgency === 0);
  emergencies(urgent.length);
  const newest = Math.max(0, ...cases.map(({ id }) => id));
  if (known !== null && newest > known && me?.on_duty) {
    if (!urgent.length) chime();
    atOnce(word(urgent.length ? "staff_new_emergency" : "staff_new_case"), language());
  }
  known = Math.max(known ?? 0, newest);
  const told = one("#emergency-told");
  if (!urgent.length) told.replaceChildren();
  else if (told.dataset.count !== String(urgent.length) || !told.firstChild) put(told, "staff_emergencies", { count: urgent.length });
  told.dataset.count = String(urgent.length);
  title(waiting.length);
}

/** @param {number} waiting */
function title(waiting) {
  document.title = `${waiting ? `(${waiting}) ` : ""}${word("staff_title", { clinic: one("#clinic-name").textContent ?? "" })}`;
}

// ---- what somebody does -------------------------------------------------------------------------------------------

/** @param {number} id */
async function open(id) {
  if (opened !== id) {
    shown.clear(); // a key pressed now must not act on the one before
    side.clear();
  }
  opened = id;
  document.body.dataset.view = "case";
  list.mark(id);
  try {
    const view = await desk.caseView(id);
    if (opened !== id) return;
    display(view);
    one(".case-title").focus();
  } catch (error) {
    failed(error);
  }
}

function back() {
  const before = opened;
  document.body.dataset.view = "queue";
  list.focusOn(before);
}

/** @param {Act} act */
async function act(act) {
  const of = shown.view?.case;
  if (!of) return;
  if (act === "later") return openDialog("later");
  await done(act === "accept" ? desk.accept(of.id, of.version) : desk.act(of.id, act), DONE[act]);
}

/** @param {Promise<unknown>} asked @param {string} told */
async function done(asked, told) {
  try {
    await asked;
    shown.tell(told);
  } catch (error) {
    failed(error);
  }
  await look();
}

/** @param {import("./staff-case.js").Pending} pending */
async function reply(pending) {
  try {
    await desk.reply(pending.case, { id: pending.id, text: pending.text });
    await look();
    shown.sent(pending);
  } catch (error) {
    shown.unsent(pending);
    failed(error);
  }
}

/** @param {File} file */
async function attach(file) {
  try {
    await desk.attach(opened ?? 0, file);
    shown.tell("staff_did_attach");
  } catch (error) {
    if (error instanceof Refused && [400, 413].includes(error.status)) shown.tell("staff_file_refused");
    else failed(error);
  }
  await look();
}

/** @param {unknown} error */
function failed(error) {
  const { status } = error instanceof Refused ? error : { status: -1 };
  if (status === 401) return signedOut("staff_signed_out");
  if (status === 403) return shown.tell("staff_not_allowed");
  if (status === 404) return shown.tell("staff_gone");
  if (status === 409) return shown.tell("staff_taken");
  if (status === 0 || status >= 429) return shown.tell("staff_no_answer");
  throw error;
}

/** @param {boolean} on */
function duty(on) {
  const press = one("#duty");
  press.setAttribute("aria-pressed", String(on));
  put(one("span", press), on ? "staff_on_duty" : "staff_off_duty");
}

/** @param {import("./api.js").Citation} citation @param {HTMLElement} chip */
function source(citation, chip) {
  void panel.show(citation, chip);
}

function listen() {
  door.addEventListener("opened", (event) => void enter(/** @type {CustomEvent} */ (event).detail));
  door.addEventListener("cancelled", () => {
    door.close();
    one("#desk").hidden = false;
  });
  list.addEventListener("opens", (event) => void open(/** @type {CustomEvent<number>} */ (event).detail));
  shown.acts = {
    act: (each) => void act(each),
    reply: (pending) => void reply(pending),
    note: (text) => done(desk.note(opened ?? 0, text), "staff_did_note"),
    edit: (id, text) => done(desk.edit(id, text), "staff_did_edit"),
    takeBack: (id) => void done(desk.takeBack(id), "staff_did_take_back"),
    attach: (file) => void attach(file),
    typing: () => opened !== null && shown.isMine && line.typing(opened),
    source,
  };
  one(".case-head .back").addEventListener("click", back);
  one(".to-side").addEventListener("click", () => {
    document.body.dataset.view = "side";
    one("staff-side .back").focus();
  });
  one("staff-side .back").addEventListener("click", () => {
    document.body.dataset.view = "case";
    one(".to-side").focus();
  });
  one("#duty").addEventListener("click", () => void desk.setDuty(!me?.on_duty).catch(failed).then(look));
  one("#sound").addEventListener("click", () => {
    mute(!muted());
    showSound();
  });
  one("#sign-out").addEventListener("click", () => void desk.signOut().then(() => signedOut(), (error) => { closeAll(); failed(error); }));
  one("#other-password").addEventListener("click", () => {
    closeAll();
    one("#desk").hidden = true;
    door.change(me?.id ?? "", false);
  });
  for (const press of /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll("#later button[value]"))) {
    press.addEventListener("click", () => {
      closeAll();
      if (opened !== null) void done(desk.snooze(opened, Number(press.value)), "staff_did_later");
    });
    put(press, Number(press.value) < 60 ? "staff_in_minutes" : "staff_in_hours", { count: Number(press.value) / (Number(press.value) < 60 ? 1 : 60) });
  }
  addEventListener("keydown", keys);
  addEventListener("focus", () => me && void look());
  const single = /** @type {HTMLInputElement} */ (one("#single-keys"));
  single.checked = localStorage.getItem(KEYS) !== "no";
  single.addEventListener("change", () => localStorage.setItem(KEYS, single.checked ? "yes" : "no"));
}

function closeAll() {
  for (const dialog of document.querySelectorAll("dialog")) dialog.close();
}

/** Single keys work where nothing is typed, and can be turned off (WCAG 2.1.4). @param {KeyboardEvent} event */
function keys(event) {
  const typing = event.target instanceof HTMLElement && event.target.matches("textarea, select, input:not([type=radio], [type=checkbox])");
  if (!me || one("#desk").hidden || anyOpen() || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") return typing ? one(".case-title").focus() : back();
  if (typing || localStorage.getItem(KEYS) === "no") return;
  const possible = (/** @type {Act} */ wanted) => shown.querySelector(`[data-act=${wanted}]`) && !shown.hidden && void act(wanted);
  /** @type {Record<string, () => void>} */
  const pressed = {
    j: () => list.move(1, opened), k: () => list.move(-1, opened), a: () => possible("accept"), g: () => possible("return"), e: () => possible("resolve"),
    r: () => !shown.hidden && shown.write("reply"), n: () => !shown.hidden && shown.write("note"), "?": () => openDialog("keys"),
  };
  if (!pressed[event.key]) return;
  event.preventDefault();
  if ("jk".includes(event.key)) document.body.dataset.view = "queue";
  pressed[event.key]();
}

function showSound() {
  one("#sound").setAttribute("aria-pressed", String(!muted()));
  put(one("#sound span"), muted() ? "staff_sound_off" : "staff_sound");
}

function offerLanguages() {
  for (const menu of /** @type {NodeListOf<HTMLSelectElement>} */ (document.querySelectorAll(".languages"))) {
    menu.append(...Object.entries(OWN_NAMES).map(([code, name]) => element("option", { value: code, lang: tag(code) }, name)));
    menu.value = language();
    menu.addEventListener("change", () => void choose(menu.value));
  }
}

/** @param {string} chosen */
async function choose(chosen) {
  localStorage.setItem(CHOSEN, chosen);
  await speak(chosen);
  for (const menu of /** @type {NodeListOf<HTMLSelectElement>} */ (document.querySelectorAll(".languages"))) menu.value = chosen;
  title(0);
  if (me) await look();
}
