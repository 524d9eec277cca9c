"use strict";
// The editor of rules: Tab indents (Escape, then Tab, leaves), the help follows the chosen type.
(() => {
  let leaving = false;
  document.addEventListener("keydown", (event) => {
    const field = event.target;
    if (!field.matches("textarea[data-code]")) return;
    if (event.key === "Escape") leaving = true;
    else if (event.key === "Tab" && !event.shiftKey && !leaving) {
      event.preventDefault();
      field.setRangeText("  ", field.selectionStart, field.selectionEnd, "end");
      field.dispatchEvent(new Event("input", { bubbles: true }));
    } else leaving = false;
  });

  document.addEventListener("change", (event) => {
    if (event.target.id !== "policy_type") return;
    for (const help of document.querySelectorAll("[data-kind]")) help.open = help.dataset.kind === event.target.value;
    const rules = document.getElementById("rules");
    if (rules) rules.dispatchEvent(new Event("input", { bubbles: true }));
  });
})();
