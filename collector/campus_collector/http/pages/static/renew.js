// Brings the page up to date once a minute while somebody looks at it. Without script a page stays as it was loaded.
(function () {
  "use strict";
  var EVERY_MS = 60000;

  // what a person has begun to write, chosen or opened must not go away under their hands
  function isInUse() {
    var active = document.activeElement;
    if (active && /^(INPUT|SELECT|TEXTAREA)$/.test(active.tagName)) return true;
    return Array.prototype.some.call(document.querySelectorAll("main input, main textarea"), function (field) {
      return field.type === "checkbox" ? field.checked !== field.defaultChecked : field.value !== field.defaultValue;
    });
  }

  function replace(selector, fresh) {
    var old = document.querySelector(selector), next = fresh.querySelector(selector);
    if (old && next && old.innerHTML !== next.innerHTML) old.innerHTML = next.innerHTML;
  }

  function renew() {
    if (document.hidden || isInUse()) return;
    var open = Array.prototype.map.call(document.querySelectorAll("main details[open][id]"), function (each) { return each.id; });
    fetch(location.href, { credentials: "same-origin" }).then(function (answer) {
      // another status is a log-in that ended or a collector that is away: the page stays, its time tells how old it is
      if (!answer.ok || answer.redirected) return null;
      return answer.text();
    }).then(function (text) {
      if (text === null || isInUse()) return;
      var fresh = new DOMParser().parseFromString(text, "text/html");
      ["#notices", "main", "footer"].forEach(function (selector) { replace(selector, fresh); });
      open.forEach(function (id) { var each = document.getElementById(id); if (each) each.open = true; });
    }).catch(function () {});
  }

  setInterval(renew, EVERY_MS);
})();
