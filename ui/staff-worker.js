// Keeps the staff page's own files, so that it opens at once and says that there is no connection. Nothing of a patient is ever kept.
// @ts-check

const KEPT = "staff-files-1";
const OURS = /^\/(static\/[\w./-]+|words\/[\w.-]+\.json|staff)$/;
const worker = /** @type {any} */ (self);

worker.addEventListener("install", () => worker.skipWaiting());
worker.addEventListener("activate", (/** @type {any} */ event) => event.waitUntil(onlyThisVersion()));
worker.addEventListener("fetch", (/** @type {any} */ event) => {
  const { method, url } = event.request;
  const { origin, pathname } = new URL(url);
  if (method === "GET" && origin === location.origin && OURS.test(pathname)) event.respondWith(freshOrKept(event.request, pathname));
});

async function onlyThisVersion() {
  for (const name of await caches.keys()) if (name !== KEPT) await caches.delete(name);
  await worker.clients.claim();
}

/** The clinic's file; the kept one only while the clinic does not answer. @param {Request} request @param {string} path */
async function freshOrKept(request, path) {
  const kept = await caches.open(KEPT);
  try {
    const fresh = await fetch(request);
    if (fresh.ok) await kept.put(path, fresh.clone());
    return fresh;
  } catch (silent) {
    const found = await kept.match(path);
    if (found) return found;
    throw silent;
  }
}
