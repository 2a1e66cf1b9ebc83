// What a reader gains where scripts run: filters over stacks and events, links that open what they lead to, and a page
// of many stacks that opens at once. Without it everything is there to be read.
//
// The long tables of closed details stand in <noscript>: as long as nobody opens them they are one piece of text to the
// browser. The template engine has escaped what is in them as everywhere else.
(() => {
  "use strict";

  const articles = [...document.querySelectorAll("article[id]")];
  const form = document.querySelector("form.filter");
  const toolsTemplate = document.getElementById("event-tools");

  // --- Details: their content becomes part of the page when they are opened.

  const filled = new WeakSet();

  function fill(details) {
    if (filled.has(details)) return;
    filled.add(details);
    const source = details.querySelector(":scope > noscript");
    if (source) source.outerHTML = source.textContent;
    if (details.matches(".has-events")) addTools(details);
    showCause(details);
  }

  // Long tables scroll in a box of their own; what failed is to be in sight.
  function showCause(details) {
    const failed = [...details.querySelectorAll(".is-cause, .critical:has(td.failed)")].at(-1);
    const box = failed?.closest(".long");
    if (box) box.scrollTop = failed.offsetTop - (box.clientHeight - failed.offsetHeight) / 2;
  }

  // "toggle" does not bubble, so it is caught on its way down.
  document.addEventListener("toggle", ({ target }) => {
    if (target.matches("details") && target.open) fill(target);
  }, true);

  // --- Events of one stack: search and status.

  function addTools(details) {
    const table = details.querySelector("table");
    if (!table) return;
    details.querySelector("summary").after(toolsTemplate.content.cloneNode(true));
    const tools = details.querySelector(".tools");
    const [text, status] = tools.querySelectorAll("input, select");
    [...table.tBodies[0].rows].forEach(linkTo);
    const rows = [...table.tBodies[0].rows].map((row) => ({
      row,
      text: row.textContent.toLowerCase(),
      status: row.cells[2].textContent,
    }));
    const show = () => {
      const words = wordsOf(text.value);
      let shown = 0;
      for (const it of rows) {
        it.row.hidden = !(it.status.endsWith(status.value) && words.every((word) => it.text.includes(word)));
        shown += !it.row.hidden;
      }
      const all = shown === rows.length;
      say(tools.querySelector("output"), all ? "" : `${shown} of ${rows.length} events`);
    };
    const clear = () => {
      text.value = status.value = "";
      show();
    };
    tools.addEventListener("input", show);
    tools.addEventListener("keydown", (event) => {
      if (event.key === "Escape") clear();
    });
    tools.addEventListener("show-all", clear);
  }

  // Its number becomes a link, to be sent to somebody. In the file that would be one more link in tens of thousands of rows.
  function linkTo(row) {
    const link = document.createElement("a");
    link.href = `#${row.id}`;
    link.append(...row.cells[0].childNodes);
    row.cells[0].append(link);
  }

  // --- All stacks: text and state, over the matrix as well.

  const wordsOf = (text) => text.toLowerCase().split(/\s+/).filter(Boolean);

  function say(output, text) {
    // The same words again would be read out again.
    if (output.textContent !== text) output.textContent = text;
  }

  function memo(make) {
    const made = new Map();
    return (key) => {
      if (!made.has(key)) made.set(key, make(key));
      return made.get(key);
    };
  }

  const headText = memo((article) => {
    const parts = article.querySelectorAll("h3, .cause, .cause ~ .note, .cell-head ~ .note");
    return [...parts].map((part) => part.textContent).join("\n").toLowerCase();
  });

  // Of tables that are not yet part of the page the text is read out of their source.
  const eventsText = memo((article) => {
    const parts = [...article.querySelectorAll(".has-events")];
    return parts.map((part) => plain(part.querySelector(":scope > noscript")) ?? part.textContent).join("\n").toLowerCase();
  });

  function plain(source) {
    const names = { lt: "<", gt: ">", amp: "&", quot: '"' };
    const character = (whole, name) => {
      if (name[0] !== "#") return names[name] ?? whole;
      return String.fromCodePoint(name[1] === "x" ? parseInt(name.slice(2), 16) : parseInt(name.slice(1), 10));
    };
    return source?.textContent.replace(/<[^>]*>/g, " ").replace(/&(#?\w+);/g, character);
  }

  function filterCells() {
    const { text, events, state } = form.elements;
    const words = wordsOf(text.value);
    const wanted = state?.value ?? "";
    const has = (article, word) => headText(article).includes(word)
      || (events.checked && eventsText(article).includes(word));
    let shown = 0;
    for (const article of articles) {
      const isWanted = !wanted || article.dataset.state.split(" ").includes(wanted);
      article.hidden = !isWanted || !words.every((word) => has(article, word));
      shown += !article.hidden;
    }
    for (const row of document.querySelectorAll(".matrix tbody tr")) {
      for (const link of row.querySelectorAll("a")) {
        link.hidden = document.getElementById(link.hash.slice(1))?.hidden ?? false;
      }
      row.hidden = !row.querySelector("a:not([hidden])");
    }
    const count = articles.length;
    say(form.querySelector("output"), shown === count ? `${count} stacks` : `${shown} of ${count} stacks`);
  }

  function clearFilter() {
    form.reset();
    filterCells();
  }

  if (form) {
    form.hidden = false;
    let waiting = 0;
    form.addEventListener("input", () => {
      // Somebody who types fast waits for the last letter's answer only.
      clearTimeout(waiting);
      waiting = setTimeout(filterCells, 60);
    });
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("keydown", (event) => {
      if (event.key === "Escape") clearFilter();
    });
    document.addEventListener("keydown", (event) => {
      const writes = event.target.closest?.("input:not([type=radio], [type=checkbox]), select, textarea");
      if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || writes) return;
      event.preventDefault();
      form.elements.text.focus();
      form.elements.text.select();
    });
    // A page that is gone back to keeps what was typed.
    filterCells();
  }

  // --- Links into the page: #test/region and #test/region/event-12.

  function reveal(hash) {
    document.querySelector(".is-linked")?.classList.remove("is-linked");
    const id = decode(hash.slice(1));
    const isCell = (id) => document.getElementById(id)?.matches("article[id]");
    const cellId = isCell(id) ? id : id.replace(/\/event-\d+$/, "");
    if (!isCell(cellId)) return;
    const article = document.getElementById(cellId);
    if (article.hidden) clearFilter();
    const row = cellId === id ? null : findEvent(article, id);
    if (!row) {
      article.scrollIntoView();
      return;
    }
    row.classList.add("is-linked");
    row.scrollIntoView({ block: "center" });
    // Where the browser, too, sets the focus when it follows such a link.
    row.tabIndex = -1;
    row.focus({ preventScroll: true });
  }

  function findEvent(article, id) {
    for (const details of article.querySelectorAll(".has-events")) {
      fill(details);
      const row = document.getElementById(id);
      if (row && details.contains(row)) {
        details.open = true;
        if (row.hidden) details.querySelector(".tools").dispatchEvent(new Event("show-all"));
        return row;
      }
    }
    return null;
  }

  function decode(text) {
    try {
      return decodeURIComponent(text);
    } catch {
      return text;
    }
  }

  // A link to where the page is already changes nothing, and is to lead there all the same.
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href^='#']");
    if (link && link.hash === location.hash) reveal(link.hash);
  });
  addEventListener("hashchange", () => reveal(location.hash));

  document.querySelectorAll("details[open]").forEach(fill);
  if (location.hash) reveal(location.hash);
})();
