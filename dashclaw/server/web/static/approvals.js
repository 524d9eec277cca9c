"use strict";
// Deciding in two keys or two clicks: one dialog for all cards, time that runs down, and what others decided meanwhile.
(() => {
  const dialog = document.getElementById("decide");
  const form = dialog && dialog.querySelector("form");
  const SECOND = 1000;
  const SOON = 300;
  const mine = new Set();
  const cards = () => [...document.querySelectorAll("[data-action][data-seen]")];
  const card = (id) => cards().find((one) => one.dataset.action === id);

  function toast(text, kind) {
    document.body.dispatchEvent(new CustomEvent("toast", { detail: { text, kind } }));
  }

  // Time left, by the server's clock.
  let skew = null;
  function left(seconds) {
    const hours = Math.floor(seconds / 3600);
    const minutes = Math.floor(seconds / 60) % 60;
    if (hours) return hours + " h " + String(minutes).padStart(2, "0") + " min";
    return minutes + ":" + String(Math.floor(seconds % 60)).padStart(2, "0");
  }
  function countDown() {
    let over = false;
    for (const place of document.querySelectorAll("[data-until]")) {
      if (skew === null) skew = Date.parse(place.dataset.at) - Date.now();
      const seconds = (Date.parse(place.dataset.until) - Date.now() - skew) / SECOND;
      const box = place.parentElement;
      box.classList.toggle("soon", seconds < SOON);
      if (seconds > 0) {
        place.textContent = left(seconds) + " left";
      } else if (!box.classList.contains("over")) {
        place.textContent = "expired";
        box.classList.add("over");
        const owner = box.closest("[data-action]");
        owner.classList.add("expired");
        for (const button of owner.querySelectorAll("[data-decide]")) button.hidden = true;
        over = true;
      }
    }
    const region = document.querySelector("#approvals_queue, #approval");
    if (over && region) setTimeout(() => htmx.trigger(region, "live"), SECOND);
  }
  countDown();
  setInterval(countDown, SECOND);

  // The dialog.
  const WORDS = {
    allow: { title: "Approve this?", button: "Approve", kind: "good", hint: "(optional)" },
    deny: { title: "Deny this?", button: "Deny", kind: "danger", hint: "(the agent gets it)" },
  };
  const problem = document.getElementById("decide-problem");
  const submit = form && form.querySelector("[type=submit]");
  const isOpen = () => Boolean(dialog) && dialog.matches(":popover-open");
  let opener = null;

  function open(owner, decision) {
    const words = WORDS[decision];
    form.elements.action_id.value = owner.dataset.action;
    form.elements.seen.value = owner.dataset.seen;
    form.elements.decision.value = decision;
    form.elements.reason.value = "";
    form.elements.reason.required = decision === "deny";
    document.getElementById("decide-title").textContent = words.title;
    document.getElementById("decide-goal").textContent = owner.dataset.goal;
    document.getElementById("decide-about").textContent = owner.dataset.about;
    document.getElementById("decide-hint").textContent = words.hint;
    submit.className = "button " + words.kind;
    submit.textContent = words.button;
    submit.disabled = false;
    problem.replaceChildren();
    opener = owner.dataset.action;
    dialog.showPopover();
    form.elements.reason.focus();
  }
  function close() {
    if (!isOpen()) return;
    dialog.hidePopover();
    const link = opener && card(opener) && card(opener).querySelector("h2 a, [data-decide]");
    if (link) link.focus({ preventScroll: true });
  }
  function stop(text) {
    submit.disabled = true;
    const note = document.createElement("div");
    note.className = "notice notice-bad";
    const words = document.createElement("p");
    words.textContent = text;
    note.append(words);
    problem.replaceChildren(note);
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-decide]");
    if (button && form) {
      event.preventDefault();
      open(button.closest("[data-action]"), button.dataset.decide);
    } else if (event.target.closest("[data-close]")) {
      close();
    } else if (isOpen() && !dialog.contains(event.target)) {
      close();
    }
  });
  document.addEventListener("keydown", (event) => {
    if (isOpen()) {
      if (event.key === "Escape") close();
      return;
    }
    if (event.key === " " && event.target.matches("a[data-decide]")) {
      event.preventDefault();
      event.target.click();
      return;
    }
    if (!form || event.ctrlKey || event.metaKey || event.altKey || localStorage.getItem("dashclaw.shortcuts") === "off") return;
    if (event.target.matches("input, textarea, select") || document.querySelector(":popover-open")) return;
    const decision = { a: "allow", d: "deny" }[event.key];
    const owner = decision && (document.activeElement.closest("[data-action][data-seen]") || cards()[0]);
    const button = owner && owner.querySelector('[data-decide="' + decision + '"]:not([hidden])');
    if (!button || Date.now() - led < 1500) return;
    event.preventDefault();
    open(owner, decision);
  });
  // "g" and a letter lead to another page.
  let led = 0;
  document.addEventListener("keydown", (event) => { led = event.key === "g" ? Date.now() : led; }, true);

  document.body.addEventListener("decided", (event) => {
    const id = event.detail.action_id;
    mine.add(id);
    const owner = card(id);
    const all = cards();
    const next = owner && (all[all.indexOf(owner) + 1] || all[all.indexOf(owner) - 1]);
    close();
    if (owner && !owner.classList.contains("single")) {
      owner.remove();
      const link = next && next.querySelector("h2 a");
      if (link) link.focus();
    }
    const region = document.querySelector("#approvals_queue, #approval");
    if (region) htmx.trigger(region, "live");
  });

  // What goes away without us was decided by somebody else.
  let before = new Map(cards().map((one) => [one.dataset.action, one.dataset.goal]));
  document.body.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.target.id === "approvals_queue") {
      before = new Map(cards().map((one) => [one.dataset.action, one.dataset.goal]));
    }
  });
  document.body.addEventListener("htmx:afterSwap", () => {
    countDown();
    const here = new Set(cards().map((one) => one.dataset.action));
    for (const [id, goal] of before) {
      if (here.has(id) || mine.has(id)) continue;
      const told = document.querySelector('[data-decided="' + CSS.escape(id) + '"]');
      const by = told && told.dataset.by;
      const text = told ? (by || "Nobody") + (told.dataset.status === "expired" ? " decided in time: " : " " + told.dataset.status + ": ") + goal
        : "No longer waiting: " + goal;
      toast(text, "info");
    }
    before = new Map(cards().map((one) => [one.dataset.action, one.dataset.goal]));
    if (!isOpen() || submit.disabled) return;
    const now = card(opener);
    const told = document.querySelector('[data-decided="' + CSS.escape(opener) + '"]');
    if (!now || (now.classList.contains("single") && !now.hasAttribute("data-waits"))) {
      stop(told && told.dataset.by ? told.dataset.by + " " + told.dataset.status + " it meanwhile." : "It does not wait any more.");
    } else if (now.dataset.seen !== form.elements.seen.value) {
      stop("It changed meanwhile. Go back and look at it as it is now.");
    }
  });

  // Several at once: what is chosen, and the highest risk in it.
  const several = document.querySelector("form[data-several]");
  if (several) {
    const count = () => {
      const chosen = [...several.querySelectorAll("[data-risk]:checked")];
      const highest = Math.max(0, ...chosen.map((one) => Number(one.dataset.risk)));
      several.querySelector("[data-chosen]").textContent = String(chosen.length);
      const place = several.querySelector("[data-highest]");
      place.textContent = String(highest);
      place.className = "risk-" + (highest >= 70 ? "high" : highest >= 40 ? "medium" : "low");
      for (const button of several.querySelectorAll("button[name=decision]")) button.disabled = chosen.length === 0;
    };
    several.addEventListener("change", count);
    several.addEventListener("submit", (event) => {
      const reason = several.elements.reason;
      reason.setCustomValidity("");
      if (event.submitter && event.submitter.value === "deny" && reason.value.trim() === "") {
        event.preventDefault();
        reason.setCustomValidity("Say why: the agents get the reason");
        reason.reportValidity();
      }
    });
    several.elements.reason.addEventListener("input", () => several.elements.reason.setCustomValidity(""));
    count();
  }
})();
