// The service worker: static files from the cache, a page that says so when the server cannot be reached.
// It never keeps a page: pages have data in them. `FILES`, `OFFLINE` and `CACHE` are written above by the server.
self.addEventListener("install", (event) => {
  event.waitUntil((async () => {
    const cache = await caches.open(CACHE);
    await cache.addAll(FILES);
    await cache.put(OFFLINE, await fetch(OFFLINE, { credentials: "omit" }));
    await self.skipWaiting();
  })());
});

self.addEventListener("activate", (event) => {
  event.waitUntil((async () => {
    for (const name of await caches.keys()) {
      if (name.startsWith("dashclaw-") && name !== CACHE) await caches.delete(name);
    }
    await self.clients.claim();
  })());
});

async function file(request) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(request);
  if (kept) return kept;
  const answer = await fetch(request);
  if (answer.ok) await cache.put(request, answer.clone());
  return answer;
}

async function page(request) {
  try {
    return await fetch(request);
  } catch {
    return (await caches.match(OFFLINE)) || Response.error();
  }
}

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin) return;
  if (url.pathname.startsWith("/static/")) event.respondWith(file(request));
  else if (request.mode === "navigate") event.respondWith(page(request));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil((async () => {
    const open = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
    const one = open.find((client) => new URL(client.url).pathname === "/approvals") || open[0];
    if (!one) return self.clients.openWindow("/approvals");
    await one.focus();
    if (new URL(one.url).pathname !== "/approvals") await one.navigate("/approvals");
  })());
});
