// Search of the manual: every word must stand somewhere in a section's text, so Chinese needs no word boundaries. Without script the contents serve.
"use strict";
(() => {
  const MOST_SHOWN = 30;
  const body = document.body;
  const form = document.querySelector("form.search");
  const input = document.getElementById("words");
  const found = document.getElementById("found");
  let sections = null;
  form.hidden = false;

  const narrow = (text) => text.normalize("NFKC").toLowerCase();

  async function load() {
    if (sections === null) {
      const answer = await fetch(body.dataset.index);
      sections = (await answer.json()).map((section) => ({
        ...section,
        inPage: narrow(section.page),
        inHeading: narrow(section.heading),
        inText: narrow(section.text),
      }));
    }
    return sections;
  }

  function score(section, words) {
    let sum = 0;
    for (const word of words) {
      const points =
        (section.inHeading.includes(word) ? 8 : 0) + (section.inPage.includes(word) ? 4 : 0) + (section.inText.includes(word) ? 2 : 0);
      if (points === 0) return 0;
      sum += points;
    }
    return sum;
  }

  function excerpt(section, words) {
    const paragraph = document.createElement("p");
    const first = Math.min(...words.map((word) => section.inText.indexOf(word)).filter((place) => place >= 0), section.text.length);
    const start = Math.max(0, first - 30);
    const shown = section.text.slice(start, start + 140);
    paragraph.append(start > 0 ? "…" : "");
    let rest = shown;
    while (rest) {
      const places = words.map((word) => [narrow(rest).indexOf(word), word.length]).filter(([place]) => place >= 0);
      if (places.length === 0) break;
      const [place, length] = places.sort((a, b) => a[0] - b[0])[0];
      const marked = document.createElement("mark");
      marked.textContent = rest.slice(place, place + length);
      paragraph.append(rest.slice(0, place), marked);
      rest = rest.slice(place + length);
    }
    paragraph.append(rest, start + 140 < section.text.length ? "…" : "");
    return paragraph;
  }

  async function search() {
    const words = narrow(input.value).split(/\s+/).filter(Boolean);
    found.replaceChildren();
    found.hidden = words.length === 0;
    if (words.length === 0) return;
    const ranked = (await load())
      .map((section) => [score(section, words), section])
      .filter(([points]) => points > 0)
      .sort((a, b) => b[0] - a[0]);
    const count = document.createElement("p");
    count.textContent = ranked.length ? found.dataset.count.replace("#", String(ranked.length)) : found.dataset.none;
    const list = document.createElement("ol");
    for (const [, section] of ranked.slice(0, MOST_SHOWN)) {
      const item = document.createElement("li");
      const link = document.createElement("a");
      link.href = `${body.dataset.base}/${section.url}`;
      link.textContent = section.heading ? `${section.page} › ${section.heading}` : section.page;
      item.append(link, excerpt(section, words));
      list.append(item);
    }
    found.replaceChildren(count, list);
  }

  let waiting = 0;
  input.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(search, 150);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    search();
  });
})();
