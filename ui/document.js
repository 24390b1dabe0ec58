// Shows one document with the sentence marked that an answer quoted. Knows no conversation.
// @ts-check
import { clinic, documentText } from "./api.js";
import { paint, recall } from "./appearance.js";
import { rendered } from "./document-text.js";
import { element, one } from "./element.js";
import { drawIcons } from "./icons.js";
import { day, language, nameOf, OWN_NAMES, put, speak, tag } from "./words.js";

recall();
drawIcons(document);
const wished = [localStorage.getItem("language") ?? "", ...navigator.languages].map((code) => code.split("-")[0]);
await speak(wished.find((code) => code in OWN_NAMES) ?? "en");
void clinic().then(({ name, accent }) => {
  paint(accent);
  one("#clinic-name").textContent = name;
}, () => undefined);
await show(decodeURIComponent(location.pathname.split("/").pop() ?? ""));
one("#page").hidden = false;
goToMark();

/** @param {string} id */
async function show(id) {
  try {
    const found = await documentText(id);
    if (found) write(found);
    else trouble("document_gone");
  } catch {
    trouble("document_failed");
  }
}

/** @param {import("./api.js").DocumentText} found */
function write(found) {
  document.title = found.title;
  const title = one("#title");
  title.textContent = found.title;
  title.lang = one("#text").lang = tag(found.language);
  const { valid_from, blocks } = found;
  const facts = one("#facts");
  if (valid_from) put(facts.appendChild(element("li")), "source_date", { date: () => day(valid_from) });
  if (found.language !== language()) put(facts.appendChild(element("li")), "source_language", { language: () => nameOf(found.language) });
  const body = blocks[0]?.kind === "heading" && found.text.startsWith(found.title) ? blocks.slice(1) : blocks;
  one("#text").replaceChildren(rendered(found, touchesFirst(blocks[0]) ? blocks : body, { span: span(), top: 2, pages: true }));
}

/** @param {import("./api.js").Block|undefined} first the title is shown once, unless it is what was quoted */
const touchesFirst = (first) => Boolean(first && span() && (span()?.start ?? 0) < first.end);

/** What the address asks to mark. */
function span() {
  const asked = new URLSearchParams(location.search);
  const start = Number(asked.get("start") ?? NaN);
  const end = Number(asked.get("end") ?? NaN);
  return Number.isInteger(start) && Number.isInteger(end) && start < end ? { start, end } : null;
}

function goToMark() {
  const mark = document.querySelector("mark");
  one(".skip").hidden = one("#about-mark").hidden = !mark;
  if (!mark) return;
  mark.id = "marked";
  mark.tabIndex = -1;
  mark.scrollIntoView({ block: "center" });
  mark.focus({ preventScroll: true });
}

/** @param {string} key */
function trouble(key) {
  put(one("#trouble"), key);
  one("#trouble").hidden = false;
}
