// Drawings of 24 by 24, made as elements. Each stands beside its word and is silent to screen readers.
// @ts-check

const SVG = "http://www.w3.org/2000/svg";

/** @type {Record<string, string>} */
const PATHS = {
  alert: "M12 3 2 20h20L12 3zM12 10v4M12 17v.5",
  back: "M20 12H5M11 6l-6 6 6 6",
  book: "M4 5a2 2 0 0 1 2-2h14v15H6a2 2 0 0 0-2 2V5zM4 20a2 2 0 0 0 2 1h14v-3M8 7h8M8 11h6",
  check: "M4 12.5 9.5 18 20 6.5",
  clinic: "M4 4h16v12h-8l-4 4v-4H4zM12 7v6M9 10h6",
  clip: "M8 12.500 14.500 6a3 3 0 0 1 4.300 4.300L10 19a5 5 0 0 1-7-7l8.500-8.500",
  clock: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 7v5l3.500 2",
  close: "M5 5l14 14M19 5 5 19",
  copy: "M9 9h11v11H9zM15 9V4H4v11h5",
  down: "M7 13V4H4v9h3zm0 0 4 8c1.7 0 3-1.300 3-3v-4h5.200a2 2 0 0 0 2-2.400l-1.200-6A2 2 0 0 0 18 4H7",
  globe: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM3 12h18M12 3c3 3 3.500 6 3.500 9s-.5 6-3.500 9c-3-3-3.500-6-3.500-9s.5-6 3.500-9z",
  info: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 11v6M12 7.500v.5",
  keyboard: "M3 6h18v12H3zM7 10h.01M11 10h.01M15 10h.01M18 10h.01M8 14h8",
  lock: "M6 11h12v9H6zM8.500 11V8a3.500 3.500 0 0 1 7 0v3",
  menu: "M4 7h16M4 12h16M4 17h16",
  open: "M14 4h6v6M20 4l-9 9M18 14v6H4V6h6",
  pen: "M4 20l1-4L16 5l3 3L8 19l-4 1zM14 7l3 3",
  person: "M12 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM4 21c.5-4.500 3.500-7 8-7s7.500 2.500 8 7",
  phone: "M6 3h4l1.500 5L9 10a12 12 0 0 0 5 5l2-2.500 5 1.500v4a2 2 0 0 1-2 2A16 16 0 0 1 4 5a2 2 0 0 1 2-2z",
  print: "M7 8V3h10v5M7 17H4V8h16v9h-3M7 14h10v7H7z",
  question: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM9.500 9.500a2.500 2.500 0 1 1 3.500 2.300c-.7.300-1 .8-1 1.700M12 17v.5",
  repeat: "M4 12a8 8 0 0 1 14-5.300L20 9M20 4v5h-5M20 12a8 8 0 0 1-14 5.300L4 15M4 20v-5h5",
  send: "M12 20V5M6 11l6-6 6 6",
  size: "M3 19 8.500 5 14 19M5 14.500h7M15.500 19l3-8 3 8M16.500 16.500h4",
  sound: "M4 10v4h4l5 4V6L8 10H4zM16 9.500a4 4 0 0 1 0 5M18.500 7a8 8 0 0 1 0 10",
  stop: "M6 6h12v12H6z",
  up: "M7 11v9H4v-9h3zm0 0 4-8c1.700 0 3 1.300 3 3v4h5.200a2 2 0 0 1 2 2.400l-1.200 6A2 2 0 0 1 18 20H7",
  wipe: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
};

/** @param {string} name */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const attributes = { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true", focusable: "false" };
  for (const [key, value] of Object.entries(attributes)) svg.setAttribute(key, value);
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

/** Puts the drawing before the words of each element with data-icon. @param {ParentNode} root */
export function drawIcons(root) {
  for (const target of root.querySelectorAll("[data-icon]")) target.prepend(icon(target.getAttribute("data-icon") ?? ""));
}
