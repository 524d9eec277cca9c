"use strict";
// Comforts over pages that work without them: times that go on, shortcuts, filters, copying, messages.
(() => {
  const SECOND = 1000;

  function ago(then, now) {
    const seconds = (now - then) / SECOND;
    const distance = Math.abs(seconds);
    if (distance < 5) return "now";
    for (const [limit, unit, size] of [[60, "s", 1], [3600, "min", 60], [86400, "h", 3600], [2592000, "d", 86400]]) {
      if (distance < limit) {
        const text = Math.floor(distance / size) + " " + unit;
        return seconds > 0 ? text + " ago" : "in " + text;
      }
    }
    return null;
  }

  function turnClocks() {
    for (const place of document.querySelectorAll("time[data-ago]")) {
      const text = ago(Date.parse(place.dateTime), Date.now());
      if (text !== null && place.textContent !== text) place.textContent = text;
    }
  }
  setInterval(turnClocks, 10 * SECOND);

  function toast(text, kind) {
    const place = document.createElement("div");
    place.className = "toast toast-" + (kind || "info");
    place.textContent = text;
    document.getElementById("toasts").append(place);
  }
  document.body.addEventListener("toast", (event) => toast(event.detail.text, event.detail.kind));
  document.body.addEventListener("htmx:sendError", () => toast("The server cannot be reached. Nothing was changed.", "bad"));
  new MutationObserver((changes) => {
    for (const change of changes) {
      for (const place of change.addedNodes) {
        if (place.nodeType === 1) setTimeout(() => place.remove(), place.matches(".toast-bad") ? 12000 : 5000);
      }
    }
  }).observe(document.getElementById("toasts"), { childList: true });

  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-autosubmit]");
    if (form && event.target.name && event.target.matches("select, input[type=checkbox], input[type=radio]")) form.requestSubmit();
  });
  document.addEventListener("submit", (event) => {
    if (event.target.method !== "get") return;
    for (const field of event.target.elements) if (field.name && field.value === "") field.disabled = true;
  });
  window.addEventListener("pageshow", () => {
    for (const field of document.querySelectorAll("form[method=get] :disabled")) field.disabled = false;
  });

  function offerCopy(root) {
    if (!navigator.clipboard) return;
    for (const button of root.querySelectorAll("[data-copy]")) button.hidden = false;
  }
  offerCopy(document);
  document.body.addEventListener("htmx:load", (event) => { offerCopy(event.detail.elt); turnClocks(); });
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const text = button.dataset.copy || button.parentElement.querySelector("code").textContent;
    await navigator.clipboard.writeText(text);
    toast("Copied", "good");
  });

  // A region that loads itself again keeps the focus where it was.
  let focused = null;
  const mark = (place) => place.id ? "#" + CSS.escape(place.id)
    : place.getAttribute("href") ? 'a[href="' + CSS.escape(place.getAttribute("href")) + '"]'
    : place.name ? '[name="' + CSS.escape(place.name) + '"]' : null;
  document.body.addEventListener("htmx:beforeSwap", (event) => {
    const active = document.activeElement;
    focused = event.detail.target.contains(active) ? { region: event.detail.target.id, mark: mark(active) } : null;
  });
  document.body.addEventListener("htmx:afterSettle", () => {
    if (focused && focused.mark && document.activeElement === document.body) {
      const region = document.getElementById(focused.region);
      const place = region && region.querySelector(focused.mark);
      if (place) place.focus({ preventScroll: true });
    }
    focused = null;
  });

  // Single-key shortcuts; they can be switched off, for those who speak to their computer.
  const choice = document.getElementById("shortcuts");
  const KEPT = "dashclaw.shortcuts";
  let on = localStorage.getItem(KEPT) !== "off";
  let leader = 0;
  if (choice) {
    choice.checked = on;
    choice.addEventListener("change", () => {
      on = choice.checked;
      localStorage.setItem(KEPT, on ? "on" : "off");
    });
  }

  function step(by) {
    const rows = [...document.querySelectorAll("[data-row]")].filter((row) => row.offsetParent !== null);
    if (!rows.length) return;
    const at = rows.findIndex((row) => row.contains(document.activeElement));
    const row = rows[at < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.min(Math.max(at + by, 0), rows.length - 1)];
    const place = row.matches("a, button, [tabindex]") ? row : row.querySelector("a, button, [tabindex]");
    if (place) place.focus();
    row.scrollIntoView({ block: "nearest" });
  }

  const typing = (place) => place.matches("input:not([type=checkbox]):not([type=radio]), textarea, select") || place.isContentEditable;

  document.addEventListener("keydown", (event) => {
    if (!on || event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    if (leader && Date.now() - leader < 1500) {
      leader = 0;
      const link = document.querySelector('[data-key="' + CSS.escape(event.key) + '"]');
      if (link) {
        event.preventDefault();
        location.assign(link.href);
      }
      return;
    }
    leader = 0;
    if (event.key === "g") leader = Date.now();
    else if (event.key === "j") step(1);
    else if (event.key === "k") step(-1);
    else if (event.key === "?") document.getElementById("help")?.togglePopover();
    else if (event.key === "/") {
      const search = document.querySelector("[data-search], .filters input, .filters select");
      if (!search) return;
      event.preventDefault();
      search.focus();
    } else {
      const button = document.querySelector('[data-shortcut="' + CSS.escape(event.key) + '"]:not(:disabled)');
      if (!button || document.querySelector(":popover-open")) return;
      event.preventDefault();
      button.click();
    }
  });
})();
