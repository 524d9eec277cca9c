"use strict";
// What is shown stays true: regions that say what they show in `data-live` load themselves again when that changed.
// One tab of a browser listens and tells the others, because a browser opens few connections to one server.
(() => {
  const STALE_AFTER = 20000;
  const LEAST_PAUSE = 400;
  // A server that is slow to answer is asked less often.
  const PAUSE_PER_ANSWER = 8;
  const LONGEST_PAUSE = 10000;
  const LONGEST_RETRY = 15000;
  const shown = document.getElementById("connection");
  const stale = document.getElementById("stale");
  const channel = "BroadcastChannel" in window ? new BroadcastChannel("dashclaw") : null;
  const due = new Map();
  const unseen = new Set();
  let cursor = Number(document.body.dataset.cursor);
  let leads = false;
  let lostAt = null;
  let retry = 1000;

  // A page that is being left is not loaded again over what it goes to.
  let leaving = false;
  window.addEventListener("beforeunload", () => {
    leaving = true;
    setTimeout(() => { leaving = false; }, 5000);
  });
  const signedOut = () => { if (!leaving) location.reload(); };

  const TEXTS = { live: "Live", lost: "Connection lost", stale: "Out of date" };

  function show(state) {
    if (!shown || shown.dataset.state === state) return;
    shown.dataset.state = state;
    shown.querySelector(".connection-text").textContent = TEXTS[state];
    document.body.classList.toggle("is-stale", state === "stale");
    if (stale) stale.hidden = state !== "stale";
    if (leads && channel) channel.postMessage({ state });
  }

  function lost() {
    if (lostAt === null) {
      lostAt = Date.now();
      show("lost");
      setTimeout(() => { if (lostAt !== null) show("stale"); }, STALE_AFTER);
    }
  }

  function found() {
    lostAt = null;
    retry = 1000;
    show("live");
  }

  function concerns(region, names) {
    if ("*" in names) return true;
    const wanted = region.dataset.live.split(/\s+/);
    return Object.keys(names).some((name) => wanted.includes(name) || wanted.includes(name.split(".")[0]));
  }

  // A region in which somebody types or has something open waits until that is over.
  function busy(region) {
    const active = document.activeElement;
    return (region.contains(active) && active.matches("input:not([type=checkbox]), textarea, select"))
      || region.querySelector(":popover-open, details[data-keep][open]") !== null;
  }

  function refresh(region) {
    if (!region.isConnected) return;
    if (document.hidden) {
      unseen.add(region.id);
      return;
    }
    if (busy(region)) {
      region.classList.add("has-news");
      setTimeout(() => refresh(region), LEAST_PAUSE);
      return;
    }
    region.classList.remove("has-news");
    htmx.trigger(region, "live");
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    for (const id of unseen) {
      const region = document.getElementById(id);
      if (region) refresh(region);
    }
    unseen.clear();
  });

  // The first change shows at once; what follows closely is put together.
  function soon(key, work) {
    const last = due.get(key) || { at: 0, pause: LEAST_PAUSE, waiting: false };
    if (last.waiting) return;
    const now = Date.now();
    const wait = Math.max(0, last.at + last.pause - now);
    Object.assign(last, { at: now + wait, waiting: true });
    due.set(key, last);
    setTimeout(() => { last.waiting = false; work(); }, wait);
  }

  const asked = new Map();
  document.body.addEventListener("htmx:beforeRequest", (event) => asked.set(event.detail.target.id, Date.now()));
  document.body.addEventListener("htmx:afterRequest", (event) => {
    const last = due.get(event.detail.target.id);
    const taken = Date.now() - (asked.get(event.detail.target.id) || Date.now());
    if (last) last.pause = Math.min(Math.max(LEAST_PAUSE, taken * PAUSE_PER_ANSWER), LONGEST_PAUSE);
  });

  function tick(names) {
    for (const region of document.querySelectorAll("[data-live]")) {
      if (concerns(region, names)) soon(region.id, () => refresh(document.getElementById(region.id) || region));
    }
    if ("*" in names || Object.keys(names).some((name) => name.startsWith("action."))) soon(" waiting", countWaiting);
    document.body.dispatchEvent(new CustomEvent("dashclaw:news", { detail: names }));
  }

  async function countWaiting() {
    try {
      const answer = await fetch("/waiting", { headers: { "HX-Request": "true" } });
      if (!answer.ok) return;
      const count = Number(await answer.text());
      for (const place of document.querySelectorAll("[data-waiting]")) {
        place.hidden = count === 0;
        place.firstChild.textContent = String(count);
      }
      document.body.dispatchEvent(new CustomEvent("dashclaw:waiting", { detail: { count, leads } }));
    } catch { /* the connection's own state tells it */ }
  }

  function connect() {
    const source = new EventSource("/live?after=" + cursor);
    source.addEventListener("hello", found);
    source.addEventListener("tick", (event) => {
      cursor = Math.max(cursor, Number(event.lastEventId));
      const names = JSON.parse(event.data);
      tick(names);
      if (channel) channel.postMessage({ names, cursor });
    });
    source.addEventListener("bye", () => {
      source.close();
      if (channel) channel.postMessage({ bye: true });
      signedOut();
    });
    source.addEventListener("error", () => {
      lost();
      if (source.readyState === EventSource.CLOSED) again();
    });
    window.addEventListener("pagehide", () => source.close(), { once: true });
  }

  async function again() {
    try {
      const answer = await fetch("/session", { redirect: "manual" });
      if (answer.type === "opaqueredirect") return signedOut();
    } catch { /* not back yet */ }
    setTimeout(connect, retry);
    retry = Math.min(retry * 2, LONGEST_RETRY);
  }

  function hear({ data }) {
    if (data.bye) signedOut();
    if (data.asks !== undefined && leads) {
      channel.postMessage({ state: shown ? shown.dataset.state : "live" });
      if (cursor > data.asks) channel.postMessage({ names: { "*": 1 }, cursor });
    }
    if (leads) return;
    if (data.state) show(data.state);
    if (data.names && data.cursor > cursor) {
      cursor = data.cursor;
      tick(data.names);
    }
  }

  function lead() {
    leads = true;
    connect();
    return new Promise(() => {});
  }

  if (channel && navigator.locks) {
    channel.onmessage = hear;
    channel.postMessage({ asks: cursor });
    navigator.locks.request("dashclaw", lead);
  } else {
    lead();
  }
})();
