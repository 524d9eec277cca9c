"use strict";
// How much waits, wherever one looks: the title, the badge of the installed app, a notification if it was asked for.
(() => {
  const KEPT = "dashclaw.notify";
  const title = document.title.replace(/^\(\d+\) /, "");
  const place = document.querySelector("[data-waiting]");
  let known = place && !place.hidden ? Number(place.firstChild.textContent) : 0;

  if ("serviceWorker" in navigator) navigator.serviceWorker.register("/sw.js", { scope: "/" }).catch(() => {});

  function show(count) {
    document.title = count ? "(" + count + ") " + title : title;
    if ("setAppBadge" in navigator) (count ? navigator.setAppBadge(count) : navigator.clearAppBadge()).catch(() => {});
  }
  show(known);

  const wanted = () => "Notification" in window && Notification.permission === "granted" && localStorage.getItem(KEPT) === "on";

  // Says how much, not what: it shows on locked screens.
  async function notify(count) {
    const text = count === 1 ? "1 action waits for you" : count + " actions wait for you";
    const options = { body: "Open the approvals to decide.", tag: "dashclaw-waiting", renotify: true, icon: document.querySelector("link[rel=apple-touch-icon]").href };
    const worker = await navigator.serviceWorker?.getRegistration();
    if (worker) await worker.showNotification(text, options);
    else new Notification(text, options);
  }

  document.body.addEventListener("dashclaw:waiting", (event) => {
    const { count, leads } = event.detail;
    show(count);
    // One tab of all notifies, or each would sound.
    if (count > known && leads && wanted() && document.visibilityState === "hidden") notify(count);
    known = count;
  });

  for (const button of document.querySelectorAll("[data-notify]")) {
    if (!("Notification" in window)) {
      button.hidden = true;
      continue;
    }
    const word = button.querySelector("span");
    const draw = () => {
      const on = wanted();
      button.setAttribute("aria-pressed", String(on));
      word.textContent = on ? "Notifications on" : "Notify me";
      button.disabled = Notification.permission === "denied";
      if (button.disabled) button.title = "This browser was told to refuse notifications of this site";
    };
    draw();
    button.addEventListener("click", async () => {
      if (wanted()) localStorage.setItem(KEPT, "off");
      else if (await Notification.requestPermission() === "granted") localStorage.setItem(KEPT, "on");
      draw();
    });
  }
})();
