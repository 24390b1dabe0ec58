// Whether the clinic is open at this moment, in the clinic's own time zone. Knows no page.
// @ts-check

const DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/**
 * @param {import("./api.js").Hours} hours opening times by weekday, such as {mon: [["08:00", "18:00"]]}
 * @param {Date} moment
 * @returns {{open: boolean, day: number|null, time: string|null}} until when it is open, or when it opens; `day` counts from Sunday
 */
export function opening({ timezone, week, holidays = {} }, moment) {
  const { day, date, time } = clinicTime(moment, timezone);
  const times = (/** @type {number} */ ahead) => holidays[later(date, ahead)] ?? week[DAYS[(day + ahead) % 7]] ?? [];
  const now = times(0).find(([from, until]) => from <= time && time < until);
  if (now) return { open: true, day, time: now[1] };
  for (let ahead = 0; ahead <= 7; ahead++) {
    const start = times(ahead).map(([from]) => from).sort().find((from) => ahead > 0 || from > time);
    if (start) return { open: false, day: (day + ahead) % 7, time: start };
  }
  return { open: false, day: null, time: null };
}

/** @param {Date} moment @param {string} timezone */
function clinicTime(moment, timezone) {
  const parts = new Intl.DateTimeFormat("en-US", { timeZone: timezone, weekday: "short", year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).formatToParts(moment);
  const piece = (/** @type {string} */ type) => parts.find((part) => part.type === type)?.value ?? "";
  const date = `${piece("year")}-${piece("month")}-${piece("day")}`;
  return { day: DAYS.indexOf(piece("weekday").toLowerCase()), date, time: `${piece("hour")}:${piece("minute")}` };
}

/** The ISO date so many days later. @param {string} date @param {number} days */
function later(date, days) {
  return new Date(Date.parse(date) + days * 86_400_000).toISOString().slice(0, 10);
}

/** A time of day as a language writes it. @param {string} time such as 18:00 @param {string} language */
export function clock(time, language) {
  return new Intl.DateTimeFormat(language, { timeStyle: "short", timeZone: "UTC" }).format(new Date(`2026-01-01T${time}:00Z`));
}

/** The name of a weekday. @param {number} day counted from Sunday @param {string} language */
export function weekday(day, language) {
  return new Intl.DateTimeFormat(language, { weekday: "long", timeZone: "UTC" }).format(new Date(Date.UTC(2026, 0, 4 + day)));
}
