// Renews the list of what is asked of a gateway every three seconds while anything is under way. Without script the page is loaded again.
(function () {
  "use strict";
  var EVERY_MS = 3000;

  function renew() {
    var list = document.querySelector("#commands[data-live]");
    if (!list || document.hidden) return;
    fetch(location.pathname + location.search, { credentials: "same-origin" }).then(function (answer) {
      return answer.ok && !answer.redirected ? answer.text() : null;
    }).then(function (text) {
      if (text === null) return;
      var fresh = new DOMParser().parseFromString(text, "text/html").querySelector("#commands");
      if (!fresh) return;
      if (list.innerHTML !== fresh.innerHTML) list.innerHTML = fresh.innerHTML;
      if (!fresh.hasAttribute("data-live")) list.removeAttribute("data-live");
    }).catch(function () {});
  }

  setInterval(renew, EVERY_MS);
})();
