// Shows one document with the sentence marked that an answer quoted. Knows no conversation.
// @ts-check
import { clinic, documentText } from "./api.js";
import { paint, recall } from "./appearance.js";
import { cut, rendered } from "./document-text.js";
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
  const found = await documentText(id).catch(() => undefined);
  if (found) write(found);
  else trouble(found === null ? "document_gone" : "document_failed");
}

/** @param {import("./api.js").DocumentText} found */
function write(found) {
  const { title, language: written, valid_from, blocks } = found;
  const wanted = span();
  document.title = one("#title").textContent = title;
  one("#title").lang = one("#text").lang = tag(written);
  const facts = one("#facts");
  if (valid_from) put(facts.appendChild(element("li")), "source_date", { date: () => day(valid_from) });
  if (written !== language()) put(facts.appendChild(element("li")), "source_language", { language: () => nameOf(written) });
  const titled = blocks[0]?.kind === "heading" && cut(found, blocks[0]) === title && !(wanted && wanted.start < blocks[0].end);
  one("#text").replaceChildren(rendered(found, titled ? blocks.slice(1) : blocks, { span: wanted, top: 2, pages: true }));
}

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
