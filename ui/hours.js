// Whether the clinic is open at this moment, in the clinic's own time zone. Knows no page.
// @ts-check

const DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/**
 * @param {import("./api.js").Hours} hours opening times by weekday, such as {mon: [["08:00", "18:00"]]}
 * @param {Date} moment
 * @returns {{open: boolean, day: number|null, time: string|null}} until when it is open, or when it opens; `day` counts from Sunday
 */
export function opening({ timezone, week }, moment) {
  const { day, time } = clinicTime(moment, timezone);
  const now = (week[DAYS[day]] ?? []).find(([from, until]) => from <= time && time < until);
  if (now) return { open: true, day, time: now[1] };
  for (let ahead = 0; ahead <= 7; ahead++) {
    const next = (day + ahead) % 7;
    const start = (week[DAYS[next]] ?? []).map(([from]) => from).sort().find((from) => ahead > 0 || from > time);
    if (start) return { open: false, day: next, time: start };
  }
  return { open: false, day: null, time: null };
}

/** @param {Date} moment @param {string} timezone */
function clinicTime(moment, timezone) {
  const parts = new Intl.DateTimeFormat("en-US", { timeZone: timezone, weekday: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).formatToParts(moment);
  const piece = (/** @type {string} */ type) => parts.find((part) => part.type === type)?.value ?? "";
  return { day: DAYS.indexOf(piece("weekday").toLowerCase()), time: `${piece("hour")}:${piece("minute")}` };
}

/** A time of day as a language writes it. @param {string} time such as 18:00 @param {string} language */
export function clock(time, language) {
  return new Intl.DateTimeFormat(language, { timeStyle: "short", timeZone: "UTC" }).format(new Date(`2026-01-01T${time}:00Z`));
}

/** The name of a weekday. @param {number} day counted from Sunday @param {string} language */
export function weekday(day, language) {
  return new Intl.DateTimeFormat(language, { weekday: "long", timeZone: "UTC" }).format(new Date(Date.UTC(2026, 0, 4 + day)));
}
