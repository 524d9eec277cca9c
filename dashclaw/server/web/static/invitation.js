// The code of an invitation stands behind #, which no server is sent; it goes into the form and out of the address.
"use strict";
for (const field of document.querySelectorAll("[data-from-fragment]")) {
  const code = decodeURIComponent(location.hash.slice(1));
  if (code && !field.value) {
    field.value = code;
    history.replaceState(null, "", location.pathname);
    document.getElementById("password").focus();
  }
}
