// How the page looks to this person on this device: letters, light or dark, the clinic's color. Knows no words.
// @ts-check

const PAPER = { light: 0.95, dark: 0.012 };
const WANTED = 7;

/** Takes up what this device chose before. */
export function recall() {
  const root = document.documentElement;
  root.dataset.size = localStorage.getItem("size") ?? "normal";
  root.dataset.theme = localStorage.getItem("theme") ?? "auto";
}

/** Lets the radio buttons named `size` and `theme` choose. @param {HTMLElement} form */
export function offer(form) {
  for (const name of /** @type {const} */ (["size", "theme"])) {
    for (const radio of /** @type {NodeListOf<HTMLInputElement>} */ (form.querySelectorAll(`input[name=${name}]`))) {
      radio.checked = radio.value === document.documentElement.dataset[name];
      radio.addEventListener("change", () => {
        document.documentElement.dataset[name] = radio.value;
        localStorage.setItem(name, radio.value);
      });
    }
  }
}

/** The clinic's color, made dark enough for a light page and light enough for a dark one. @param {string|undefined} accent such as #0f5f63 */
export function paint(accent) {
  if (!accent || !/^#[0-9a-f]{6}$/i.test(accent)) return;
  const channels = [1, 3, 5].map((at) => parseInt(accent.slice(at, at + 2), 16));
  document.documentElement.style.setProperty("--accent-light", toward(channels, 0, PAPER.light));
  document.documentElement.style.setProperty("--accent-dark", toward(channels, 255, PAPER.dark));
}

/** Mixes black or white in until the contrast is enough. @param {number[]} channels @param {number} end @param {number} paper its luminance */
function toward(channels, end, paper) {
  for (let share = 0; ; share += 0.04) {
    const mixed = channels.map((channel) => Math.round(channel + (end - channel) * Math.min(1, share)));
    if (share >= 1 || contrast(luminance(mixed), paper) >= WANTED) return `rgb(${mixed.join(" ")})`;
  }
}

/** WCAG 2.2, "contrast ratio". @param {number} one @param {number} other */
const contrast = (one, other) => (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);

/** WCAG 2.2, "relative luminance". @param {number[]} channels */
function luminance(channels) {
  const [red, green, blue] = channels.map((channel) => channel / 255).map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
